"""Decisions on the records that a search meets: each by itself, equal ones once."""

from carekeep.access import Action, Decision, Target
from carekeep.records import Stored
from carekeep.web.passage import Passage


class Verdicts:
    """What one person may read of what a search comes upon, in one request.

    ``decisions`` are those that permitted something.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._known: dict[Target, bool] = {}
        self.decisions: list[Decision] = []

    async def may_search(self, type_: str) -> bool:
        """Whether the person may ask about records of a type at all; not recorded."""
        return (await self._passage.judge(Action.SEARCH, Target(type_, (), ()))).permitted

    async def permits(self, stored: Stored) -> bool:
        """Whether the person may read a record."""
        target = self._passage.target_of(stored)
        known = self._known.get(target)
        if known is None:
            decision = await self._passage.judge(Action.READ, target, found=True)
            known = self._known[target] = decision.permitted
            if known:
                self.decisions.append(decision)
        return known

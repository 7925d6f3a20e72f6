"""Decisions on the records that a search meets: each by itself, equal ones once."""

from carekeep.access import Action, Decision, Target
from carekeep.fhir import Query
from carekeep.records import Stored
from carekeep.web.obligations import abide, may_match
from carekeep.web.passage import Passage


class Verdicts:
    """What one person may read of what a search comes upon, in one request.

    ``decisions`` are those that permitted something.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._known: dict[Target, Decision] = {}
        self.decisions: list[Decision] = []

    async def may_search(self, type_: str) -> bool:
        """Whether the person may ask about records of a type at all; not recorded."""
        return (await self._passage.judge(Action.SEARCH, Target(type_, (), ()))).permitted

    async def shown(self, stored: Stored, query: Query | None = None) -> Stored | None:
        """What the person may read of a record; None: nothing, or not as a match of this query."""
        decision = await self._decision(stored)
        if not decision.permitted or (query is not None and not may_match(decision, query)):
            return None
        return abide(decision, stored)

    async def _decision(self, stored: Stored) -> Decision:
        target = self._passage.target_of(stored)
        known = self._known.get(target)
        if known is None:
            known = self._known[target] = await self._passage.judge(Action.READ, target, found=True)
            if known.permitted:
                self.decisions.append(known)
        return known

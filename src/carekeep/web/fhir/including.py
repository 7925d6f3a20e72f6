"""``_include`` and ``_revinclude``: what comes along with the matches, each record decided by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from carekeep.fhir import Include, Query
from carekeep.records import Stored
from carekeep.web.fhir.sight import Sight
from carekeep.web.passage import Passage

MOST_INCLUDED = 1_000


@dataclass(frozen=True, slots=True)
class Included:
    """What comes along; ``cut``: there would have been more."""

    records: tuple[Stored, ...]
    cut: bool


async def include(passage: Passage, sight: Sight, rules: Sequence[Include], matches: Sequence[Stored]) -> Included:
    """What the rules bring along with a page of matches, without the matches themselves and each record once."""
    collector = _Collector(passage, sight, frozenset(stored.reference for stored in matches))
    found: Sequence[Stored] = matches
    while rules and found and not collector.cut:
        found = await collector.follow(rules, found)
        rules = [rule for rule in rules if rule.iterate]
    return Included(tuple(collector.records), collector.cut)


class _Collector:
    """The state of collecting: what was met is not looked at again, whether it may be seen or not."""

    def __init__(self, passage: Passage, sight: Sight, met: frozenset[str]) -> None:
        self._passage = passage
        self._sight = sight
        self._met = set(met)
        self.records: list[Stored] = []
        self.cut = False

    async def follow(self, rules: Sequence[Include], found: Sequence[Stored]) -> list[Stored]:
        """What the rules lead to from these records, one step on."""
        before = len(self.records)
        forwards = [rule for rule in rules if not rule.reverse]
        references = {each for rule in forwards for stored in found for each in rule.leads_to(stored.resource)}
        vault = self._passage.services.vault
        async for stored in vault.read_all(references - self._met):
            await self._take(stored)
            if self.cut:
                break
        patients = await self._passage.patients_in_sight()
        here = [stored.reference for stored in found]
        for query in (query for rule in rules if rule.reverse for query in rule.comes_from(here)):
            async for stored in vault.search_all(query, patients):
                await self._take(stored, query)
                if self.cut:
                    break
        return self.records[before:]

    async def _take(self, stored: Stored, query: Query | None = None) -> None:
        if stored.reference in self._met:
            return
        self._met.add(stored.reference)
        shown = await self._sight.shown(stored, query)
        if shown is not None:
            self.cut = len(self.records) == MOST_INCLUDED
            if not self.cut:
                self.records.append(shown)

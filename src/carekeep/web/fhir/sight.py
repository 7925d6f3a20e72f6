"""What one person sees of a search: matches that a policy lets this person read, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from carekeep.access import ANYTHING, Action, Decision, Target
from carekeep.fhir import Query
from carekeep.records import Page, Position, Stored
from carekeep.web.denials import denied
from carekeep.web.fhir.resolving import Resolver
from carekeep.web.fhir.verdicts import Verdicts
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

_MOST_SORTED = 10_000
_LOOK_AHEAD = 50
Values = tuple[int | str | list[str] | None, ...]


@dataclass(frozen=True, slots=True)
class SortedPosition:
    """Where a page of a sorted search ended: what its last match was ordered by, and its reference."""

    values: Values
    reference: str


Mark = Position | SortedPosition


class Sight:
    """A search as one person sees it. Queries that are asked together are of different types.

    ``patients`` bounds where is looked (None: everywhere); each record is decided all the same.
    """

    def __init__(
        self,
        passage: Passage,
        queries: Sequence[Query],
        asked: Sequence[Decision],
        verdicts: Verdicts,
        patients: frozenset[str] | None,
    ) -> None:
        self._passage = passage
        self._asked = asked
        self._verdicts = verdicts
        self._sorted: list[Stored] | None = None
        self._by_type = {query.type: query for query in queries}
        self.queries = tuple(queries)
        self.patients = patients

    @classmethod
    async def of(cls, passage: Passage, *queries: Query) -> "Sight":
        """Raises 403 when the person may not search these types, or none of the patients that the queries name.

        Raises 400 for a chain that leads too far, and for a value set that is not known here.
        """
        asked = [await passage.demand(Action.SEARCH, Target(query.type, (), ())) for query in queries]
        patients = await _patients_in_sight(passage, queries)
        verdicts = Verdicts(passage)
        resolver = Resolver(passage, verdicts)
        answered = [await resolver.answered(query) for query in queries]
        return cls(passage, answered, list(dict.fromkeys(asked)), verdicts, patients)

    @property
    def query(self) -> Query:
        """The one query, with everything answered that it asks of other records."""
        (query,) = self.queries
        return query

    @property
    def decisions(self) -> list[Decision]:
        """The decisions that permitted what was seen until now."""
        return [*self._asked, *self._verdicts.decisions]

    async def shown(self, stored: Stored, query: Query | None = None) -> Stored | None:
        """What the person may read of a record that comes along with matches; None: nothing."""
        return await self._verdicts.shown(stored, query)

    async def _match(self, stored: Stored) -> Stored | None:
        """What the person may read of a match; None: nothing, or not as a match of what was asked."""
        return await self._verdicts.shown(stored, self._by_type[stored.type])

    async def page(self, after: Mark | None) -> tuple[list[Stored], Mark | None]:
        """The next matches, at most as many as the query asks for, and where the page after them begins."""
        control = self.queries[0].control
        if control.sort:
            return await self._sorted_page(after)
        seen: list[Stored] = []
        position = after if isinstance(after, Position) else None
        while True:
            missing = control.count - len(seen)
            found = await self._passage.services.vault.search(
                self.queries, self.patients, after=position, limit=missing
            )
            shown = [await self._match(stored) for stored in found.matches]
            seen.extend([each for each in shown if each is not None])
            position = found.next
            if position is None or len(seen) == control.count:
                return seen, position if await self._goes_on(found) else None

    async def _goes_on(self, page: Page) -> bool:
        """Whether the person may see anything after a page: a link to a page of nothing tells of what is hidden."""
        if page.following is not None and await self._match(page.following) is not None:
            return True
        while page.next is not None:
            search = self._passage.services.vault.search
            page = await search(self.queries, self.patients, after=page.next, limit=_LOOK_AHEAD)
            for stored in page.matches:
                if await self._match(stored) is not None:
                    return True
        return False

    async def _sorted_page(self, after: Mark | None) -> tuple[list[Stored], Mark | None]:
        """A page of everything in order, from the first match that comes after the last one of the page before."""
        ordered = await self._in_order()
        if isinstance(after, SortedPosition):
            start = (self.queries[0].sort_place(after.values), after.reference)
            ordered = [stored for stored in ordered if self._place(stored) > start]
        page = ordered[: self.queries[0].count]
        if not page or len(page) == len(ordered):
            return page, None
        return page, SortedPosition(self._values(page[-1]), page[-1].reference)

    async def _in_order(self) -> list[Stored]:
        if self._sorted is None:
            found: list[Stored] = []
            async for stored in self._passage.services.vault.search_all(self.queries, self.patients):
                shown = await self._match(stored)
                if shown is not None:
                    found.append(shown)
                if len(found) > _MOST_SORTED:
                    raise problem(
                        400, "too-costly", f"More than {_MOST_SORTED:,} matches are not sorted.", "http._sort"
                    )
            self._sorted = sorted(found, key=self._place)
        return self._sorted

    def _values(self, stored: Stored) -> Values:
        return self._by_type[stored.type].sort_values(stored.resource)

    def _place(self, stored: Stored) -> tuple[object, str]:
        """What orders a match; the reference decides between equals, so that pages never overlap."""
        return self.queries[0].sort_place(self._values(stored)), stored.reference

    async def total(self) -> int:
        """How many matches there are for this person; what one may not see is not counted."""
        if self._sorted is not None:
            return len(self._sorted)
        count = 0
        async for stored in self._passage.services.vault.search_all(self.queries, self.patients):
            count += await self._match(stored) is not None
        return count


async def _patients_in_sight(passage: Passage, queries: Sequence[Query]) -> frozenset[str] | None:
    """Whose records to look at: those that are named, else those whom the person is related to; None for all."""
    wanted = [_named(query) for query in queries]
    named = [each for each in wanted if each is not None]
    if len(named) < len(wanted):
        return await passage.patients_in_sight()
    everyone = frozenset[str]().union(*named)
    type_ = queries[0].type if len(queries) == 1 else "Patient"
    verdicts = {
        patient: await passage.judge(Action.READ, Target(type_, (patient,), (), ANYTHING), found=True)
        for patient in everyone
    }
    permitted = frozenset(patient for patient, decision in verdicts.items() if decision.permitted)
    if everyone and not permitted:
        refusal = next(iter(verdicts.values()))
        await passage.record(Action.SEARCH, "denied", decision=refusal, patients=sorted(everyone))
        raise denied(refusal, passage.principal)
    return permitted


def _named(query: Query) -> frozenset[str] | None:
    """The patients to whom every match belongs, as far as the query itself says so."""
    names = [frozenset(clause.patients) for clause in query.clauses if clause.patients is not None]
    names += [frozenset({clause.compartment}) for clause in query.clauses if clause.compartment is not None]
    return frozenset.intersection(*names) if names else None

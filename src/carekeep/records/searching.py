"""Search over tags, exact on the decrypted record.

A query is answered region by region: records that are named (by id, or the Patient records of those who may be seen),
records that belong to another patient first, what belongs to no patient, and then patient by patient, many small
charts in one statement. Candidates are opened, and only what really matches is returned.

The cost of a search across patients is linear in the patients that may be seen; that is the price of tags keyed by
patient. A page stops as soon as it is full, and what is fetched for it begins with as many rows as it may take.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown
from carekeep.fhir import Query
from carekeep.records.bearings import Bearings
from carekeep.records.blind_index import SHARED
from carekeep.records.candidates import (
    MOST_PARAMETERS,
    Position,
    Question,
    Statement,
    named,
    tagged,
    tagged_in_many,
)
from carekeep.records.envelope import Place, Stored, unseal
from carekeep.records.planning import People, Plan, Sight, plan, question
from carekeep.storage import Database, Row

_END = (1 << 63) - 1  # records have lower numbers
_START = Position(-_END, _END)
# Regions below the scopes: lists of names, then lists of patients, a thousand in each.
_NAMED, _GUESTS, _CHUNK = -(1 << 61), -(1 << 60), 1_000
_FIRST_BATCH, _LARGEST_BATCH = 4, 256
# Rows of one statement: the index finds hardly anything that does not match.
_MOST_ROWS, _MORE_THAN_WANTED = 200, 5
_LIVING = "SELECT scope FROM patient_key WHERE wrapped IS NOT NULL AND scope >= $1 ORDER BY scope LIMIT $2"
_SCOPE, _SEQ, _REGION = 1, 2, 5


@dataclass(frozen=True, slots=True)
class Page:
    """Matches in order, and where to go on; None when there is no more. ``following`` is the first match after them."""

    matches: tuple[Stored, ...]
    next: Position | None
    following: Stored | None = None


class Searcher:
    """Runs queries for the vault. Queries that run together are of different types."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._bearings = Bearings(keyring)

    async def page(
        self, queries: Sequence[Query], patients: Iterable[str] | None, *, after: Position | None, limit: int
    ) -> Page:
        """At most ``limit`` matches after ``after``; one more is looked for, to know whether there is a next page."""
        matches: list[tuple[Position, Stored]] = []
        async for position, stored in self._matches(queries, patients, after or _START, limit + _MORE_THAN_WANTED):
            if len(matches) == limit:
                last = matches[-1][0] if matches else position
                return Page(tuple(found for _, found in matches), last, stored)
            matches.append((position, stored))
        return Page(tuple(stored for _, stored in matches), None)

    async def every(self, queries: Sequence[Query], patients: Iterable[str] | None) -> AsyncIterator[Stored]:
        """All matches."""
        async for _, stored in self._matches(queries, patients, _START, _MOST_ROWS):
            yield stored

    async def named(self, rids: Sequence[bytes]) -> AsyncIterator[Stored]:
        """Current records by their blind names, newest first within a thousand; what is not there is left out."""
        async for row in self._by_name(rids, None, _START, _MOST_ROWS):
            stored = await self._open(row)
            if stored is not None and not stored.deleted:
                yield stored

    async def _matches(
        self, queries: Sequence[Query], patients: Iterable[str] | None, after: Position, wanted: int
    ) -> AsyncIterator[tuple[Position, Stored]]:
        sight = Sight.of(patients, self._bearings)
        planned = plan(queries, sight, self._bearings, self._keyring)
        by_type = {query.type: query for query in queries}
        async for row in self._candidates(planned, after, wanted):
            stored = await self._open(row)
            query = None if stored is None or stored.deleted else by_type.get(stored.type)
            if stored is None or query is None or not sight.has(stored.patients, row[_SCOPE]):
                continue
            if _GUESTS <= row[_REGION] < SHARED and not planned.is_guest(stored.type, row[_SCOPE]):
                continue  # it comes in the region of its owner
            if query.matches(stored.resource):
                yield Position(row[_REGION], row[_SEQ]), stored

    async def _open(self, row: Row) -> Stored | None:
        """The record, or None if its patient has been forgotten."""
        rid, scope, seq, version, sealed = row[:5]
        try:
            keys = await self._keyring.scope(scope)
        except (KeyDestroyed, KeyUnknown):
            return None
        return unseal(sealed, Place(rid, scope, seq, version), keys.cipher)

    async def _candidates(self, planned: Plan, after: Position, wanted: int) -> AsyncIterator[Row]:
        """Rows that may match, in order of region, newest first, in bounded pages."""
        async for row in self._by_name(planned.rids, planned.people, after, wanted):
            yield row
        for number, start in enumerate(range(0, len(planned.guests), _CHUNK)):
            tags = tuple([self._bearings.of(each).guest for each in planned.guests[start : start + _CHUNK]])
            make = partial(tagged, _GUESTS + number, Question(SHARED, (tags,)), planned.since_ms)
            async for row in self._pages(_GUESTS + number, after, make, wanted):
                yield row
        if planned.shared:
            asked = question(planned.shared, SHARED, self._keyring.shared.tags)
            make = partial(tagged, SHARED, asked, planned.since_ms)
            async for row in self._pages(SHARED, after, make, wanted):
                yield row
        async for row in self._by_owner(planned, after, wanted):
            yield row

    async def _by_name(
        self, rids: Sequence[bytes], people: People | None, after: Position, wanted: int
    ) -> AsyncIterator[Row]:
        lists: list[tuple[Sequence[bytes], Question | None]] = [(some, None) for some in _chunks(rids)]
        if people is not None:
            asked = question((people.query,), SHARED, self._keyring.shared.tags)
            lists.extend((some, asked) for some in _chunks(people.rids))
        for region, (some, about) in enumerate(lists, start=_NAMED):
            async for row in self._pages(region, after, partial(named, region, some, about), wanted):
                yield row

    async def _by_owner(self, planned: Plan, after: Position, wanted: int) -> AsyncIterator[Row]:
        """Patients' records: small charts many at once, fewer while there is much in them."""
        size = _FIRST_BATCH
        async for some in self._owners(planned, after):
            scopes = some
            while scopes:
                asked, scopes = await self._batch(planned, scopes, size)
                found = 0
                if len(asked) == 1:
                    make = partial(tagged, asked[0].scope, asked[0], planned.since_ms)
                    pages = self._pages(asked[0].scope, after, make, wanted)
                else:
                    pages = self._joint_pages(asked, after, planned.since_ms, wanted)
                async for row in pages:
                    found += 1
                    yield row
                size = min(size * 4, _LARGEST_BATCH) if found < _MOST_ROWS else max(size // 4, _FIRST_BATCH)

    async def _owners(self, planned: Plan, after: Position) -> AsyncIterator[Sequence[int]]:
        """The scopes in which there is something to ask, in ascending order, from the position on."""
        known = [scopes for _, scopes in planned.owned if scopes is not None]
        if len(known) == len(planned.owned):
            yield sorted(scope for scope in frozenset[int]().union(*known) if scope >= after.scope)
            return
        start = after.scope
        while rows := await self._database.fetch(_LIVING, (start, _LARGEST_BATCH)):
            yield [row[0] for row in rows]
            start = rows[-1][0] + 1

    async def _batch(self, planned: Plan, scopes: Sequence[int], size: int) -> tuple[list[Question], Sequence[int]]:
        """The questions of the next scopes, as many as a statement takes, and the scopes that are left."""
        asked: list[Question] = []
        room = MOST_PARAMETERS
        queries = planned.in_scope(scopes[0])
        for number, scope in enumerate(scopes):
            if number == size or room <= 0 or planned.in_scope(scope) != queries:
                return asked, scopes[number:]
            try:
                keys = await self._keyring.scope(scope)
            except (KeyDestroyed, KeyUnknown):
                continue
            asked.append(question(queries, scope, keys.tags))
            room -= asked[-1].size
        return asked, ()

    async def _pages(
        self, region: int, after: Position, make: Callable[[int, int], Statement], wanted: int
    ) -> AsyncIterator[Row]:
        """All rows of a region after a position; ``make`` takes the number below which they are, and how many."""
        if region < after.scope:
            return
        below = after.seq if region == after.scope else _END
        for size in _sizes(wanted):
            statement = make(below, size)
            rows = await self._database.fetch(statement.sql, statement.parameters)
            for row in rows:
                yield row
            if len(rows) < size:
                return
            below = rows[-1][_SEQ]

    async def _joint_pages(
        self, asked: Sequence[Question], after: Position, since_ms: int | None, wanted: int
    ) -> AsyncIterator[Row]:
        """All rows of several scopes after a position."""
        if not asked:
            return
        for size in _sizes(wanted):
            statement = tagged_in_many(asked, since_ms, after, size)
            rows = await self._database.fetch(statement.sql, statement.parameters)
            for row in rows:
                yield row
            if len(rows) < size:
                return
            after = Position(rows[-1][_REGION], rows[-1][_SEQ])


def _chunks(rids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (rids[start : start + _CHUNK] for start in range(0, len(rids), _CHUNK))


def _sizes(wanted: int) -> Iterator[int]:
    """How many rows to fetch at a time, without end: as many as are wanted first, then more."""
    size = wanted
    while True:
        yield min(size, _MOST_ROWS)
        size = min(size * 4, _MOST_ROWS)

"""Search over tags, exact on the decrypted record.

A query is answered scope by scope (a patient's records, then what belongs to no patient): the tags of its clauses are
intersected in the database, candidates are opened, and only what really matches is returned. The cost of a search
across patients is linear in the patients that may be seen; that is the price of tags keyed by patient.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown, Tagger
from carekeep.fhir import Query, Term
from carekeep.records.blind_index import SHARED
from carekeep.records.envelope import Place, Stored, unseal
from carekeep.storage import Database, Row, Value

_FIRST_SEQ = (1 << 63) - 1
_PAGE_SIZE = 200
_CANDIDATES = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM ({tags}) t
      JOIN record r ON r.seq = t.seq
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     ORDER BY r.seq DESC
"""
_BY_RIDS = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM record r
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     WHERE r.rid IN ({rids}) AND r.seq < $1
     ORDER BY r.seq DESC LIMIT $2
"""
_LIVING = "SELECT scope FROM patient_key WHERE wrapped IS NOT NULL"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a page ended: the scope, and the record number in it. It says nothing about content."""

    scope: int
    seq: int


@dataclass(frozen=True, slots=True)
class Page:
    """Matches in order, and where to go on; None when there is no more."""

    matches: tuple[Stored, ...]
    next: Position | None


class Searcher:
    """Runs queries for the vault."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def page(self, query: Query, patients: Iterable[str] | None, *, after: Position | None, limit: int) -> Page:
        """At most ``limit`` matches after ``after``; one more is looked for, to know whether there is a next page."""
        allowed = None if patients is None else self._scopes_of(patients)
        matches: list[tuple[Position, Stored]] = []
        async for position, stored in self._matches(query, allowed, after):
            if len(matches) == limit:
                last = matches[-1][0] if matches else position
                return Page(tuple(stored for _, stored in matches), last)
            matches.append((position, stored))
        return Page(tuple(stored for _, stored in matches), None)

    async def every(self, query: Query, patients: Iterable[str] | None) -> AsyncIterator[Stored]:
        """All matches."""
        allowed = None if patients is None else self._scopes_of(patients)
        async for _, stored in self._matches(query, allowed, None):
            yield stored

    async def _matches(
        self, query: Query, allowed: frozenset[int] | None, after: Position | None
    ) -> AsyncIterator[tuple[Position, Stored]]:
        for scope in await self._index_scopes(query, allowed):
            if after is not None and scope < after.scope:
                continue
            below = after.seq if after is not None and scope == after.scope else _FIRST_SEQ
            async for row in self._candidates(query, scope, below):
                stored = await self._match(query, row, allowed)
                if stored is not None:
                    yield Position(scope, row[2]), stored

    async def _match(self, query: Query, row: Row, allowed: frozenset[int] | None) -> Stored | None:
        rid, scope, seq, version, sealed = row
        if allowed is not None and scope != SHARED and scope not in allowed:
            return None
        try:
            keys = self._keyring.shared if scope == SHARED else await self._keyring.scope(scope)
        except (KeyDestroyed, KeyUnknown):
            return None
        stored = unseal(sealed, Place(rid, scope, seq, version), keys.cipher)
        if stored.deleted or stored.type != query.type or not query.matches(stored.resource):
            return None
        return stored

    async def _index_scopes(self, query: Query, allowed: frozenset[int] | None) -> list[int]:
        """The scopes under which matches can be indexed, in ascending order."""
        if query.type == "Patient" or any(clause.ids is not None for clause in query.clauses):
            return [SHARED]
        named = [clause.patients for clause in query.clauses if clause.patients is not None]
        if named:
            scopes = frozenset.intersection(*(self._scopes_of(patients) for patients in named))
            return sorted(scopes if allowed is None else scopes & allowed)
        if allowed is None:
            allowed = frozenset(row[0] for row in await self._database.fetch(_LIVING))
        return sorted(allowed | {SHARED})

    async def _candidates(self, query: Query, scope: int, below: int) -> AsyncIterator[Row]:
        """Rows that may match, newest first, in bounded pages."""
        ids = [clause.ids for clause in query.clauses if clause.ids is not None]
        if ids:
            wanted = set(ids[0]).intersection(*ids[1:])
            rids = [self._keyring.rid(query.type, id_) for id_ in sorted(wanted)]
            sql = _by_rids(len(rids))
            params: Sequence[Value] = rids
        else:
            tagger = await self._tagger(scope)
            if tagger is None:
                return
            sql, params = _by_tags(query, scope, tagger)
        while True:
            rows = await self._database.fetch(sql, (below, _PAGE_SIZE, *params))
            for row in rows:
                yield row
            if len(rows) < _PAGE_SIZE:
                return
            below = rows[-1][2]

    async def _tagger(self, scope: int) -> Tagger | None:
        if scope == SHARED:
            return self._keyring.shared.tags
        try:
            return (await self._keyring.scope(scope)).tags
        except (KeyDestroyed, KeyUnknown):
            return None

    def _scopes_of(self, patients: Iterable[str]) -> frozenset[int]:
        return frozenset(map(self._keyring.scope_of, patients))


def _by_rids(count: int) -> str:
    return _BY_RIDS.format(rids=", ".join(f"${number}" for number in range(3, 3 + count)) or "NULL")


def _by_tags(query: Query, scope: int, tagger: Tagger) -> tuple[str, list[int]]:
    """Records that carry a tag of every clause, as SQL over parameters $3 and up ($1 below, $2 page size).

    The clause with the fewest tags drives, the others are looked up for each of its records.
    """
    alternatives = [_tags(query.type, clause.terms, tagger) for clause in query.clauses if clause.terms is not None]
    params: list[int] = [scope]
    conditions = []
    for tags in sorted(alternatives, key=len):
        first = 3 + len(params)
        params.extend(tags)
        conditions.append(", ".join(f"${number}" for number in range(first, first + len(tags))) or "NULL")
    driver, *others = conditions
    distinct = "DISTINCT " if "," in driver else ""
    sql = f"SELECT {distinct}d.seq FROM tag d WHERE d.scope = $3 AND d.tag IN ({driver}) AND d.seq < $1"
    for other in others:
        sql += f" AND EXISTS (SELECT 1 FROM tag o WHERE o.scope = $3 AND o.tag IN ({other}) AND o.seq = d.seq)"
    return _CANDIDATES.format(tags=sql + " ORDER BY d.seq DESC LIMIT $2"), params


def _tags(type_: str, terms: frozenset[Term], tagger: Tagger) -> list[int]:
    return sorted({tagger.tag(type_, term.parameter, term.value) for term in terms})

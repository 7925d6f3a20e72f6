"""Reading records, and preparing changes to them."""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown
from carekeep.fhir import OVERFLOW, Query, parse_query
from carekeep.records.blind_index import CARE, SHARED, care_tag, facts_of, tags_of
from carekeep.records.candidates import Position
from carekeep.records.drafting import UNTAG, Draft
from carekeep.records.envelope import Place, Stored, unseal
from carekeep.records.guarding import Guards, read_guards
from carekeep.records.histories import Historian, Moment, Window
from carekeep.records.holding import refuse_if_held, unless_held
from carekeep.records.numbering import Numbering
from carekeep.records.searching import Page, Searcher
from carekeep.storage import Change, Clock, Database, Prepared, Row, system_clock

_CURRENT = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM record r
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
"""
_BY_RID = _CURRENT + " WHERE r.rid = $1"
_BY_SHARED_TAG = _CURRENT + " JOIN tag t ON t.seq = r.seq WHERE t.scope = 0 AND t.tag = $1"
_BY_SCOPE = _CURRENT + " WHERE v.scope = $1"
_UNTAG_SCOPE = "DELETE FROM tag WHERE scope = $1"
_PLACE = "SELECT rid, scope, seq, version FROM record WHERE rid = $1"
_VERSION = """
    SELECT scope, sealed FROM record_version
     WHERE seq = $1 AND version = $2
       AND scope IN (SELECT CAST($3 AS BIGINT) UNION ALL SELECT scope FROM record_home WHERE seq = $1)
"""
_HISTORY = """
    SELECT scope, version, sealed FROM record_version
     WHERE seq = $1 AND version < $2
       AND scope IN (SELECT CAST($3 AS BIGINT) UNION ALL SELECT scope FROM record_home WHERE seq = $1)
     ORDER BY version DESC LIMIT $4
"""


Pairs = Sequence[tuple[str, str]]


class RecordError(Exception):
    """A record cannot be given. Its text names type and id and nothing else."""


class NotFound(RecordError):
    """There is no such record or version."""


class Forgotten(RecordError):
    """The record's patient has been forgotten: its key is destroyed."""


class Vault:
    """The encrypted store, for one process.

    Reads answer what is committed. ``draft()`` starts a change; see ``Draft``.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._numbering = Numbering(random)
        self._searcher = Searcher(database, keyring)
        self._historian = Historian(database, keyring)

    def draft(self) -> Draft:
        """An empty change, to be filled and committed by the ledger."""
        return Draft(self._keyring, self._clock(), self._numbering)

    async def read(self, type_: str, id_: str) -> Stored:
        """The current version, which may be a deletion. Raises NotFound, Forgotten, Tampered."""
        stored, _ = await self.locate(type_, id_)
        return stored

    async def locate(self, type_: str, id_: str) -> tuple[Stored, Place]:
        """The current version and its place, for a change to build on. Raises NotFound, Forgotten, Tampered."""
        row = await self._database.fetch_one(_BY_RID, (self._keyring.rid(type_, id_),))
        if row is None:
            raise NotFound(f"There is no {type_}/{id_}.")
        return await self._open(row, f"{type_}/{id_}")

    async def read_version(self, type_: str, id_: str, version: int) -> Stored:
        """One version, current or not. Raises NotFound, Forgotten, Tampered."""
        current = await self._place(type_, id_)
        row = await self._database.fetch_one(_VERSION, (current.seq, version, current.scope))
        if row is None:
            raise NotFound(f"There is no version {version} of {type_}/{id_}.")
        place = Place(current.rid, row[0], current.seq, version)
        return await self._unseal(row[1], place, f"{type_}/{id_}")

    async def history(self, type_: str, id_: str, *, before: int | None = None, count: int) -> list[Stored]:
        """At most ``count`` versions, newest first, those older than version ``before``."""
        current = await self._place(type_, id_)
        before = current.version + 1 if before is None else before
        rows = await self._database.fetch(_HISTORY, (current.seq, before, current.scope, count))
        return [
            await self._unseal(sealed, Place(current.rid, scope, current.seq, version), f"{type_}/{id_}")
            for scope, version, sealed in rows
        ]

    async def search(
        self,
        queries: Query | Sequence[Query],
        patients: Iterable[str] | None,
        *,
        after: Position | None = None,
        limit: int,
    ) -> Page:
        """One page of exact matches among the records of ``patients`` (None: of all) and of no patient.

        Several queries, of different types, are answered together. ``after`` is where the page before ended.
        """
        return await self._searcher.page(_several(queries), patients, after=after, limit=limit)

    def search_all(self, queries: Query | Sequence[Query], patients: Iterable[str] | None) -> AsyncIterator[Stored]:
        """Every exact match, page by page."""
        return self._searcher.every(_several(queries), patients)

    def read_all(self, references: Iterable[str]) -> AsyncIterator[Stored]:
        """The current versions of records (``Type/id``), in no order; what is not there or deleted is left out."""
        rids = [self._keyring.rid(*reference.split("/", 1)) for reference in sorted(set(references))]
        return self._searcher.named(rids)

    def versions(
        self, patients: Iterable[str] | None, window: Window, before: Moment | None = None
    ) -> AsyncIterator[tuple[Moment, Stored | None]]:
        """The versions of all records of ``patients`` (None: of everybody) and of no patient, newest first.

        ``before`` is where an earlier walk stood; None in place of a version whose patient was forgotten.
        """
        return self._historian.walk(patients, window, before)

    async def guards(self, conditions: Sequence[str]) -> Guards:
        """The counters of conditions, to be read before the conditions are looked up (see ``guarding``)."""
        return await read_guards(self._database, self._keyring.index, conditions)

    async def find(self, type_: str, query: Pairs, patient: str | None) -> list[dict[str, Any]]:
        """The resources of ``patient`` (None: of no patient) that match; for the access room's own questions."""
        parsed = parse_query(type_, query, lenient=False)
        patients = () if patient is None else (patient,)
        return [stored.resource async for stored in self.search_all(parsed, patients)]

    async def care_records(self, references: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """The care records that name one of ``references``, by the patient whom they belong to.

        May hold some that name none of them (tags collide, and long lists of participants are not indexed one by
        one), and lacks none. Patients who were forgotten have none.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        seen: set[bytes] = set()
        for value in (*(reference.encode() for reference in references), OVERFLOW):
            for row in await self._database.fetch(_BY_SHARED_TAG, (care_tag(self._keyring, value),)):
                if row[0] in seen:
                    continue
                seen.add(row[0])
                try:
                    stored, _ = await self._open(row, CARE)
                except Forgotten:
                    continue
                found.setdefault(stored.patients[0], []).append(stored.resource)
        return found

    async def prepare_forget(self, patient_id: str) -> Prepared[None]:
        """Destroy a patient's key, and take what others could still find of the patient out of the index.

        Raises KeyUnknown when nothing was ever stored for the patient, KeyDestroyed when it was done before, Held when
        a legal hold keeps the records. A conflict at commit: a hold was placed at this moment.
        """
        scope = self._keyring.scope_of(patient_id)
        await refuse_if_held(self._database, self._keyring, scope)
        keys = await self._keyring.scope(scope)
        shared: list[tuple[int, int, int]] = []
        async for rows in self._database.stream(_BY_SCOPE, (scope,)):
            for rid, _, seq, version, sealed in rows:
                stored = unseal(sealed, Place(rid, scope, seq, version), keys.cipher)
                if not stored.deleted:
                    tags = tags_of(facts_of(stored.resource, scope), keys, self._keyring)
                    shared.extend((SHARED, tag, seq) for tag_scope, tag in tags if tag_scope == SHARED)
        destroyed = await self._keyring.prepare_destroy(scope)
        untag = (Change(_UNTAG_SCOPE, ((scope,),)), Change(UNTAG, shared))
        return Prepared(None, (*destroyed.steps, unless_held(scope), *untag), destroyed.pins)

    async def _place(self, type_: str, id_: str) -> Place:
        row = await self._database.fetch_one(_PLACE, (self._keyring.rid(type_, id_),))
        if row is None:
            raise NotFound(f"There is no {type_}/{id_}.")
        return Place(*row)

    async def _open(self, row: Row, name: str) -> tuple[Stored, Place]:
        rid, scope, seq, version, sealed = row
        place = Place(rid, scope, seq, version)
        return await self._unseal(sealed, place, name), place

    async def _unseal(self, sealed: bytes, place: Place, name: str) -> Stored:
        if place.scope == SHARED:
            return unseal(sealed, place, self._keyring.shared.cipher)
        try:
            keys = await self._keyring.scope(place.scope)
        except (KeyDestroyed, KeyUnknown):
            raise Forgotten(f"{name} belonged to a patient who has been forgotten.") from None
        return unseal(sealed, place, keys.cipher)


def _several(queries: Query | Sequence[Query]) -> Sequence[Query]:
    return (queries,) if isinstance(queries, Query) else queries

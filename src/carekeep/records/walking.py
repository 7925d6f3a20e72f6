"""Walking over many records as they were at one moment, and opening versions that a walk has named.

What the moment means: each record is given in its newest version that is not stamped later than the moment, whatever
happened to it since. A version that was committed before the walk began is seen; one that was stamped before the
moment and committed behind the walk is not, so a walk should begin a little later than its moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown, Tampered
from carekeep.records.blind_index import SHARED, guest_tag
from carekeep.records.envelope import Place, Stored, unseal
from carekeep.storage import Database, Row, Value

_EVERYTHING = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM record r
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     WHERE r.seq > $1 ORDER BY r.seq LIMIT $2
"""
# Records that moved away are met too: at the moment of the walk they may still have been here.
_OF_SCOPE = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM (SELECT DISTINCT seq FROM record_version WHERE scope = $3 AND seq > $1 ORDER BY seq LIMIT $2) here
      JOIN record r ON r.seq = here.seq
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     ORDER BY r.seq
"""
_BY_RID = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM record r
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     WHERE r.rid = $1
"""
_GUESTS = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed
      FROM tag t
      JOIN record r ON r.seq = t.seq
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     WHERE t.scope = 0 AND t.tag = $3 AND t.seq > $1
     ORDER BY t.seq LIMIT $2
"""
_EARLIER = """
    SELECT scope, version, sealed FROM record_version
     WHERE seq = $1 AND version < $2
       AND scope IN (SELECT CAST($3 AS BIGINT) UNION ALL SELECT scope FROM record_home WHERE seq = $1)
     ORDER BY version DESC LIMIT 16
"""
_NEXT_SCOPES = "SELECT scope FROM patient_key WHERE scope > $1 AND wrapped IS NOT NULL ORDER BY scope LIMIT $2"
_NAMED = """
    WITH named(scope, seq, version) AS (VALUES {values})
    SELECT r.rid, n.scope, n.seq, n.version, v.sealed
      FROM named n
      JOIN record_version v ON v.scope = n.scope AND v.seq = n.seq AND v.version = n.version
      JOIN record r ON r.seq = n.seq
"""
_FOREVER_MS = 1 << 62


class Pointer(NamedTuple):
    """Where a version stands. It says nothing of its content, and opens nothing by itself."""

    scope: int
    seq: int
    version: int


@dataclass(frozen=True, slots=True)
class Found:
    """A record as it was at the moment of the walk: ``stored`` is None where the row does not open (tampered)."""

    pointer: Pointer
    stored: Stored | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a walk. ``last`` is the record number it came to; ``ended`` says that nothing comes after it."""

    found: tuple[Found, ...]
    last: int
    ended: bool


class Walker:
    """Walks for one process."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def everything(self, after: int, moment_ms: int, limit: int) -> Stretch:
        """The next records of the whole store, in the order of their creation: at most ``limit`` are looked at."""
        rows = await self._database.fetch(_EVERYTHING, (after, limit))
        return await self._stretch(rows, after, moment_ms, limit)

    async def of_patient(self, scope: int, after: int, moment_ms: int, limit: int) -> Stretch:
        """The next records that belonged to one patient at the moment, in the order of their creation."""
        rows = await self._database.fetch(_OF_SCOPE, (after, limit, scope))
        stretch = await self._stretch(rows, after, moment_ms, limit)
        own = tuple(found for found in stretch.found if found.pointer.scope == scope)
        return Stretch(own, stretch.last, stretch.ended)

    async def record(self, type_: str, id_: str, moment_ms: int) -> Found | None:
        """One record as it was at the moment; None for one that was not there."""
        row = await self._database.fetch_one(_BY_RID, (self._keyring.rid(type_, id_),))
        return None if row is None else await self._at(row, moment_ms)

    async def guests_of_patient(self, patient_id: str, after: int, limit: int) -> Stretch:
        """The next records that are in a patient's compartment now, but belong to another patient first."""
        rows = await self._database.fetch(_GUESTS, (after, limit, guest_tag(self._keyring, patient_id)))
        stretch = await self._stretch(rows, after, _FOREVER_MS, limit)
        # Tags may collide; a record that does not open is told all the same.
        guests = [found for found in stretch.found if found.stored is None or patient_id in found.stored.patients[1:]]
        return Stretch(tuple(guests), stretch.last, stretch.ended)

    async def next_patients(self, after: int, limit: int) -> list[int]:
        """Scopes of living keys that come after ``after``, in ascending order."""
        return [scope for (scope,) in await self._database.fetch(_NEXT_SCOPES, (after, limit))]

    async def open(self, pointers: Sequence[Pointer]) -> list[tuple[Pointer, Stored]]:
        """The versions behind pointers, in their order; those of patients who were forgotten since are left out.

        Raises Tampered.
        """
        if not pointers:
            return []
        sql, params = _named(pointers)
        rows = {Pointer(*row[1:4]): row for row in await self._database.fetch(sql, params)}
        found: list[tuple[Pointer, Stored]] = []
        for pointer in pointers:
            row = rows.get(pointer)
            stored = await self._unseal(Place(row[0], *pointer), row[4]) if row is not None else None
            if stored is not None:
                found.append((pointer, stored))
        return found

    async def _stretch(self, rows: list[Row], after: int, moment_ms: int, limit: int) -> Stretch:
        found = [each for row in rows if (each := await self._at(row, moment_ms)) is not None]
        return Stretch(tuple(found), rows[-1][2] if rows else after, len(rows) < limit)

    async def _at(self, row: Row, moment_ms: int) -> Found | None:
        """The version that was the record at the moment; None for one that did not exist yet, or is forgotten."""
        rid, scope, seq, version, sealed = row
        pointer = Pointer(scope, seq, version)
        try:
            stored = await self._unseal(Place(rid, *pointer), sealed)
            while stored is not None and stored.last_updated_ms > moment_ms:
                earlier = await self._database.fetch(_EARLIER, (seq, pointer.version, scope))
                if not earlier:
                    return None
                for earlier_scope, earlier_version, earlier_sealed in earlier:
                    pointer = Pointer(earlier_scope, seq, earlier_version)
                    stored = await self._unseal(Place(rid, *pointer), earlier_sealed)
                    if stored is None or stored.last_updated_ms <= moment_ms:
                        break
        except Tampered:
            return Found(pointer, None)
        return None if stored is None else Found(pointer, stored)

    async def _unseal(self, place: Place, sealed: bytes) -> Stored | None:
        """The version, or None when its patient has been forgotten. Raises Tampered."""
        if place.scope == SHARED:
            return unseal(sealed, place, self._keyring.shared.cipher)
        try:
            keys = await self._keyring.scope(place.scope)
        except (KeyDestroyed, KeyUnknown):
            return None
        return unseal(sealed, place, keys.cipher)


def _named(pointers: Sequence[Pointer]) -> tuple[str, list[Value]]:
    params = [part for pointer in pointers for part in pointer]
    values = ", ".join(f"(${3 * n + 1}, ${3 * n + 2}, ${3 * n + 3})" for n in range(len(pointers)))
    return _NAMED.format(values=values), list(params)

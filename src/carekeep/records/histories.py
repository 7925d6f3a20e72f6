"""The versions of many records in the order of their writing, newest first.

The database knows neither types nor owners by name, so a walk is over the scopes of the patients that are asked for
(and what belongs to no patient), or over everything. Whoever walks decides on each version and keeps what is wanted.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from carekeep.encryption import KeyDestroyed, Keyring, KeyUnknown
from carekeep.records.blind_index import SHARED
from carekeep.records.envelope import Place, Stored, unseal
from carekeep.records.numbering import first_number
from carekeep.storage import Database, Row, Value

_BATCH = 200
_SCOPES_AT_ONCE = 200  # SQLite takes 500 terms in a compound SELECT
_LAST = (1 << 63) - 1
# $1, $2: before this version; $3: written then or later; $4: at most so many; $5: still current then.
_WINDOW = """
    SELECT v.written, v.seq, v.scope, v.version FROM record_version v
     WHERE {scope} v.written <= $1 AND (v.written < $1 OR v.seq < $2) AND v.written >= $3
       AND (v.written >= $5 OR NOT EXISTS (
           SELECT 1 FROM record_version n
            WHERE n.seq = v.seq AND n.version = v.version + 1 AND n.written < $5
              AND n.scope IN (SELECT c.scope FROM record c WHERE c.seq = v.seq
                              UNION ALL SELECT h.scope FROM record_home h WHERE h.seq = v.seq)))
     ORDER BY v.written DESC, v.seq DESC LIMIT $4
"""
_OPEN = """
    WITH k AS ({keys})
    SELECT k.written, k.seq, r.rid, k.scope, k.version, v.sealed
      FROM k
      JOIN record r ON r.seq = k.seq
      JOIN record_version v ON v.scope = k.scope AND v.seq = k.seq AND v.version = k.version
     ORDER BY k.written DESC, k.seq DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where a walk stands: the order number of a version, and its record. It says nothing about content."""

    written: int
    seq: int


@dataclass(frozen=True, slots=True)
class Window:
    """Which versions a walk meets, in milliseconds since 1970.

    ``since_ms``: written then or later. ``current_from_ms`` and ``current_until_ms``: current at some moment between
    the two (the second excluded). None: without that bound.
    """

    since_ms: int | None = None
    current_from_ms: int | None = None
    current_until_ms: int | None = None


class Historian:
    """Walks for the vault."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def walk(
        self, patients: Iterable[str] | None, window: Window, before: Moment | None
    ) -> AsyncIterator[tuple[Moment, Stored | None]]:
        """Versions of the records of ``patients`` and of no patient (None: of all), older than ``before``.

        A version that cannot be opened any more, because its patient was forgotten, is None: the walk stands there.
        """
        scopes = None if patients is None else sorted({SHARED, *map(self._keyring.scope_of, patients)})
        at = before or Moment(_LAST, _LAST)
        if window.current_until_ms is not None:
            at = min(at, Moment(first_number(window.current_until_ms), 0))
        while True:
            rows = await self._rows(scopes, window, at)
            for written, seq, rid, scope, version, sealed in rows:
                at = Moment(written, seq)
                yield at, await self._open(sealed, Place(rid, scope, seq, version))
            if len(rows) < _BATCH:
                return

    async def _rows(self, scopes: Sequence[int] | None, window: Window, at: Moment) -> list[Row]:
        since = 0 if window.since_ms is None else first_number(window.since_ms)
        current = 0 if window.current_from_ms is None else first_number(window.current_from_ms)
        params = (at.written, at.seq, since, _BATCH, current)
        if scopes is None:
            return await self._database.fetch(_OPEN.format(keys=_WINDOW.format(scope="")), params)
        found: list[Row] = []
        for start in range(0, len(scopes), _SCOPES_AT_ONCE):
            some: Sequence[Value] = scopes[start : start + _SCOPES_AT_ONCE]
            found += await self._database.fetch(_of_scopes(len(some)), (*params, *some))
        return sorted(found, reverse=True)[:_BATCH]

    async def _open(self, sealed: bytes, place: Place) -> Stored | None:
        if place.scope == SHARED:
            return unseal(sealed, place, self._keyring.shared.cipher)
        try:
            keys = await self._keyring.scope(place.scope)
        except (KeyDestroyed, KeyUnknown):
            return None
        return unseal(sealed, place, keys.cipher)


def _of_scopes(count: int) -> str:
    """Each scope gives its newest versions by itself, from its own stretch of the index; then they are merged."""
    each = (_WINDOW.format(scope=f"v.scope = ${number} AND") for number in range(6, 6 + count))
    return _OPEN.format(keys=" UNION ALL ".join(f"SELECT * FROM ({window}) w{at}" for at, window in enumerate(each)))

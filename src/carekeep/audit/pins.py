"""Comparing the rows of the database with what the ledger last said of them.

Every change of a row left a pin, the SHA-256 of the row's sealed content, in the entry of the change. So a row that
was changed, removed or put back without an entry is found, although each row for itself may still open.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from carekeep.audit.entries import BadLeaf, EntryId
from carekeep.audit.ledger import ID_SIZE, Ledger, SealedEntry
from carekeep.storage import Finding, Pin

RowReader = Callable[[], AsyncIterator[tuple[str, bytes | None]]]
"""Walks one table: for each row the key that its pins use, and its sealed content (None if it was destroyed)."""

REPORT_EVERY = 1000
GONE = 0


async def check_pins(ledger: Ledger, tables: Mapping[str, RowReader]) -> AsyncIterator[Finding | int]:
    """Findings as they are met, and between them the number of entries opened so far.

    Opens every entry (one that does not open is a finding) and compares the rows of ``tables`` with their last pins. A
    table that is not named is not compared. The system may go on meanwhile: what changed during the walk is judged by
    the entries that came in the meantime.

    Memory: about 160 bytes for each row that was ever pinned, and one leaf for each entry that waits for the sequencer.
    """
    pins = _LastPins(frozenset(tables))
    walked = 0
    async for entry in _all(ledger):
        finding = pins.take(ledger, entry)
        if finding is not None:
            yield finding
        walked += 1
        if walked % REPORT_EVERY == 0:
            yield walked
    yield walked
    suspects = []
    for table, rows in tables.items():
        async for key, sealed in rows():
            suspect = pins.compare(table, key, sealed)
            if suspect is not None:
                suspects.append(suspect)
    later = await _pinned_since(ledger, pins)
    for suspect in suspects:
        if suspect.digest not in later.get(suspect.row, ()):
            yield Finding(f"{suspect.table} {suspect.key}", suspect.what)
    missing = {row for row in pins.left() if GONE not in later.get(row, ())}
    if missing:
        async for finding in _name(ledger, pins, missing):
            yield finding


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A row that is not what its last pin says. ``row`` and ``digest`` are its short hashes."""

    table: str
    key: str
    row: int
    digest: int
    what: str


@dataclass(slots=True)
class _LastPins:
    """The last pin of each row, as two 64-bit numbers; and how far the walk came: ``end``, and what was ``waiting``.

    Rows and digests are hashed under a key of this run, so that nobody can prepare rows whose short hashes meet.
    """

    tables: frozenset[str]
    end: int = 0
    waiting: set[EntryId] = field(default_factory=set)
    _key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    _pins: dict[int, int] = field(default_factory=dict)

    def take(self, ledger: Ledger, entry: SealedEntry) -> Finding | None:
        """Remember an entry's pins, in the log's order."""
        try:
            pins = ledger.open(entry.leaf)[1]
        except BadLeaf as error:
            return Finding(entry.name, str(error))
        finally:
            if entry.index is None:
                self.waiting.add(entry.entry_id)
            else:
                self.end = entry.index + 1
        for row, digest in self.short(pins):
            self._pins[row] = digest
        if entry.leaf[1 : 1 + ID_SIZE] != entry.entry_id:
            return Finding(entry.name, "it stands under another id than its own")
        return None

    def short(self, pins: Iterable[Pin]) -> list[tuple[int, int]]:
        """Row and digest of each pin that is of our tables."""
        return [(self.row(pin.table, pin.key), self.digest(pin.digest)) for pin in pins if pin.table in self.tables]

    def compare(self, table: str, key: str, sealed: bytes | None) -> _Suspect | None:
        """Compare a row, once: what is :meth:`left` in the end are the rows that were not there."""
        row = self.row(table, key)
        digest = GONE if sealed is None else self.digest(hashlib.sha256(sealed).digest())
        pinned = self._pins.pop(row, None)
        if pinned == digest:
            return None
        if pinned is None:
            what = "the ledger knows nothing of it"
        elif pinned == GONE:
            what = "the ledger says that it was removed, and it is back"
        else:
            what = "it was changed, and not by what the ledger says"
        return _Suspect(table, key, row, digest, what)

    def left(self) -> Iterable[int]:
        return [row for row, digest in self._pins.items() if digest != GONE]

    def row(self, table: str, key: str) -> int:
        return self._short(f"{table}\0{key}".encode())

    def digest(self, digest: bytes) -> int:
        return (self._short(digest) or 1) if digest else GONE

    def _short(self, value: bytes) -> int:
        return int.from_bytes(hashlib.blake2b(value, key=self._key, digest_size=8).digest(), "big")


async def _all(ledger: Ledger) -> AsyncIterator[SealedEntry]:
    """Every entry once, in the log's order; those that wait for the sequencer come last, in theirs.

    They are read first: an entry that is integrated between the two walks is met in the second.
    """
    waiting = {entry.entry_id: entry async for entry in ledger.waiting()}
    async for entry in ledger.entries():
        waiting.pop(entry.entry_id, None)
        yield entry
    for entry in waiting.values():
        yield entry


async def _pinned_since(ledger: Ledger, pins: _LastPins) -> dict[int, set[int]]:
    """What entries say that came after the walk: for each row all of its digests.

    What waited during the walk came before its end, wherever it is by now: an older pin must not excuse a row.
    """
    later: dict[int, set[int]] = {}
    for source in (ledger.waiting(), ledger.entries(pins.end)):
        async for entry in source:
            if entry.entry_id in pins.waiting:
                continue
            try:
                found = ledger.open(entry.leaf)[1]
            except BadLeaf:
                continue  # the next verification will walk it, and say so
            for row, digest in pins.short(found):
                later.setdefault(row, set()).add(digest)
    return later


async def _name(ledger: Ledger, pins: _LastPins, missing: set[int]) -> AsyncIterator[Finding]:
    """Walk the ledger again to learn what the missing rows are called."""
    async for entry in _all(ledger):
        try:
            found = ledger.open(entry.leaf)[1]
        except BadLeaf:
            continue
        for pin in found:
            row = pins.row(pin.table, pin.key)
            if row in missing:
                missing.discard(row)
                yield Finding(f"{pin.table} {pin.key}", f"it is missing: the ledger speaks of it in {entry.name}")

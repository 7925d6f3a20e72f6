"""Writing entries, and reading them back.

A leaf, the bytes that the Merkle tree is built over, is::

    version (1 byte) | entry id (16) | day since 1970 (4, big-endian) | the sealed entry

and everything before the sealed part is its associated data. So a leaf opens only under its own id and day.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from carekeep.audit.entries import BadLeaf, Entry, EntryId, decode, encode
from carekeep.audit.tiles import LARGEST_LEAF
from carekeep.encryption import Cipher, EncryptionError
from carekeep.storage import Clock, Database, Insert, Pin, Prepared, Step, system_clock

LEAF_VERSION = b"\x02"
_READABLE = (b"\x01", LEAF_VERSION)
ID_SIZE = 16
HEADER_SIZE = 1 + ID_SIZE + 4
LARGEST_BODY = LARGEST_LEAF - HEADER_SIZE - 64  # room for what sealing adds, in this suite and the next
DAY_MS = 86_400_000
BATCH = 1000

_RANDOM_BITS = 80
_COLUMNS = ("entry_id", "leaf")
_PENDING = "SELECT leaf FROM ledger_pending WHERE entry_id = $1"
_INTEGRATED = "SELECT leaf_index, leaf FROM ledger_entry WHERE entry_id = $1"
_ENTRIES = """
SELECT leaf_index, entry_id, leaf FROM ledger_entry WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index
""".strip()
_SIZE = "SELECT size FROM ledger_head WHERE id = 1"
_ALL_PENDING = "SELECT entry_id, leaf FROM ledger_pending ORDER BY entry_id"


class LedgerKeys(Protocol):
    """What of the keyring the ledger needs."""

    def ledger_cipher(self, day: int) -> Cipher:
        """The cipher of the entries of one day since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """An entry as it is stored. ``index`` is its place in the tree, None while it waits for the sequencer."""

    index: int | None
    entry_id: EntryId
    leaf: bytes

    @property
    def name(self) -> str:
        """How findings and screens name it."""
        place = "waiting" if self.index is None else str(self.index)
        return f"ledger entry {place} ({self.entry_id.hex()})"


class Ledger:
    """The audit ledger of one database. Used from one event loop."""

    def __init__(
        self,
        database: Database,
        keyring: LedgerKeys,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._cipher_of = keyring.ledger_cipher
        self._clock = clock
        self._random = random
        self._last_id = 0
        self.recorded = asyncio.Event()
        """Set whenever an entry has become durable: the sequencer of the same process waits for it."""

    async def record(self, entry: Entry, *prepared: Prepared[Any]) -> EntryId:
        """Make the entry and all prepared changes durable together; when this returns, the answer may leave.

        Returns the entry's id (of its first part, if it needed several). Raises Conflict or StorageError, and then
        neither the changes nor the entry happened.
        """
        pins: tuple[Pin, ...] = ()
        steps: list[Step] = []
        for change in prepared:
            pins += change.pins
            steps += change.steps
        rows = self._seal(entry, pins)
        steps.append(Insert("ledger_pending", _COLUMNS, rows))
        await self._database.commit(steps)
        self.recorded.set()
        return EntryId(rows[0][0])

    async def find(self, entry_id: EntryId) -> SealedEntry | None:
        """The entry with this id, wherever it is, or None."""
        # In this order: between two queries an entry may be integrated, and never the other way round.
        waiting = await self._database.fetch_one(_PENDING, (entry_id,))
        if waiting is not None:
            return SealedEntry(None, entry_id, waiting[0])
        row = await self._database.fetch_one(_INTEGRATED, (entry_id,))
        return None if row is None else SealedEntry(row[0], entry_id, row[1])

    def open(self, leaf: bytes) -> tuple[Entry, tuple[Pin, ...]]:
        """What a leaf says, and the rows that it pins. Raises BadLeaf."""
        if leaf[:1] not in _READABLE or not HEADER_SIZE < len(leaf) <= LARGEST_LEAF:
            raise BadLeaf("these bytes are not a ledger leaf of a version that this Carekeep knows")
        header = leaf[:HEADER_SIZE]
        try:
            body = self._cipher_of(int.from_bytes(header[-4:], "big")).open(leaf[HEADER_SIZE:], header)
        except EncryptionError as error:
            raise BadLeaf("the entry does not open: it was changed, or sealed with another ledger's key") from error
        return decode(body)

    async def entries(self, start: int = 0, end: int = 2**63 - 1) -> AsyncIterator[SealedEntry]:
        """The integrated entries from index ``start`` to ``end`` (exclusive) in order, in bounded memory."""
        async for rows in self._database.stream(_ENTRIES, (start, end), batch=BATCH):
            for index, entry_id, leaf in rows:
                yield SealedEntry(index, EntryId(entry_id), leaf)

    async def size(self) -> int:
        """How many entries are integrated: the index of the next one."""
        row = await self._database.fetch_one(_SIZE)
        return int(row[0]) if row else 0

    async def waiting(self) -> AsyncIterator[SealedEntry]:
        """The entries that are durable and not yet in the tree, in the order in which they will be integrated."""
        async for rows in self._database.stream(_ALL_PENDING, batch=BATCH):
            for entry_id, leaf in rows:
                yield SealedEntry(None, EntryId(entry_id), leaf)

    def _seal(self, entry: Entry, pins: tuple[Pin, ...]) -> list[tuple[bytes, bytes]]:
        """The rows of an entry: id and leaf of each part."""
        bodies = encode(entry, pins, LARGEST_BODY)
        now = self._clock()
        day = now // DAY_MS
        cipher = self._cipher_of(day)
        first = self._next_id(now, len(bodies))
        rows = []
        for number, body in enumerate(bodies, start=first):
            entry_id = number.to_bytes(ID_SIZE, "big")
            header = b"".join((LEAF_VERSION, entry_id, day.to_bytes(4, "big")))
            rows.append((entry_id, header + cipher.seal(body, header)))
        return rows

    def _next_id(self, now: int, count: int) -> int:
        """The first of ``count`` ids in a row, later than every id this process has given.

        The sequencer takes entries in the order of their ids. A change that saw another one of the same row must come
        after it, even within a millisecond or after the clock was set back: verification compares each row with its
        last pin.
        """
        drawn = now << _RANDOM_BITS | int.from_bytes(self._random(_RANDOM_BITS // 8), "big")
        first = max(drawn, self._last_id + 1)
        self._last_id = first + count - 1
        return first

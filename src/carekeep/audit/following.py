"""Reading the ledger in its order, and remembering how far: what everything that lives on the ledger begins with.

An entry that was written in several parts (see ``entries``) is given as one. Its parts have ids in a row and become
durable together, but the sequencer may have put other entries between them.

A leaf that does not open, or is not there, is passed over with an error in the server's log: it never keeps the rest
from those who wait for it.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from carekeep.audit.entries import BadLeaf, Entry, EntryId
from carekeep.audit.ledger import ID_SIZE, Ledger, SealedEntry
from carekeep.storage import Change, Database, Pin, Step

LIMIT = 1000

_POSITION = "SELECT next FROM ledger_reader WHERE name = $1"
_BEGIN = """
INSERT INTO ledger_reader (name, next) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET next = excluded.next WHERE ledger_reader.next = $3
""".strip()
_MOVE = "UPDATE ledger_reader SET next = $2 WHERE name = $1 AND next = $3"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """An entry with all of its parts together, as if it had been written in one.

    ``entry_id`` and ``index`` are those of its first part that opens; ``index`` is None while it waits for the
    sequencer.
    """

    index: int | None
    entry_id: EntryId
    entry: Entry
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The entries whose first part has an index from ``start`` to ``end`` (exclusive), in the order of the log."""

    start: int
    end: int
    entries: tuple[Followed, ...]


class Follower:
    """The reader ``name`` of the ledger, which goes on where it stopped, in whatever process.

    It begins at the log's beginning. Elect one process (``Lease``) to save work; what keeps two of them from
    counting an entry twice is that the position moves by compare-and-swap.
    """

    def __init__(self, database: Database, ledger: Ledger, name: str) -> None:
        self._database = database
        self._ledger = ledger
        self._name = name

    async def position(self) -> int:
        """The index of the first leaf that was not read yet."""
        row = await self._database.fetch_one(_POSITION, (self._name,))
        return int(row[0]) if row else 0

    async def read(self, limit: int = LIMIT) -> Batch:
        """What stands in the next ``limit`` leaves or a few more; nothing (``end`` is ``start``) at the log's end."""
        return await read_batch(self._ledger, await self.position(), limit)

    def advance(self, batch: Batch) -> Step:
        """The step that remembers that the batch was read; a conflict means that another process was first.

        Committed in one unit with what was made of the batch, each entry counts exactly once. Committed alone, after
        the batch was delivered somewhere, each is delivered at least once.
        """
        return Change(_MOVE if batch.start else _BEGIN, [(self._name, batch.end, batch.start)], expect=1)


async def read_batch(ledger: Ledger, start: int, limit: int = LIMIT) -> Batch:
    """The entries of about ``limit`` leaves from index ``start`` on, for readers that remember by themselves how far.

    The batch ends before an entry of which parts are still to come. Raises StorageError.
    """
    size = await ledger.size()
    joining = _Joining(ledger)
    index = start
    while index < size:
        stop = min(index + limit, size)
        leaves = [sealed async for sealed in ledger.entries(index, stop)]
        if len(leaves) < stop - index:
            _log.error("Of the ledger's entries %d to %d some are missing. %s", index, stop - 1, _ADVICE)
        for sealed in leaves:
            joining.take(sealed)
        index = stop
        if await joining.is_complete(index):
            return Batch(start, index, joining.entries(index))
    end = min(joining.first_open(), index)
    return Batch(start, end, joining.entries(end))


async def whole(ledger: Ledger, sealed: SealedEntry) -> Followed:
    """The entry that a leaf is a part of. Raises BadLeaf if this leaf does not open, and StorageError."""
    entry, pins = ledger.open(sealed.leaf)
    if entry.parts == 1:
        return Followed(sealed.index, sealed.entry_id, entry, pins)
    joining = _Joining(ledger)
    first = _number(sealed.entry_id) - entry.part + 1
    for number in range(first, first + entry.parts):
        part = await ledger.find(_id(number))
        if part is not None:
            joining.take(part)
    return joining.joined()


def first_part(sealed: SealedEntry, ledger: Ledger) -> EntryId:
    """The id of the first part of the entry that a leaf is a part of; its own if the leaf does not open."""
    try:
        entry, _ = ledger.open(sealed.leaf)
    except BadLeaf:
        return sealed.entry_id
    return _id(_number(sealed.entry_id) - entry.part + 1)


_ADVICE = "Run `carekeep ledger verify`."


@dataclass(slots=True)
class _Parts:
    """The parts of one entry that were read so far."""

    count: int
    read: list[tuple[SealedEntry, Entry, tuple[Pin, ...]]] = field(default_factory=list)

    @property
    def index(self) -> int:
        return min((sealed.index for sealed, _, _ in self.read if sealed.index is not None), default=0)

    def joined(self) -> Followed:
        ordered = sorted(self.read, key=lambda part: part[1].part)
        first = ordered[0][0]
        pins = tuple(pin for _, _, some in ordered for pin in some)
        return Followed(first.index, first.entry_id, _join([part for _, part, _ in ordered]), pins)


class _Joining:
    """Puts parts together. An entry is open until all of its parts were read, or are known to be lost."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._open: dict[int, _Parts] = {}
        self._whole: list[tuple[int, Followed]] = []
        self._lost: list[int] = []

    def take(self, sealed: SealedEntry) -> None:
        """The next leaf of the log."""
        number = _number(sealed.entry_id)
        try:
            entry, pins = self._ledger.open(sealed.leaf)
        except BadLeaf:
            _log.error("%s does not open and is passed over. %s", sealed.name, _ADVICE)
            self._lost.append(number)
            self._close(first for first, parts in self._open.items() if first <= number < first + parts.count)
            return
        if entry.parts == 1:
            self._whole.append((sealed.index or 0, Followed(sealed.index, sealed.entry_id, entry, pins)))
            return
        first = number - entry.part + 1
        self._open.setdefault(first, _Parts(entry.parts)).read.append((sealed, entry, pins))
        self._close([first])

    async def is_complete(self, end: int) -> bool:
        """Whether no part of what was read is still to come, at index ``end`` or later."""
        for first, parts in tuple(self._open.items()):
            if not await self._is_coming(first, parts, end):
                _log.error("Parts of ledger entry %s are missing. %s", _id(first).hex(), _ADVICE)
                self._finish(first)
        return not self._open

    def first_open(self) -> int:
        """The index of the first leaf whose entry is open; beyond every log if there is none."""
        return min((parts.index for parts in self._open.values()), default=2**63 - 1)

    def entries(self, end: int) -> tuple[Followed, ...]:
        """The whole entries that begin before index ``end``, in order."""
        return tuple(followed for index, followed in sorted(self._whole, key=lambda each: each[0]) if index < end)

    def joined(self) -> Followed:
        """The one entry whose parts were taken, with or without those that are lost."""
        for first in tuple(self._open):
            self._finish(first)
        return self._whole[0][1]

    async def _is_coming(self, first: int, parts: _Parts, end: int) -> bool:
        read = {entry.part for _, entry, _ in parts.read}
        for part in range(parts.count, 0, -1):  # the last one is there for as long as all is well
            if part not in read:
                found = await self._ledger.find(_id(first + part - 1))
                if found is not None and (found.index is None or found.index >= end):
                    return True
        return False

    def _close(self, candidates: Iterable[int]) -> None:
        for first in tuple(candidates):
            parts = self._open[first]
            lost = sum(first <= number < first + parts.count for number in self._lost)
            if len(parts.read) + lost >= parts.count:
                self._finish(first)

    def _finish(self, first: int) -> None:
        parts = self._open.pop(first)
        self._whole.append((parts.index, parts.joined()))


def _join(parts: Sequence[Entry]) -> Entry:
    """Texts stand in every part; references and patients were dealt out to them."""
    what = tuple(item for part in parts for item in part.what)
    patients = tuple(item for part in parts for item in part.patients)
    return replace(parts[0], what=what, patients=patients, part=1, parts=1)


def _number(entry_id: bytes) -> int:
    return int.from_bytes(entry_id, "big")


def _id(number: int) -> EntryId:
    return EntryId((number % 2 ** (8 * ID_SIZE)).to_bytes(ID_SIZE, "big"))

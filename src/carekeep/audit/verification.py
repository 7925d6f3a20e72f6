"""Checking that the log in the database is the one that was signed: every entry, every tile, the checkpoint.

Nothing of the keyring is needed but the public key: this checks what an outsider can check. The log is compared with
itself three times over (entries, tiles, the signed root), so that a change is laid at the right door.
"""

from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from hashlib import sha256
from operator import itemgetter

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint
from carekeep.audit.ledger import HEADER_SIZE, ID_SIZE
from carekeep.audit.merkle import HASH_SIZE, root_of
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.audit.tile_table import Head, TileMissing, TileTable
from carekeep.audit.tiles import LARGEST_LEAF, WIDTH, Place, RightEdge, hashes_in, tile_count, width_at
from carekeep.storage import Database, Finding, Row

TILES_AT_ONCE = 64  # so that the tiles of a block have one tile above them: 64 divides 256
ROWS_AT_ONCE = 16 * WIDTH

_ENTRIES = """
SELECT leaf_index, entry_id, leaf FROM ledger_entry WHERE leaf_index >= 0 AND leaf_index < $1 ORDER BY leaf_index
""".strip()
_TWICE = """
SELECT p.entry_id, e.leaf_index FROM ledger_pending p JOIN ledger_entry e ON e.entry_id = p.entry_id LIMIT 100
""".strip()
_ANY_ENTRY = "SELECT 1 FROM ledger_entry LIMIT 1"


async def verify_tree(database: Database, key: VerifierKey, known: str | None = None) -> AsyncIterator[Finding | int]:
    """Findings as they are met, and between them the number of entries walked so far.

    ``key`` is the log's public key (its name is the log's origin). ``known`` is a signed checkpoint that was kept
    outside the database, older or newer: the log must contain it. Without one, a database that was put back as a whole
    to an earlier day looks right. The log may grow meanwhile. Memory is bounded. Raises StorageError.
    """
    tiles = TileTable(database)
    head = await tiles.head()
    if head is None:
        if await database.fetch_one(_ANY_ENTRY) is not None:
            yield Finding("ledger head", "it is missing, and there are entries")
        if known is not None:
            yield Finding("ledger head", "it is missing, and a checkpoint of this log was kept")
        return
    checkpoint, faults = _read_head(head, key)
    for finding in [*faults, *await _check_known(tiles, head.size, key, known)]:
        yield finding
    anchor, faults = await _anchor(tiles, head.size, checkpoint)
    faulty = bool(faults)
    for finding in faults:
        yield finding
    async for step in _walk(database, tiles, head.size, anchor):
        faulty = faulty or isinstance(step, Finding)
        yield step
    if checkpoint is not None and not faulty and not anchor.holds:
        yield Finding("ledger checkpoint", "entries and tiles agree, but with another root than the signed one")
    for entry_id, index in await database.fetch(_TWICE):
        yield Finding(f"ledger entry {index} ({entry_id.hex()})", "it is in the log and waits to be integrated again")


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The signed root, and whether the tiles at the tree's right edge lead to it.

    ``trusted``: every tile above level 0 is proven by the signature, so that a difference below is the lower one's.
    """

    root: bytes | None
    edge: RightEdge | None
    trusted: bool

    @property
    def holds(self) -> bool:
        return self.edge is not None and self.edge.root() == self.root

    def holds_with(self, last: bytes) -> bool:
        """Whether it would, if the last tile of level 0 were this one."""
        return self.edge is not None and RightEdge(self.edge.size, (last, *self.edge.tiles[1:])).root() == self.root


def _read_head(head: Head, key: VerifierKey) -> tuple[Checkpoint | None, list[Finding]]:
    findings = []
    checkpoint = None
    try:
        checkpoint = open_checkpoint(head.checkpoint, key)
    except NoteRefused as error:
        findings.append(Finding("ledger checkpoint", str(error)))
    if checkpoint is not None and checkpoint.size != head.size:
        text = f"it is signed over {checkpoint.size} entries, the head says {head.size}"
        findings.append(Finding("ledger checkpoint", text))
        checkpoint = None
    if head.first is not None and head.first < 0:
        findings.append(Finding(f"ledger entry {head.first}", "it stands before the log's beginning"))
    if head.last is not None and head.last >= head.size:
        findings.append(Finding(f"ledger entry {head.last}", f"it stands after the log's end at {head.size}"))
    if head.tiles > tile_count(head.size):
        findings.append(Finding("ledger tiles", f"there are {head.tiles}, the log has {tile_count(head.size)}"))
    return checkpoint, findings


async def _check_known(tiles: TileTable, size: int, key: VerifierKey, known: str | None) -> list[Finding]:
    where = "checkpoint kept outside"
    if known is None:
        return []
    try:
        kept = open_checkpoint(known, key)
    except NoteRefused as error:
        return [Finding(where, str(error))]
    if kept.size > size:
        return [Finding(where, f"it covers {kept.size} entries and the log has {size}: the log was cut or rolled back")]
    try:
        same = await tiles.root(kept.size) == kept.root
    except TileMissing as error:
        return [Finding(where, f"it cannot be compared: {error}")]
    return [] if same else [Finding(where, f"the first {kept.size} entries are not those that it signs")]


async def _anchor(tiles: TileTable, size: int, checkpoint: Checkpoint | None) -> tuple[_Anchor, list[Finding]]:
    """Everything above level 0, which is 1/256 of the tiles."""
    findings = []
    edge = None
    try:
        edge = await tiles.edge(size)
    except TileMissing as error:
        findings.append(_tile_finding(error.place, "it is missing or too short"))
    level = 1
    while size >> 8 * level:
        findings += [finding async for finding in _check_level(tiles, level, size)]
        level += 1
    anchor = _Anchor(checkpoint.root if checkpoint else None, edge, trusted=False)
    return _Anchor(anchor.root, edge, trusted=anchor.holds and not findings), findings


async def _check_level(tiles: TileTable, level: int, size: int) -> AsyncIterator[Finding]:
    count = -(-(size >> 8 * level) // WIDTH)
    for start in range(0, count, TILES_AT_ONCE):
        block = await tiles.tiles(level, start, min(count, start + TILES_AT_ONCE))
        above = await tiles.tile(Place(level + 1, start // WIDTH)) or b""
        for number in range(start, min(count, start + TILES_AT_ONCE)):
            place = Place(level, number)
            tile = block.get(number, b"")
            width = width_at(place, size)
            if len(tile) < width * HASH_SIZE:
                yield _tile_finding(place, "it is missing or too short")
            elif width == WIDTH and root_of(hashes_in(tile)) != _hash_in(above, number):
                yield _tile_finding(place, f"it does not lead to tile {level + 1}/{number // WIDTH} above it")


async def _walk(database: Database, tiles: TileTable, size: int, anchor: _Anchor) -> AsyncIterator[Finding | int]:
    """Level 0: the entries against their tiles, the tiles against those above."""
    block: dict[int, bytes] = {}
    above = b""
    async for number, rows in _by_tile(database, size):
        if number % TILES_AT_ONCE == 0:
            block = await tiles.tiles(0, number, number + TILES_AT_ONCE)
            above = await tiles.tile(Place(1, number // WIDTH)) or b""
            yield number * WIDTH
        width = width_at(Place(0, number), size)
        tile = block.get(number, b"")[: width * HASH_SIZE]
        wanted = _hash_in(above, number) if width == WIDTH else None
        hashes = [sha256(b"\x00" + leaf).digest() for _, _, leaf in rows]
        sound = (
            b"".join(hashes) == tile
            and len(rows) == width
            and [leaf[1 : 1 + ID_SIZE] for _, _, leaf in rows] == [entry_id for _, entry_id, _ in rows]
            and (wanted is None or root_of(hashes) == wanted)
        )
        if not sound:
            for finding in _blame(number, width, rows, hashes, tile, wanted, anchor):
                yield finding
    yield size


async def _by_tile(database: Database, size: int) -> AsyncIterator[tuple[int, list[Row]]]:
    """The entries grouped by the level 0 tile that they belong to; a group may lack some, or all."""
    index_of = itemgetter(0)
    rows: list[Row] = []
    number = 0
    async for batch in database.stream(_ENTRIES, (size,), batch=ROWS_AT_ONCE):
        rows += batch
        start = 0
        while rows[-1][0] >= (number + 1) * WIDTH - 1:
            stop = bisect_left(rows, (number + 1) * WIDTH, lo=start, key=index_of)
            yield number, rows[start:stop]
            number += 1
            start = stop
        rows = rows[start:]
    while number * WIDTH < size:
        stop = bisect_left(rows, (number + 1) * WIDTH, key=index_of)
        yield number, rows[:stop]
        number += 1
        rows = rows[stop:]


def _blame(
    number: int, width: int, rows: list[Row], hashes: list[bytes], tile: bytes, wanted: bytes | None, anchor: _Anchor
) -> Iterator[Finding]:
    """Which of a tile's entries, or the tile, or the one above, is not what was signed."""
    place = Place(0, number)
    start = number * WIDTH
    present = {row[0]: digest for row, digest in zip(rows, hashes, strict=True)}
    missing = [index for index in range(start, start + width) if index not in present]
    if missing:
        yield Finding(f"ledger entry {missing[0]}", f"it is missing{_and_more(missing)}")
    for index, entry_id, leaf in rows:
        if leaf[1 : 1 + ID_SIZE] != entry_id or not HEADER_SIZE < len(leaf) <= LARGEST_LEAF:
            yield Finding(f"ledger entry {index} ({entry_id.hex()})", "it is no leaf, or stands under another's id")
    if len(tile) < width * HASH_SIZE:
        yield _tile_finding(place, "it is missing or too short")
        return
    expected = hashes_in(tile)
    changed = [index for index in present if present[index] != expected[index - start]]
    entries_hold = anchor.holds_with(b"".join(hashes)) if wanted is None else root_of(hashes) == wanted
    if changed and entries_hold and not missing:
        yield _tile_finding(place, "it was changed: its entries are those that were signed")
    elif changed:
        entry_id = rows[bisect_left(rows, changed[0], key=itemgetter(0))][1]
        yield Finding(f"ledger entry {changed[0]} ({entry_id.hex()})", f"it was changed{_and_more(changed)}")
    elif not missing and not entries_hold and wanted is not None:
        if anchor.trusted:
            yield Finding(f"ledger entry {start}", f"it or one of the {width - 1} after it was changed, and their tile")
        else:
            yield _tile_finding(Place(1, number // WIDTH), f"it is not what tile 0/{number} and its entries lead to")


def _and_more(indexes: list[int]) -> str:
    return f", and {len(indexes) - 1} more in its tile" if len(indexes) > 1 else ""


def _tile_finding(place: Place, what: str) -> Finding:
    return Finding(f"ledger tile {place.level}/{place.number}", what)


def _hash_in(tile: bytes, number: int) -> bytes:
    at = number % WIDTH * HASH_SIZE
    return tile[at : at + HASH_SIZE]

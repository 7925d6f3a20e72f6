"""The tiles and the head of the log, as they are in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from carekeep.audit.merkle import HASH_SIZE, Span, complete_subtrees, fold
from carekeep.audit.tiles import Place, RightEdge, edge_of, edge_places, places_of, span_root, width_at
from carekeep.storage import Database

_HEAD = """
SELECT size, checkpoint, (SELECT min(leaf_index) FROM ledger_entry), (SELECT max(leaf_index) FROM ledger_entry),
       (SELECT count(*) FROM ledger_tile)
FROM ledger_head WHERE id = 1
""".strip()
_TILE = "SELECT hashes FROM ledger_tile WHERE level = $1 AND number = $2"
_TILES = "SELECT number, hashes FROM ledger_tile WHERE level = $1 AND number >= $2 AND number < $3"


class TileMissing(Exception):
    """A tile that the tree needs is not there, or shorter than the tree's size says."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"ledger tile {place.level}/{place.number} is missing or too short")
        self.place = place


@dataclass(frozen=True, slots=True)
class Head:
    """The log's head in one snapshot with what else the tables hold: first and last leaf index, number of tiles."""

    size: int
    checkpoint: str
    first: int | None
    last: int | None
    tiles: int


class TileTable:
    """Reads tiles. Tiles that are fuller than the tree asked about do no harm: smaller trees are prefixes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> Head | None:
        """The head, or None in a database whose log was never begun."""
        row = await self._database.fetch_one(_HEAD)
        return None if row is None else Head(*row)

    async def tile(self, place: Place) -> bytes | None:
        """The bytes of a tile, or None."""
        row = await self._database.fetch_one(_TILE, place)
        return None if row is None else bytes(row[0])

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """The tiles of a level with numbers from ``start`` to ``end`` (exclusive) that exist."""
        return dict(await self._database.fetch(_TILES, (level, start, end)))

    async def edge(self, size: int) -> RightEdge:
        """The right edge of the first ``size`` leaves. Raises TileMissing."""
        tiles = await self._fetch(edge_places(size), size)
        return edge_of(size, tiles.__getitem__)

    async def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves. Raises TileMissing."""
        whole = Span(0, size)
        return fold(await self.roots(complete_subtrees(whole), size))

    async def roots(self, spans: Sequence[Span], size: int) -> list[bytes]:
        """The roots of spans within the first ``size`` leaves. Raises TileMissing."""
        tiles = await self._fetch({place for span in spans for place in places_of(span)}, size)
        return [span_root(span, tiles.__getitem__) for span in spans]

    async def _fetch(self, places: Iterable[Place], size: int) -> dict[Place, bytes]:
        tiles = {}
        for place in places:
            width = width_at(place, size)
            tile = await self.tile(place) if width else b""
            if tile is None or len(tile) < width * HASH_SIZE:
                raise TileMissing(place)
            tiles[place] = tile
        return tiles

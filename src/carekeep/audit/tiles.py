"""C2SP tlog-tiles: how the tree is cut into tiles of 256 hashes, how tiles and entry bundles are named and written.

Tile ``number`` of ``level`` holds the roots of the complete subtrees of 256**level leaves from
``number * 256`` on. A tile that is not full is partial: a prefix of what it will be, so one stored tile serves every
smaller width too.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from carekeep.audit.merkle import HASH_SIZE, Span, complete_subtrees, fold, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
TOP_LEVEL = 63
LARGEST_LEAF = 0xFFFF  # an entry bundle counts a leaf's bytes in 16 bits

_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class Place(NamedTuple):
    """Which tile: its level and its number in the level."""

    level: int
    number: int


TileReader = Callable[[Place], bytes]
"""Gives the bytes of a tile, at least as wide as the tree being looked at needs it."""


@dataclass(frozen=True, slots=True)
class TilePath:
    """A tile's, or (with ``level`` None) an entry bundle's, name under the log's prefix. ``width`` is 1 to 256."""

    level: int | None
    number: int
    width: int = WIDTH

    def __str__(self) -> str:
        digits = f"{self.number:03d}"
        groups = [digits[max(0, end - 3) : end].zfill(3) for end in range(len(digits), 0, -3)]
        number = "/".join([f"x{group}" for group in groups[:0:-1]] + groups[:1])
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{number}" + ("" if self.width == WIDTH else f".p/{self.width}")


def parse_path(path: str) -> TilePath:
    """The tile that a path names. Raises ValueError for anything but the one right spelling of it."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError("this is not the path of a tile")
    level, groups, width = found.groups()
    number = int(groups.replace("x", "").replace("/", ""))
    tile = TilePath(None if level == "entries" else int(level), number, WIDTH if width is None else int(width))
    if (tile.level or 0) > TOP_LEVEL or str(tile) != path:
        raise ValueError("this is not the path of a tile")
    return tile


def width_at(place: Place, size: int) -> int:
    """How many hashes a tile has in a tree of ``size`` leaves: 0 (it does not exist) to 256."""
    complete = size >> HEIGHT * place.level
    return max(0, min(WIDTH, complete - place.number * WIDTH))


def tile_count(size: int) -> int:
    """How many tiles a tree of ``size`` leaves has, over all levels."""
    count = 0
    while size:
        count += -(-size // WIDTH)
        size //= WIDTH
    return count


def hashes_in(tile: bytes) -> list[bytes]:
    """The hashes that a tile is made of."""
    return [tile[start : start + HASH_SIZE] for start in range(0, len(tile), HASH_SIZE)]


def places_of(span: Span) -> Iterator[Place]:
    """The tiles that :func:`span_root` reads for a span."""
    for piece in complete_subtrees(span):
        yield _slice_of(piece)[0]


def span_root(span: Span, read: TileReader) -> bytes:
    """The root over a span of leaves, from tiles. The span is one of those of ``merkle`` (it starts on a boundary)."""
    roots = []
    for piece in complete_subtrees(span):
        place, first, count = _slice_of(piece)
        roots.append(root_of(hashes_in(read(place)[first * HASH_SIZE : (first + count) * HASH_SIZE])))
    return fold(roots)


def _slice_of(subtree: Span) -> tuple[Place, int, int]:
    """Which hashes of which tile a complete subtree's root is made of: the tile, the first of them, how many."""
    level, rest = divmod((subtree.end - subtree.start).bit_length() - 1, HEIGHT)
    number, first = divmod(subtree.start >> HEIGHT * level, WIDTH)
    return Place(level, number), first, 1 << rest


@dataclass(frozen=True, slots=True)
class RightEdge:
    """All that a log must remember to grow: its size, and at each level the tile that is not full yet (maybe empty)."""

    size: int = 0
    tiles: tuple[bytes, ...] = ()

    def append(self, leaves: Iterable[bytes]) -> "tuple[RightEdge, dict[Place, bytes]]":
        """Add hashes of leaves: the edge afterwards, and every tile that came about or changed."""
        added = list(leaves)
        changed: dict[Place, bytes] = {}
        grown = []
        fresh = added
        level = 0
        while fresh or level < len(self.tiles):
            tile = (self.tiles[level] if level < len(self.tiles) else b"") + b"".join(fresh)
            number = self.size >> HEIGHT * (level + 1)
            full = []
            while len(tile) >= WIDTH * HASH_SIZE:
                done, tile = tile[: WIDTH * HASH_SIZE], tile[WIDTH * HASH_SIZE :]
                changed[Place(level, number)] = done
                full.append(root_of(hashes_in(done)))
                number += 1
            if fresh and tile:
                changed[Place(level, number)] = tile
            grown.append(tile)
            fresh = full
            level += 1
        return RightEdge(self.size + len(added), tuple(grown)), changed

    def root(self) -> bytes:
        """The root of the whole tree (EMPTY_ROOT of an empty one)."""
        below: list[bytes] = []
        for tile in self.tiles:
            # What lies right of this level's complete subtrees is one smaller subtree at their end.
            items = hashes_in(tile) + below
            below = [root_of(items)] if items else []
        return root_of(below)


def edge_places(size: int) -> list[Place]:
    """The tiles, lowest level first, that a :class:`RightEdge` for ``size`` holds (or would, where they are empty)."""
    places = []
    level = 0
    while size >> HEIGHT * level:
        places.append(Place(level, size >> HEIGHT * (level + 1)))
        level += 1
    return places


def edge_of(size: int, read: TileReader) -> RightEdge:
    """The right edge of the first ``size`` leaves, from tiles that may hold more."""
    tiles = []
    for place in edge_places(size):
        width = width_at(place, size)
        tiles.append(read(place)[: width * HASH_SIZE] if width else b"")
    return RightEdge(size, tuple(tiles))


def entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """Up to 256 leaves as tlog-tiles serves them. Raises ValueError for a leaf over 65,535 bytes."""
    parts = []
    for leaf in leaves:
        if len(leaf) > LARGEST_LEAF:
            raise ValueError(f"a leaf of {len(leaf)} bytes does not fit into an entry bundle")
        parts.append(len(leaf).to_bytes(2, "big") + leaf)
    return b"".join(parts)


def leaves_in(bundle: bytes) -> list[bytes]:
    """The leaves of an entry bundle. Raises ValueError if it is cut short or holds more than 256."""
    leaves: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle) or len(leaves) == WIDTH:
            raise ValueError("the entry bundle is cut short or too long")
        leaves.append(bundle[at + 2 : end])
        at = end
    return leaves

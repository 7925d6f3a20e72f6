"""Tiles: their names as in C2SP tlog-tiles, and the tree that grows out of them."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.merkle import Span, consistency_spans, inclusion_spans, leaf_hash, root_of
from carekeep.audit.tiles import (
    WIDTH,
    Place,
    RightEdge,
    TilePath,
    edge_of,
    entry_bundle,
    leaves_in,
    parse_path,
    places_of,
    span_root,
    tile_count,
    width_at,
)

PATHS = [
    ("tile/0/x001/x234/067", TilePath(0, 1_234_067)),
    ("tile/0/x001/x234/067.p/8", TilePath(0, 1_234_067, 8)),
    ("tile/0/000", TilePath(0, 0)),
    ("tile/0/067", TilePath(0, 67)),
    ("tile/0/x001/000", TilePath(0, 1000)),
    ("tile/1/003.p/12", TilePath(1, 3, 12)),
    ("tile/63/000", TilePath(63, 0)),
    ("tile/entries/000", TilePath(None, 0)),
    ("tile/entries/x001/x234/067.p/255", TilePath(None, 1_234_067, 255)),
]
NOT_PATHS = [
    "tile/64/000",
    "tile/00/000",
    "tile/0/0",
    "tile/0/0000",
    "tile/0/x000/001",
    "tile/0/x001",
    "tile/0/001/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/08",
    "tile/0/000/",
    "/tile/0/000",
    "tile/data/000",
    "tile/0/" + "x999/" * 6 + "999",
    "tile/0/\u0660\u0660\u0660",
    "tile/0/000\n",
    "",
]


class Tiles(dict[Place, bytes]):
    """A log's tiles in memory."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.edge = RightEdge()
        for size in sizes:
            hashes = [digest_of(self.edge.size + number) for number in range(size)]
            self.edge, changed = self.edge.append(hashes)
            self.update(changed)


def digest_of(number: int) -> bytes:
    return sha256(b"leaf %d" % number).digest()


@pytest.mark.parametrize(("path", "tile"), PATHS)
def test_paths(path: str, tile: TilePath) -> None:
    assert str(tile) == path
    assert parse_path(path) == tile


@pytest.mark.parametrize("path", NOT_PATHS)
def test_only_one_spelling_of_a_path(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a tile"):
        parse_path(path)


@given(st.integers(0, 10**18 - 1), st.integers(1, WIDTH), st.none() | st.integers(0, 63))
def test_paths_come_back(number: int, width: int, level: int | None) -> None:
    assert parse_path(str(TilePath(level, number, width))) == TilePath(level, number, width)


def test_the_specifications_example_of_70_000_leaves() -> None:
    tiles = Tiles([70_000])
    widths = {place: len(tile) // 32 for place, tile in tiles.items()}
    assert {place: width for place, width in widths.items() if width < WIDTH} == {
        Place(0, 273): 112,
        Place(1, 1): 17,
        Place(2, 0): 1,
    }
    assert sum(width == WIDTH for width in widths.values()) == 273 + 1
    assert len(tiles) == tile_count(70_000)
    assert all(width_at(place, 70_000) == width for place, width in widths.items())
    assert width_at(Place(0, 274), 70_000) == width_at(Place(3, 0), 70_000) == 0


def test_only_tiles_that_changed_are_written_again() -> None:
    edge = Tiles([300]).edge
    assert edge.append([]) == (edge, {})
    assert set(edge.append([digest_of(300)])[1]) == {Place(0, 1)}


def test_a_tree_of_256_is_one_full_tile_and_one_hash_above() -> None:
    assert {place: len(tile) // 32 for place, tile in Tiles([256]).items()} == {Place(0, 0): 256, Place(1, 0): 1}


@given(st.lists(st.integers(0, 300), max_size=8))
def test_however_it_grows_it_is_the_same_tree(sizes: list[int]) -> None:
    total = sum(sizes)
    tiles = Tiles(sizes)
    hashes = [digest_of(number) for number in range(total)]
    assert tiles.edge.root() == root_of(hashes)
    assert tiles == Tiles([total])
    assert len(tiles) == tile_count(total)
    for earlier in {0, total // 3, total}:
        edge = edge_of(earlier, tiles.__getitem__)
        assert edge.root() == root_of(hashes[:earlier])
        assert edge.append(hashes[earlier:])[0].root() == tiles.edge.root()


@given(st.integers(1, 1200), st.data())
def test_proofs_come_out_of_tiles(size: int, draw: st.DataObject) -> None:
    tiles = Tiles([size])
    hashes = [digest_of(number) for number in range(size)]
    index = draw.draw(st.integers(0, size - 1))
    for span in (*inclusion_spans(index, size), *consistency_spans(index, size), Span(0, size)):
        needed = {place: tiles[place] for place in places_of(span)}
        assert span_root(span, needed.__getitem__) == root_of(hashes[span.start : span.end])


def test_large_trees_too() -> None:
    tiles = Tiles([66_000])
    hashes = [digest_of(number) for number in range(66_000)]
    assert tiles.edge.root() == root_of(hashes)
    span = Span(0, 65_536)
    assert list(places_of(span)) == [Place(2, 0)]
    assert span_root(span, tiles.__getitem__) == root_of(hashes[:65_536])


@given(st.lists(st.binary(max_size=40), max_size=WIDTH))
def test_bundles_come_back(leaves: list[bytes]) -> None:
    bundle = entry_bundle(leaves)
    assert leaves_in(bundle) == leaves
    assert len(bundle) == sum(2 + len(leaf) for leaf in leaves)


def test_a_bundle_counts_in_big_endian() -> None:
    assert entry_bundle([b"abc", b""]) == b"\x00\x03abc\x00\x00"
    assert leaves_in(entry_bundle([b"x" * 65_535])) == [b"x" * 65_535]


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02x", b"\x00\x01xy", b"\x00\x00" * 257])
def test_broken_bundles_are_refused(bundle: bytes) -> None:
    with pytest.raises(ValueError, match="cut short or too long"):
        leaves_in(bundle)


def test_a_leaf_that_is_too_long_for_a_bundle() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        entry_bundle([b"x" * 65_536])


def test_level_0_holds_the_hashes_of_the_bundles_leaves() -> None:
    leaves = [b"one", b"two", b"three"]
    _, changed = RightEdge().append(map(leaf_hash, leaves))
    assert changed == {Place(0, 0): b"".join(map(leaf_hash, leaves_in(entry_bundle(leaves))))}

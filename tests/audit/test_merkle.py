"""The tree against published vectors, and against the RFC read word for word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.merkle import (
    EMPTY_ROOT,
    ProofRefused,
    Span,
    complete_subtrees,
    consistency_spans,
    fold,
    inclusion_spans,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.audit.slow_tree import mth, path, proof

# The reference tree of Certificate Transparency's own tests, and its roots by size.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUSION = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (0, 1): (),
}
CONSISTENCY = {
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
    (1, 1): (),
}

leaves = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def span_root(span: Span, data: list[bytes]) -> bytes:
    return fold([root_of(map(leaf_hash, data[piece.start : piece.end])) for piece in complete_subtrees(span)])


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_published_roots(size: int) -> None:
    assert root_of(map(leaf_hash, LEAVES[:size])) == ROOTS[size]


@pytest.mark.parametrize(("at", "expected"), INCLUSION.items())
def test_published_inclusion_proofs(at: tuple[int, int], expected: tuple[str, ...]) -> None:
    index, size = at
    found = [span_root(span, LEAVES) for span in inclusion_spans(index, size)]
    assert [node.hex() for node in found] == list(expected)
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, found, ROOTS[size])


@pytest.mark.parametrize(("sizes", "expected"), CONSISTENCY.items())
def test_published_consistency_proofs(sizes: tuple[int, int], expected: tuple[str, ...]) -> None:
    old, new = sizes
    found = [span_root(span, LEAVES) for span in consistency_spans(old, new)]
    assert [node.hex() for node in found] == list(expected)
    verify_consistency(old, new, ROOTS[old], ROOTS[new], found)


@given(leaves, st.data())
def test_inclusion_is_the_rfcs(data: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(data) - 1))
    found = [span_root(span, data) for span in inclusion_spans(index, len(data))]
    assert found == path(index, data)
    verify_inclusion(leaf_hash(data[index]), index, len(data), found, mth(data))


@given(leaves, st.data())
def test_consistency_is_the_rfcs(data: list[bytes], draw: st.DataObject) -> None:
    old = draw.draw(st.integers(0, len(data)))
    found = [span_root(span, data) for span in consistency_spans(old, len(data))]
    assert found == proof(old, data)
    verify_consistency(old, len(data), mth(data[:old]), mth(data), found)


@given(leaves, st.data())
def test_a_changed_inclusion_proof_is_refused(data: list[bytes], draw: st.DataObject) -> None:
    index = draw.draw(st.integers(0, len(data) - 1))
    size, root, leaf = len(data), mth(data), leaf_hash(data[index])
    nodes = path(index, data)
    extra = draw.draw(st.binary(min_size=32, max_size=32))
    attempts = [
        (leaf_hash(b"another"), index, size, nodes, root),
        (leaf, index, size, nodes, mth([*data, b"more"])),
        (leaf, index, size, [*nodes, extra], root),
        (leaf, index, size, [extra, *nodes], root),
        (leaf, size, size, nodes, root),
        (leaf, index, size, [node[:-1] for node in nodes] or [b""], root),
    ]
    if nodes:
        place = draw.draw(st.integers(0, len(nodes) - 1))
        attempts.append((leaf, index, size, [*nodes[:place], extra, *nodes[place + 1 :]], root))
        attempts.append((leaf, index, size, nodes[:-1], root))
    for attempt in attempts:
        with pytest.raises(ProofRefused):
            verify_inclusion(*attempt)


@given(leaves, st.data())
def test_a_changed_consistency_proof_is_refused(data: list[bytes], draw: st.DataObject) -> None:
    old = draw.draw(st.integers(1, len(data)))
    new, old_root, new_root = len(data), mth(data[:old]), mth(data)
    nodes = proof(old, data)
    forked = mth([*data[: old - 1], b"rewritten"])
    extra = draw.draw(st.binary(min_size=32, max_size=32))
    attempts = [
        (old, new, forked, new_root, nodes),
        (old, new, old_root, forked if old < new else mth([*data, b"more"]), nodes),
        (old, new, old_root, new_root, [*nodes, extra]),
        (new + 1, new, old_root, new_root, nodes),
    ]
    if nodes:
        attempts.append((old, new, old_root, new_root, nodes[:-1]))
        attempts.append((old, new, old_root, new_root, []))
    for attempt in attempts:
        with pytest.raises(ProofRefused):
            verify_consistency(*attempt)


def test_every_tree_continues_the_empty_one_by_an_empty_proof() -> None:
    verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [])
    with pytest.raises(ProofRefused):
        verify_consistency(0, 8, ROOTS[1], ROOTS[8], [])
    with pytest.raises(ProofRefused):
        verify_consistency(0, 8, EMPTY_ROOT, ROOTS[8], [ROOTS[1]])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_path_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        inclusion_spans(index, size)


def test_a_tree_does_not_shrink() -> None:
    with pytest.raises(ValueError, match="cannot continue"):
        consistency_spans(4, 3)

"""The Merkle tree of RFC 6962, section 2.1 (the same tree in RFC 9162): hashes, and what a proof consists of.

Pure: no tree is held here. A proof is first a list of spans (ranges of leaves whose root it needs), so that a caller
may fetch all that they need at once; ``tiles`` says where in the tiles a span's root comes from.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
LONGEST_PROOF = 64  # tree sizes fit into 63 bits


class ProofRefused(ValueError):
    """A Merkle proof that does not prove what it was brought for."""


class Span(NamedTuple):
    """The leaves ``start`` to ``end`` (exclusive), as the RFC's D[start:end]."""

    start: int
    end: int


def leaf_hash(leaf: bytes) -> bytes:
    """MTH({leaf}) of the RFC."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over hashes of leaves, or of complete subtrees of one height (with at most a smaller one at the end)."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        # Pairing from the left and carrying an odd last node up gives the RFC's tree.
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def complete_subtrees(span: Span) -> list[Span]:
    """The span cut into complete subtrees, largest and leftmost first; its root is theirs, folded from the right."""
    pieces = []
    start = span.start
    while start < span.end:
        size = 1 << (span.end - start).bit_length() - 1
        pieces.append(Span(start, start + size))
        start += size
    return pieces


def fold(roots: Sequence[bytes]) -> bytes:
    """The root of a span from the roots of its :func:`complete_subtrees`."""
    if not roots:
        return EMPTY_ROOT
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = node_hash(left, root)
    return root


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What the audit path of a leaf consists of, from its sibling upwards (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    return path[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """What the proof that a tree of ``new`` leaves continues one of ``old`` consists of (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves cannot continue one of {old}")
    if old in (0, new):
        return []
    path = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(Span(middle, end))
            end = middle
        else:
            path.append(Span(start, middle))
            start = middle
    if start:  # the verifier knows the old root only if it is a whole subtree of its own
        path.append(Span(start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf (by its hash) is at ``index`` under ``root``. Raises ProofRefused. RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        raise ProofRefused(f"leaf {index} is not in a tree of {size}")
    _check_path(path)
    position, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofRefused("the inclusion proof is longer than its tree is high")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last or not compare_digest(node, root):
        raise ProofRefused("the inclusion proof does not lead to the signed root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that the tree of ``new`` leaves continues the one of ``old``. Raises ProofRefused. RFC 9162, 2.1.4.2."""
    if not 0 <= old <= new:
        raise ProofRefused(f"a tree of {new} leaves cannot continue one of {old}")
    _check_path(path)
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if path or not compare_digest(old_root, expected):
            raise ProofRefused("two trees of one size have different roots, or the proof says more than it needs")
        return
    first, second = consistency_roots(old, new, old_root, path)
    if not compare_digest(first, old_root) or not compare_digest(second, new_root):
        raise ProofRefused("the consistency proof does not lead to both roots")


def consistency_roots(old: int, new: int, old_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of both trees that a consistency proof leads to, for ``0 < old < new``. Raises ProofRefused.

    ``old_root`` is used only where the old tree is a whole subtree of the new one (``old`` is a power of two).
    """
    _check_path(path)
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        raise ProofRefused("the consistency proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = hashes[0]
    for node in hashes[1:]:
        if last == 0:
            raise ProofRefused("the consistency proof is longer than its tree is high")
        if position & 1 or position == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, node)
        position, last = position >> 1, last >> 1
    if last:
        raise ProofRefused("the consistency proof is shorter than its tree is high")
    return first, second


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``: where the RFC divides a tree."""
    return 1 << (size - 1).bit_length() - 1


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > LONGEST_PROOF or any(len(node) != HASH_SIZE for node in path):
        raise ProofRefused("a Merkle proof has at most 64 hashes of 32 bytes")

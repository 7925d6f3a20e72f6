"""Ranges as tags: how an index of equal values answers questions about order.

Values lie on a line of 2^k leaves (days, steps of magnitude). Above the leaves stands a tree in which every node has
eight children. A value is indexed

* where it starts: the leaf and its ancestors (``s`` terms), one a level;
* if it goes on past that leaf: the at most two nodes that together cover it, at the lowest level where two do
  (``c`` terms), or one ``o`` term if it never ends.

A question becomes the fewest nodes that make up the wanted starts and, if values that began earlier and are still
going on at some leaf are wanted too, that leaf and its ancestors among the ``c`` terms. Radix 8 was chosen by
counting: with the 65,536 days of 180 years a value costs 6 terms and a question that is open on one side at most 37;
radix 16 gives 4 and 60, radix 4 gives 8 and 24. Cover nodes reach further than the value, and leaves are coarser than
it: such an index may find too much, never too little.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_BITS = 3


_FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """Leaves in question: values that start in [low, high] and go on at least to ``reach``."""

    low: int = -_FAR
    high: int = _FAR
    reach: int = -_FAR

    def __and__(self, other: "Wanted") -> "Wanted":
        """What holds where both hold of the *same* value."""
        return Wanted(max(self.low, other.low), min(self.high, other.high), max(self.reach, other.reach))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of leaves 0 … ``last``; what lies beyond is counted to the ends.

    ``levels`` of the tree are indexed for starts, ``covers`` for covers: the last of these has at most two nodes.
    """

    last: int
    levels: int
    covers: int

    def __post_init__(self) -> None:
        """Raises ValueError if a long value could not be covered by two nodes."""
        if self.last >> (_BITS * (self.covers - 1)) > 1:
            raise ValueError("the highest level of covers has more than two nodes")

    def clamp(self, leaf: int) -> int:
        """The nearest leaf on the line."""
        return min(max(leaf, 0), self.last)

    def index(self, low: int, high: int | None) -> Iterator[bytes]:
        """The terms of a value from leaf ``low`` to leaf ``high`` (None: it has no end)."""
        start = self.clamp(low)
        for level in range(self.levels):
            yield b"s%d:%d" % (level, start >> (_BITS * level))
        if high is None:
            yield b"o"
            return
        end = self.clamp(high)
        if end <= start:
            return
        for level in range(self.covers):
            first, second = start >> (_BITS * level), end >> (_BITS * level)
            if second - first <= 1:
                yield b"c%d:%d" % (level, first)
                if second != first:
                    yield b"c%d:%d" % (level, second)
                return

    def ask(self, wanted: Wanted) -> Iterator[bytes]:
        """The terms of which every value in question has at least one."""
        low, high, reach = self.clamp(wanted.low), self.clamp(wanted.high), self.clamp(wanted.reach)
        yield from self._cover(max(low, reach), high)
        if reach > low:
            yield b"o"
            for level in range(self.covers):
                yield b"c%d:%d" % (level, reach >> (_BITS * level))

    def _cover(self, low: int, high: int) -> Iterator[bytes]:
        """The fewest ``s`` nodes whose leaves are exactly low … high."""
        for level in range(self.levels - 1):
            while low <= high and low & 7:
                yield b"s%d:%d" % (level, low)
                low += 1
            while low <= high and high & 7 != 7:  # noqa: PLR2004 - the last of eight children
                yield b"s%d:%d" % (level, high)
                high -= 1
            if low > high:
                return
            low, high = low >> _BITS, high >> _BITS
        yield from (b"s%d:%d" % (self.levels - 1, node) for node in range(low, high + 1))

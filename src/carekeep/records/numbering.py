"""Record numbers: 63 bits, in the order of creation, given without asking the database."""

from collections.abc import Callable

_NOISE_BITS = 21
_LAST_MS = (1 << 42) - 1  # in the year 2109


def first_number(ms: int) -> int:
    """The smallest number that is given in a millisecond, and so the first that is not given before it."""
    return min(max(ms, 0), _LAST_MS) << _NOISE_BITS


class Numbering:
    """Milliseconds in the high bits, noise below, never the same or less than before in this process.

    Two processes that meet in one millisecond differ by their noise; a collision is a conflict at commit, and the
    draft is prepared anew.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._last = 0

    def __call__(self, now_ms: int) -> int:
        """The next number for a record that is created at ``now_ms``."""
        noise = int.from_bytes(self._random(3), "big") & ((1 << _NOISE_BITS) - 1)
        self._last = max(self._last + 1, now_ms << _NOISE_BITS | noise)
        return self._last

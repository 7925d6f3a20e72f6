"""The time, as everything in Carekeep that needs it is given it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Milliseconds since 1970-01-01T00:00:00Z."""


def system_clock() -> int:
    """The clock of this machine."""
    return time.time_ns() // 1_000_000

"""The line in which passwords wait to be checked, so that a flood of them costs everybody else next to nothing.

A check takes a core for 0.1 s and 64 MiB, so they are made one after the other. Who is refused without a check waits as
well: an answer costs little, but a flood asks again as soon as it has one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

MOST_WAITING = 100
"""Tries in line, with the one that is checked: the last waits ten seconds on a quiet machine."""

PACE_S = 0.02
"""Between two answers to tries that were not checked."""


class LineFull(Exception):
    """So many wait already that this one is not let into the line."""


class Line:
    """Lets one try through at a time, first come, first served. ``pause`` waits for seconds. Of one event loop."""

    def __init__(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._pause = pause
        self._turns = asyncio.Semaphore(1)
        self._ways_out = asyncio.Semaphore(1)
        self._in_line = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for the turn and has it. Raises LineFull, when those who are sent away have left before."""
        if self._in_line >= MOST_WAITING:
            await self.send_away()
            raise LineFull
        self._in_line += 1
        try:
            async with self._turns:
                yield
        finally:
            self._in_line -= 1

    async def send_away(self) -> None:
        """Holds up somebody who is refused without a check: they leave one by one, ``PACE_S`` apart."""
        async with self._ways_out:
            await self._pause(PACE_S)

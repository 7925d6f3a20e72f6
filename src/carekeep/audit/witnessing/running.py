"""The task beside the requests that keeps the log witnessed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from carekeep.audit.note import NoteRefused
from carekeep.audit.tile_table import TileMissing
from carekeep.audit.witnessing.submitting import Submitting
from carekeep.audit.witnessing.watching import Watching
from carekeep.encryption import EncryptionError
from carekeep.storage import Lease, StorageError

BEAT_S = 5.0
"""Between two submissions, and two post-quantum signatures, of a log that moves."""

WATCH_EVERY = 12  # beats: a minute
LEASE_MS = 60_000  # more than a turn with a witness that answers at the last moment

_log = logging.getLogger("carekeep.witnesses")


class Witnessing:
    """Works for as long as ``run`` is not cancelled. ``sleep`` (seconds) paces it."""

    def __init__(
        self,
        submitting: Submitting,
        watching: Watching,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._submitting = submitting
        self._watching = watching
        self._sleep = sleep
        self._said = ""

    async def run(self, lease: Lease) -> None:
        """Turn after turn, whenever the lease is ours. Cancel the task to stop."""
        beat = 0
        try:
            while True:
                await self._sleep(BEAT_S)
                beat += 1
                try:
                    if await lease.hold():
                        await self.turn(watch=beat % WATCH_EVERY == 0)
                    self._said = ""
                except StorageError as error:
                    self._say(logging.WARNING, f"Nothing is witnessed until the database answers: {error}")
                except (EncryptionError, NoteRefused, TileMissing) as error:
                    self._say(logging.CRITICAL, f"Witnessing waits for `carekeep ledger verify`: {error}")
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    def _say(self, level: int, text: str) -> None:
        """Once, not with each beat."""
        if text != self._said:
            self._said = text
            _log.log(level, "%s", text)

    async def turn(self, *, watch: bool) -> None:
        """One turn: submit, and compare if ``watch``."""
        await self._submitting.turn()
        if watch:
            await self._watching.turn()

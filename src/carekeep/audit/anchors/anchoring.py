"""The task that anchors the newest checkpoint each few hours. Without it, or while the chain is down, nothing waits."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from carekeep.audit.anchors.anchor import Anchor, AnchorContradicts, AnchorUnreachable, ReceiptRefused
from carekeep.audit.anchors.anchored import AnchoredCheckpoints
from carekeep.audit.entries import Agent, Entry, Outcome
from carekeep.audit.ledger import Ledger
from carekeep.audit.published import LedgerFiles
from carekeep.encryption import EncryptionError
from carekeep.storage import Clock, Conflict, Database, Lease, StorageError

ANCHORED = "audit:checkpoint:anchor"
EACH_S = 60.0
LEASE_MS = 900_000  # more than the longest wait for blocks

_log = logging.getLogger("carekeep.anchors")


class Anchoring:
    """Anchors the log's checkpoints, ``every_ms`` apart. ``sleep`` (seconds) paces it."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        anchored: AnchoredCheckpoints,
        anchor: Anchor,
        every_ms: int,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._files = LedgerFiles(database)
        self._ledger = ledger
        self._anchored = anchored
        self._anchor = anchor
        self._every_ms = every_ms
        self._clock = clock
        self._sleep = sleep
        self._said = ""

    async def run(self, lease: Lease) -> None:
        """Turn after turn, whenever the lease is ours. Cancel the task to stop."""
        try:
            while True:
                try:
                    if await lease.hold():
                        await self.turn()
                except StorageError as error:
                    _log.warning("Nothing is anchored until the database answers: %s", error)
                except (EncryptionError, ReceiptRefused) as error:
                    _log.critical("What was anchored cannot be read. Run `carekeep ledger verify`: %s", error)
                await self._sleep(EACH_S)
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def turn(self) -> bool:
        """Anchor the newest checkpoint if it is time, and the log has more than the entry of the last time."""
        last = await self._anchored.last()
        note = await self._files.checkpoint()
        if note is None or (last is not None and self._clock() < last.anchored_ms + self._every_ms):
            return False
        checkpoint = self._anchored.checkpoint(note)
        if last is not None and 0 <= checkpoint.size - last.size <= 1:
            return False
        try:
            receipt = await self._anchor.publish(checkpoint)
        except AnchorUnreachable as error:
            self._say(logging.WARNING, f"The checkpoint was not anchored, and will be tried again: {error}")
            return False
        except AnchorContradicts as error:
            if self._say(logging.CRITICAL, f"The chain contradicts the ledger: {error}"):
                await self._ledger.record(self._entry("failed", f"the chain contradicts the ledger: {error}"))
            return False
        self._said = ""
        kept = self._anchored.prepare_add(note, receipt, self._clock())
        entry = self._entry("permitted", f"{checkpoint.size} entries were anchored at {receipt.place}")
        with suppress(Conflict):  # somebody else kept it
            await self._ledger.record(entry, kept)
        return True

    def _say(self, level: int, text: str) -> bool:
        """Log what has changed; whether it has."""
        is_new = text != self._said
        if is_new:
            _log.log(level, "%s", text)
        self._said = text
        return is_new

    def _entry(self, outcome: Outcome, reason: str) -> Entry:
        return Entry(
            action=ANCHORED,
            agent=Agent(account="", role="server"),
            purpose="",
            outcome=outcome,
            reason=reason,
            request_id=uuid.uuid4().hex,
            at_ms=self._clock(),
        )

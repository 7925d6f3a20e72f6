"""The task that delivers the ledger to one receiver: from where it stopped, in order, each entry at least once.

Entries are read in batches of a bounded size, rendered, and sent; when the receiver has taken them, the place in the
ledger moves. A process that is killed between the two sends the batch again: the receiver knows an entry by its id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from carekeep.audit.export.siem_settings import Destination
from carekeep.audit.following import Followed, Follower
from carekeep.audit.ledger import Ledger
from carekeep.storage import Conflict, Database, Lease, StorageError

BATCH = 250
"""Entries that are in memory, and on their way, at a time: two megabytes at most."""

IDLE_S = 1.0
LONGEST_WAIT_S = 300.0
LEASE_MS = 90_000  # more than a turn with a receiver that takes the batch at the last moment

_log = logging.getLogger("carekeep.siem")


class NotTaken(Exception):
    """The receiver did not take the messages, or may not have. The text says why; it repeats nothing of them."""


class Send(Protocol):
    """How messages travel."""

    async def __call__(self, messages: Sequence[bytes]) -> None:
        """Deliver them; returns when the receiver has taken all. Raises NotTaken, within bounded time."""
        ...


class Shipper:
    """Works for as long as ``run`` is not cancelled. ``render`` makes a message of an entry."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        destination: Destination,
        render: Callable[[Followed], bytes],
        send: Send,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._follower = Follower(database, ledger, destination.reader)
        self._render = render
        self._send = send
        self._sleep = sleep
        self.destination = destination
        self._said = ""

    async def run(self, lease: Lease) -> None:
        """Turn after turn, whenever the lease is ours; after a failure, waits twice as long each time."""
        failures = 0
        try:
            while True:
                more = False
                try:
                    if await lease.hold():
                        more = await self.turn()
                        self._say("")
                    failures = 0
                except (NotTaken, StorageError) as error:
                    failures += 1
                    self._say(str(error))
                if failures or not more:
                    await self._sleep(min(IDLE_S * 2 ** min(failures, 30), LONGEST_WAIT_S) if failures else IDLE_S)
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def turn(self) -> bool:
        """Deliver the next entries. Returns whether there may be more. Raises NotTaken, StorageError."""
        batch = await self._follower.read(BATCH)
        if batch.end == batch.start:
            return False
        wanted = [each for each in batch.entries if self.destination.wants(each.entry.action, each.entry.outcome)]
        if wanted:
            await self._send([self._render(each) for each in wanted])
        with suppress(Conflict):  # another process was first, and sent them too
            await self._database.commit([self._follower.advance(batch)])
        return True

    async def test(self, followed: Followed) -> None:
        """Send one entry by itself, whatever the receiver wants. Raises NotTaken."""
        await self._send([self._render(followed)])

    def _say(self, text: str) -> None:
        """In the server's log, what has changed."""
        if text and text != self._said:
            _log.warning("Nothing goes to the SIEM %s, and waits in the ledger: %s", self.destination.name, text)
        elif self._said and not text:
            _log.info("The SIEM %s takes entries again.", self.destination.name)
        self._said = text


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a receiver is: entries of the ledger that it was sent or did not want, and how many there are.

    ``waiting_since_ms`` is when the first one that waits was recorded, None if none does.
    """

    name: str
    url: str
    done: int
    entries: int
    waiting_since_ms: int | None

    @property
    def behind(self) -> int:
        """How many entries it is behind."""
        return self.entries - self.done


async def standing_of(destination: Destination, database: Database, ledger: Ledger) -> Standing:
    """How far a receiver is now. Raises StorageError."""
    done = await Follower(database, ledger, destination.reader).position()
    entries = await ledger.size()
    since = None
    async for sealed in ledger.entries(done, done + 1):
        since = int.from_bytes(sealed.entry_id[:6], "big")  # ids begin with the milliseconds of their time
    return Standing(destination.name, destination.url, done, entries, since)

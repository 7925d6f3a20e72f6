"""How a process learns that what it cached has changed: a counter for each topic, bumped in the unit of the change.

Every process polls the counters four times a second with one small query, so that a change reaches every cache within a
second, whoever made it. A process that cannot read the counters trusts none of its caches.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from carekeep.storage.interfaces import Change, Database, StorageError

INTERVAL_S = 0.25

_log = logging.getLogger(__name__)


def bump(topic: str) -> Change:
    """The step that tells every process: what you cached of ``topic`` is out of date."""
    return Change(
        "INSERT INTO generation (topic, n) VALUES ($1, 1) ON CONFLICT (topic) DO UPDATE SET n = generation.n + 1",
        [(topic,)],
        expect=1,
    )


class Generations:
    """Calls back when a topic's counter moves. ``sleep`` (seconds) paces ``run``."""

    def __init__(self, database: Database, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._database = database
        self._sleep = sleep
        self._watchers: dict[str, list[Callable[[], None]]] = {}
        self._seen: dict[str, int] = {}

    def watch(self, topic: str, callback: Callable[[], None]) -> None:
        """Has ``callback`` called whenever something of ``topic`` may have changed. It drops caches, and is quick."""
        self._watchers.setdefault(topic, []).append(callback)

    def changed(self, topic: str) -> None:
        """Tells the watchers in this process at once, after this process has committed ``bump(topic)``."""
        for callback in self._watchers.get(topic, ()):
            callback()

    async def poll(self) -> None:
        """Compares the counters with those of the last poll, and calls back for every topic that moved.

        The first poll takes every counter for moved, since a cache may have been filled before it.
        """
        try:
            found: dict[str, int] = dict(await self._database.fetch("SELECT topic, n FROM generation"))
        except StorageError:
            _log.warning("The generation counters cannot be read; all caches are dropped until they can.")
            for topic in self._watchers:
                self.changed(topic)
            return
        moved = [topic for topic, n in found.items() if self._seen.get(topic) != n]
        self._seen = found
        for topic in moved:
            self.changed(topic)

    async def run(self) -> None:
        """Polls every 250 ms until it is cancelled."""
        while True:
            await self.poll()
            await self._sleep(INTERVAL_S)

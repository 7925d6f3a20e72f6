"""What is over is removed, and emergencies are followed up; by one process at a time, each minute.

Rows that the ledger pins go with an entry that says so. The others are of no account after their time.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

from carekeep.audit import Agent, Entry
from carekeep.storage import Conflict, Lease, Prepared, StorageError
from carekeep.web.following_up import FollowingUp
from carekeep.web.services import Services

EXPIRED = "identity:session:expire"
_EACH_S = 60.0
LEASE_MS = 150_000  # more than two turns
_DAY_MS = 86_400_000

_log = logging.getLogger("carekeep.housekeeping")


class Housekeeping:
    """Tidies for as long as ``run`` is not cancelled. ``sleep`` (seconds) paces it."""

    def __init__(self, services: Services, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._services = services
        self._sleep = sleep
        self._following_up = FollowingUp(
            services.reviews,
            services.accounts,
            services.notices,
            services.ledger,
            services.database,
            services.clock,
        )

    async def run(self, lease: Lease) -> None:
        """Turn after turn, whenever the lease is ours. Cancel the task to stop."""
        try:
            while True:
                try:
                    if await lease.hold():
                        await self.tidy()
                except StorageError as error:
                    _log.warning("Nothing is tidied until the database answers: %s", error)
                await self._sleep(_EACH_S)
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def tidy(self) -> None:
        """One turn. What was over for a day goes: until then a refusal can still say that it expired."""
        services, now = self._services, self._services.clock()
        before = now - _DAY_MS
        await self._recorded("expired tokens", lambda: services.tokens.prepare_purge(before))
        await self._recorded("browsers' sessions", lambda: services.browser_sessions.prepare_purge(before))
        await self._recorded("links to records", lambda: services.sharing.links.prepare_purge(before))
        await self._recorded("guests", lambda: services.sharing.guests.prepare_purge(before))
        await self._recorded("grants of apps", lambda: services.apps.grants.prepare_purge(before))
        await self._following_up.look()
        counts = await services.throttle.prepare_purge(now)
        await services.database.commit(counts.steps)
        while (used := await services.replays.prepare_purge()).steps:
            await services.database.commit(used.steps)

    async def _recorded(self, what: str, prepare: Callable[[], Awaitable[Prepared[int]]]) -> None:
        """Batch after batch: more may end in a minute than one entry should speak of."""
        while (gone := await prepare()).steps:
            if not await self._record(what, gone):
                return

    async def _record(self, what: str, gone: Prepared[int]) -> bool:
        entry = Entry(
            action=EXPIRED,
            agent=Agent(account="", role="server"),
            purpose="",
            outcome="permitted",
            reason=f"{gone.value} {what} were removed",
            request_id=uuid.uuid4().hex,
            at_ms=self._services.clock(),
        )
        try:
            await self._services.ledger.record(entry, gone)
        except Conflict:  # one ended in this moment by itself; the next turn finds the rest
            return False
        return True

"""The one task that finds events in the ledger and tells rest-hooks of them. One elected process runs it.

Election saves work and no more: the reading of the ledger moves by compare-and-swap, and a notification that two
processes send is one that arrives twice, which its number shows. After a crash, what was recorded and perhaps not sent
is sent again: at least once, never silently not at all.
"""

import asyncio
import contextlib
import logging
import os
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace

from carekeep.encryption import Tampered
from carekeep.identity import Principal
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.storage import Conflict, Lease, StorageError
from carekeep.web.obligations import may_match
from carekeep.web.problems import Problem
from carekeep.web.services import Services
from carekeep.web.subscriptions.disclosing import Discloser, Notice, change_status
from carekeep.web.subscriptions.feed import Feed, Written
from carekeep.web.subscriptions.notifications import NoticeType
from carekeep.web.subscriptions.orders import JSON_TYPE, Order, read_order
from carekeep.web.subscriptions.rest_hook import Undelivered, post
from carekeep.web.subscriptions.signing import signed_headers
from carekeep.web.subscriptions.table import TOPIC, Happened, Subscribed

PACE_S = 0.15
LEASE_S = 2.0
RETRY_AFTER_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_AT_ONCE = 32

_log = logging.getLogger("carekeep.subscriptions")


@dataclass(slots=True)
class _Pace:
    """When a rest-hook is spoken to again. Times are of the loop's clock, in seconds."""

    failures: int = 0
    not_before: float = 0.0
    last_sent: float = 0.0


class NotificationEngine:
    """Matches, and delivers to rest-hooks.

    ``trust`` verifies receivers (the system's authorities by default; ``SSL_CERT_FILE`` names others);
    ``retry_after_s`` are the pauses between the attempts at one notification, after which the subscription is in error.
    """

    def __init__(
        self,
        services: Services,
        *,
        trust: ssl.SSLContext | None = None,
        retry_after_s: Sequence[float] = RETRY_AFTER_S,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._services = services
        self._table = services.subscriptions
        self._feed = Feed(services.ledger, services.keyring)
        self._discloser = Discloser(services, random)
        self._trust = trust or ssl.create_default_context()
        self._retry_after_s = tuple(retry_after_s)
        self._random = random
        self._orders: dict[bytes, tuple[int, Order]] = {}
        self._paces: dict[bytes, _Pace] = {}
        self._running: dict[bytes, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sweep = True
        services.generations.watch("accounts", self._accounts_changed)

    async def run(self, lease: Lease) -> None:
        """Work for as long as the task lives, whenever the lease is ours. Cancel the task to stop."""
        loop = asyncio.get_running_loop()
        held_at, held = -LEASE_S, False
        try:
            while True:
                try:
                    if loop.time() - held_at >= LEASE_S:
                        held, held_at = await lease.hold(), loop.time()
                    more = held and await self.step()
                except Conflict:
                    more = True
                except (StorageError, Tampered) as error:
                    more = False
                    _log.warning("Subscriptions wait: %s", error)
                if not held:
                    await self._stop()
                await asyncio.sleep(0 if more else PACE_S)
        finally:
            await self._stop()
            with contextlib.suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def step(self) -> bool:
        """Find new events, and start whatever is due. Returns whether the ledger may hold more.

        Raises Conflict when somebody else was first: the next step reads anew.
        """
        await self._services.generations.poll()  # so that what was revoked before the event is known at the event
        subscribed = await self._table.all()
        if self._sweep:
            self._sweep = False
            subscribed = [each for each in subscribed if not await self._end_without_account(each)]
        more = await self._match(subscribed)
        for each in await self._table.all() if more else subscribed:
            if each.rid not in self._running:
                self._start(each)
        for rid in self._paces.keys() - {each.rid for each in subscribed}:
            del self._paces[rid]
            self._orders.pop(rid, None)
        return more

    async def settle(self) -> None:
        """Wait until everything that was started has ended."""
        while self._running:
            await asyncio.gather(*self._running.values())

    def _accounts_changed(self) -> None:
        self._sweep = True

    async def _stop(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    # ------------------------------------------------------------------------------------------------ finding events

    async def _match(self, subscribed: Sequence[Subscribed]) -> bool:
        size = await self._services.ledger.size()
        start = await self._table.next_entry(size)
        if start >= size:
            return False
        # One that is asked for again goes on counting, so that $events has what happens until it is active.
        begun = [each for each in subscribed if each.status != "requested" or each.revision > 1]
        orders = [(each, order) for each in begun if (order := await self._order(each)) is not None]
        if not orders:
            await self._table.advance((), start, size)
            return False
        written, end = await self._feed.read(start, {order.topic.type for _, order in orders})
        if end == start:
            return False
        found: dict[bytes, list[Happened]] = {}
        for each in written:
            await self._find(each, orders, found)
        by_rid = {each.rid: each for each in begun}
        await self._table.advance([(by_rid[rid], events) for rid, events in found.items()], start, end)
        if found:
            self._services.generations.changed(TOPIC)
        return True

    async def _find(
        self, written: Written, orders: Sequence[tuple[Subscribed, Order]], found: dict[bytes, list[Happened]]
    ) -> None:
        """Add an event to each subscription that wants it and whose subscriber may see it at this moment.

        What may not be seen gets no number: numbers without gaps tell nothing of it.
        """
        stored = content = None
        for of, order in orders:
            if order.topic.type != written.type:
                continue
            if stored is None or content is None:
                try:
                    stored, content = await self._versions(written)
                except (NotFound, Forgotten):
                    return
            principal = await self._discloser.subscriber(of) if order.wants(content.resource) else None
            if principal is None:
                continue
            decision = await self._discloser.decide(of, principal, stored)
            if not decision.permitted or not all(may_match(decision, each) for each in order.filters):
                continue
            events = found.setdefault(of.rid, [])
            number = of.events + len(events) + 1
            events.append(Happened(number, written.type, written.id, written.version, written.at_ms))

    async def _versions(self, written: Written) -> tuple[Stored, Stored]:
        """The version that was written, and the one that filters look at: of a deletion, the last before it."""
        vault = self._services.vault
        stored = await vault.read_version(written.type, written.id, written.version)
        if not stored.deleted:
            return stored, stored
        return stored, await vault.read_version(written.type, written.id, written.version - 1)

    async def _order(self, of: Subscribed) -> Order | None:
        """What the subscription asks for, as its record says at this revision; None when that cannot be served."""
        known = self._orders.get(of.rid)
        if known is not None and known[0] == of.revision:
            return known[1]
        try:
            record = await self._services.vault.read("Subscription", of.id)
            if record.deleted:
                return None
            order = read_order(record.resource, self._services.notifiable)
        except (NotFound, Forgotten, Problem):
            return None
        self._orders[of.rid] = (of.revision, order)
        return order

    # --------------------------------------------------------------------------------------------------- telling them

    def _start(self, of: Subscribed) -> None:
        now = asyncio.get_running_loop().time()
        pace = self._paces.setdefault(of.rid, _Pace(last_sent=now))
        if now >= pace.not_before and not self._at_rest(of):
            self._running[of.rid] = asyncio.create_task(self._guarded(of, pace, self._serve(of, pace)))

    def _at_rest(self, of: Subscribed) -> bool:
        """Whether there is surely nothing to do; most subscriptions are so, most of the time."""
        revision, order = self._orders.get(of.rid, (0, None))
        if of.status != "active" or order is None or revision != of.revision:
            return of.status == "error"
        told = order.endpoint is None or of.delivered >= of.events
        return told and not order.heartbeat_s and order.end_ms is None

    async def _guarded(self, of: Subscribed, pace: _Pace, work: Coroutine[None, None, None]) -> None:
        try:
            async with self._slots:
                await work
        except Conflict:
            pass  # the subscriber changed it at this moment; the next step sees what it is now
        except (StorageError, Tampered) as error:
            _log.warning("A subscription waits: %s", error)
            pace.not_before = asyncio.get_running_loop().time() + 1
        except Exception as error:  # noqa: BLE001 - one subscription must not stop the others
            _log.error("a subscription met an unexpected %s", type(error).__name__)
            pace.not_before = asyncio.get_running_loop().time() + 60
        finally:
            work.close()
            self._running.pop(of.rid, None)

    async def _serve(self, of: Subscribed, pace: _Pace) -> None:
        """Whatever is due for one subscription, until nothing is."""
        current: Subscribed | None = of
        while current is not None and await self._once(current, pace):
            current = await self._table.get(of.id)

    async def _once(self, of: Subscribed, pace: _Pace) -> bool:
        """One thing: its end, its beginning, some events or a heartbeat. Returns whether more may be due at once."""
        order = await self._order(of)
        if order is None:
            await self._fail(of, "The server cannot serve it any more; perhaps its endpoint is not allowed now.")
        elif order.end_ms is not None and order.end_ms <= self._services.clock():
            await self._end(of, "Its end has come.")
        elif of.status == "requested":
            await self._begin(of, order)
        elif order.endpoint is not None and of.status == "active":
            return await self._deliver(of, order, pace)
        return False

    async def _begin(self, of: Subscribed, order: Order) -> None:
        """A rest-hook begins when its endpoint has taken the handshake, a websocket at once."""
        principal = await self._subscriber_or_end(of)
        if principal is None:
            return
        if order.endpoint is not None:
            try:
                await self._send(order, await self._discloser.notice("handshake", of, order, principal))
            except Undelivered as failure:
                await self._fail(of, str(failure))
                return
        active = self._table.prepare_change(replace(of, status="active", error=""), starts=True)
        reason = "The endpoint took the handshake." if order.endpoint else "Clients may bind."
        await change_status(self._services, of, "active", reason, active)
        self._services.generations.changed(TOPIC)

    async def _deliver(self, of: Subscribed, order: Order, pace: _Pace) -> bool:
        """The next events, or a heartbeat. Returns whether it went out and more may be waiting."""
        loop = asyncio.get_running_loop()
        heartbeat_due = order.heartbeat_s and loop.time() - pace.last_sent >= order.heartbeat_s
        if of.delivered >= of.events and not heartbeat_due:
            return False
        events = await self._table.events(of, of.delivered + 1, of.events, order.max_count)
        if not events and of.delivered < of.events:  # so far behind that they are not kept: the numbers show the gap
            await self._table.mark_delivered(of, of.events)
            return True
        principal = await self._subscriber_or_end(of)
        if principal is None:
            return False
        notice = await self._discloser.notice(_kind(events), of, order, principal, events)
        try:
            await self._send(order, notice)
        except Undelivered as failure:
            await self._failed(of, pace, str(failure))
            return False
        pace.failures, pace.not_before, pace.last_sent = 0, 0.0, loop.time()
        if events:
            await self._table.mark_delivered(of, notice.last)
        return bool(events)

    async def _failed(self, of: Subscribed, pace: _Pace, reason: str) -> None:
        """Try again later, or give up: it is for the subscriber to begin again (R5 Backport, "Handling Errors")."""
        pace.failures += 1
        if pace.failures > len(self._retry_after_s):
            pace.failures = 0
            await self._fail(of, reason)
        else:
            pace.not_before = asyncio.get_running_loop().time() + self._retry_after_s[pace.failures - 1]

    async def _send(self, order: Order, notice: Notice) -> None:
        if order.endpoint is None:
            raise AssertionError(order)
        created_s, nonce = self._services.clock() // 1000, self._random(16).hex()
        key = self._services.keyring.notification_key
        signature = signed_headers(key, order.endpoint.uri, JSON_TYPE, notice.body, created_s=created_s, nonce=nonce)
        headers = [("Content-Type", JSON_TYPE), *order.headers, *notice.headers, *signature]
        hosts, timeout_s = self._services.notifiable, order.timeout_s
        await post(order.endpoint, headers, notice.body, hosts=hosts, trust=self._trust, timeout_s=timeout_s)

    # --------------------------------------------------------------------------------------------------------- ending

    async def _subscriber_or_end(self, of: Subscribed) -> Principal | None:
        principal = await self._discloser.subscriber(of)
        if principal is None:
            await self._end(of, "The subscriber's account has ended.")
        return principal

    async def _end_without_account(self, of: Subscribed) -> bool:
        return await self._subscriber_or_end(of) is None

    async def _end(self, of: Subscribed, reason: str) -> None:
        await change_status(self._services, of, "off", reason, self._table.prepare_remove(of))
        self._services.generations.changed(TOPIC)

    async def _fail(self, of: Subscribed, reason: str) -> None:
        failed = self._table.prepare_change(replace(of, status="error", error=reason))
        await change_status(self._services, of, "error", reason, failed)
        self._services.generations.changed(TOPIC)


def _kind(events: Sequence[Happened]) -> NoticeType:
    return "event-notification" if events else "heartbeat"

"""Websockets at ``/fhir/ws``: bound by one-time tokens, and told of events as they are found.

A socket belongs to the session that asked for its token, and ends with it. Nothing is queued for it: its events wait in
the database until it has taken those before them, so that a slow client costs nothing but its own time.
"""

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass, field

import orjson

from carekeep.encryption import Tampered
from carekeep.records import Forgotten, NotFound
from carekeep.storage import StorageError
from carekeep.web.http import Receive, Scope, Send
from carekeep.web.problems import Problem
from carekeep.web.services import Services
from carekeep.web.subscriptions.bindings import Binding, BindingRefused
from carekeep.web.subscriptions.disclosing import Discloser
from carekeep.web.subscriptions.notifications import NoticeType
from carekeep.web.subscriptions.orders import Order, read_order
from carekeep.web.subscriptions.table import TOPIC, Subscribed

PATH = "/fhir/ws"
_log = logging.getLogger("carekeep.web")
MOST_SOCKETS = 1_000  # of one worker
_MOST_BOUND = 50  # subscriptions of one socket
_LARGEST_MESSAGE = 4 * 1024
_BIND_WITHIN_S = 10.0
_SEND_WITHIN_S = 30.0
_LOOK_AGAIN_S = 30.0

_NORMAL, _UNSUPPORTED, _POLICY, _TOO_BIG, _OURS, _LATER = 1000, 1003, 1008, 1009, 1011, 1013
_BIND = re.compile(r"bind-with-token:?\s+(\S{1,100})\s*")


class _Close(Exception):
    """The socket is to be closed, with a code of RFC 6455 §7.4.1 and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Sockets:
    """The ASGI application for websockets, of one worker."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._discloser = Discloser(services)
        self._origin = services.fhir_url.removesuffix("/fhir")
        self._open: set[_Socket] = set()
        services.generations.watch(TOPIC, self._wake)
        services.generations.watch("accounts", self._wake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket, until either side closes it."""
        await receive()  # websocket.connect
        origin = dict(scope["headers"]).get(b"origin")
        # Programs send no Origin; a browser's page of another origin could use a token that it was given by mistake.
        foreign = origin is not None and origin.decode("latin-1") != self._origin
        if scope["path"] != PATH or foreign or len(self._open) >= MOST_SOCKETS:
            await send({"type": "websocket.close", "code": _POLICY})
            return
        await send({"type": "websocket.accept"})
        socket = _Socket(self._services, self._discloser, receive, send)
        self._open.add(socket)
        try:
            await socket.run()
        finally:
            self._open.discard(socket)

    def _wake(self) -> None:
        for socket in self._open:
            socket.wake()


@dataclass(slots=True)
class _Bound:
    """A subscription that a socket is bound to: who bound it, and the number of the last event that it was sent."""

    id: str
    account: str
    session: str
    sent: int | None = None
    last_sent: float = 0.0


@dataclass(eq=False, slots=True)
class _Socket:
    """One connection. Everything is sent by ``_tell``, so that messages never mix."""

    services: Services
    discloser: Discloser
    receive: Receive
    send: Send
    bound: dict[str, _Bound] = field(default_factory=dict)
    awake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """There may be events, or somebody's end."""
        self.awake.set()

    async def run(self) -> None:
        """Listen and tell until the end."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._tell())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:  # first: a close waits for a reader that is still there
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(next((task.exception() for task in done if task.exception() is not None), None))

    async def _close(self, error: BaseException | None) -> None:
        if error is None:
            return  # the client has gone
        if isinstance(error, _Close):
            closing = error
        elif isinstance(error, StorageError):
            closing = _Close(_LATER, "The database cannot take the work just now.")
        else:
            _log.error("unexpected %s on a socket", type(error).__name__)  # its text may hold what was sent
            closing = _Close(_OURS, "The server failed.")
        with contextlib.suppress(Exception):  # it may be closed already; there is nobody left to tell
            await self.send({"type": "websocket.close", "code": closing.code, "reason": str(closing)})

    # ------------------------------------------------------------------------------------------------------ listening

    async def _listen(self) -> None:
        while True:
            async with asyncio.timeout(None if self.bound else _BIND_WITHIN_S) as patience:
                message = await self._message(patience)
            if message["type"] == "websocket.disconnect":
                return
            await self._bind(_token(message.get("text"), message.get("bytes")))

    async def _message(self, patience: asyncio.Timeout) -> dict[str, object]:
        try:
            return dict(await self.receive())
        except asyncio.CancelledError:
            if patience.expired():
                raise _Close(_POLICY, "Bind with a token first.") from None
            raise

    async def _bind(self, token: str) -> None:
        try:
            binding = await self.services.bindings.redeem(token)
        except (BindingRefused, Tampered):
            raise _Close(_POLICY, "The token is unknown, used or expired.") from None
        if len(self.bound.keys() | set(binding.subscriptions)) > _MOST_BOUND:
            raise _Close(_POLICY, f"A socket is bound to {_MOST_BOUND} subscriptions at most.")
        for id_ in binding.subscriptions:
            self.bound[id_] = _bound(id_, binding)
        self.awake.set()

    # -------------------------------------------------------------------------------------------------------- telling

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.awake.clear()
            for each in tuple(self.bound.values()):
                while await self._serve(each, loop.time()):
                    pass
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(await self._patience(loop.time())):
                    await self.awake.wait()

    async def _serve(self, each: _Bound, now: float) -> bool:
        """The next message for one subscription. Returns whether there may be another one at once."""
        await self._check_session(each)
        of, order = await self._standing(each)
        if of is None or order is None:
            del self.bound[each.id]
            if not self.bound:
                raise _Close(_NORMAL, "The subscription has ended.")
            return False
        principal = await self.discloser.subscriber(of)
        if principal is None or principal.account_id != each.account:
            raise _Close(_POLICY, "The account has ended.")
        kind = _due(each, of, order, now)
        if kind is None:
            return False
        sent = of.delivered if each.sent is None else each.sent
        table = self.services.subscriptions
        events = await table.events(of, sent + 1, of.events, order.max_count) if kind == "event-notification" else []
        if kind == "event-notification" and not events:  # not kept any more: the numbers show the gap
            each.sent = of.events
            return True
        notice = await self.discloser.notice(kind, of, order, principal, events)
        await self._send(notice.body)
        each.sent, each.last_sent = (notice.last if events else sent), now
        if events:
            await table.mark_delivered(of, notice.last)
        return kind != "heartbeat"

    async def _send(self, body: bytes) -> None:
        try:
            async with asyncio.timeout(_SEND_WITHIN_S):
                await self.send({"type": "websocket.send", "text": body.decode()})
        except TimeoutError:
            raise _Close(_POLICY, "The client takes its messages too slowly.") from None

    async def _check_session(self, each: _Bound) -> None:
        sessions = await self.services.tokens.sessions(bytes.fromhex(each.account))
        if not any(session.session == each.session for session in sessions):
            raise _Close(_POLICY, "The session has ended.")

    async def _standing(self, each: _Bound) -> tuple[Subscribed | None, Order | None]:
        try:
            of = await self.services.subscriptions.get(each.id)
            record = await self.services.vault.read("Subscription", each.id)
            if of is None or record.deleted:
                return None, None
            order = read_order(record.resource, self.services.notifiable)
        except (NotFound, Forgotten, Problem, Tampered):
            return None, None
        ended = order.endpoint is not None or (order.end_ms is not None and order.end_ms <= self.services.clock())
        return (None, None) if ended else (of, order)

    async def _patience(self, now: float) -> float:
        """Until when to sleep: a heartbeat may be due, and sessions run out without anybody's doing."""
        longest = _LOOK_AGAIN_S
        for each in tuple(self.bound.values()):  # more may be bound while the database answers
            _, order = await self._standing(each)
            if order is not None and order.heartbeat_s:
                longest = min(longest, max(0.0, each.last_sent + order.heartbeat_s - now))
        return longest


def _due(each: _Bound, of: Subscribed, order: Order, now: float) -> NoticeType | None:
    if each.sent is None:
        return "handshake"
    if each.sent < of.events:
        return "event-notification"
    return "heartbeat" if order.heartbeat_s and now - each.last_sent >= order.heartbeat_s else None


def _bound(id_: str, binding: Binding) -> _Bound:
    return _Bound(id_, binding.account, binding.session)


def _token(text: object, data: object) -> str:
    """The token of a ``bind-with-token`` message: as text, or as the JSON object that some clients send."""
    if data is not None or not isinstance(text, str):
        raise _Close(_UNSUPPORTED, "Send text.")
    if len(text) > _LARGEST_MESSAGE:
        raise _Close(_TOO_BIG, "The message is too long.")
    found = _BIND.fullmatch(text)
    if found is not None:
        return found[1]
    try:
        message = orjson.loads(text)
        if message["type"] == "bind-with-token":
            return str(message["payload"]["token"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise _Close(_UNSUPPORTED, "Send bind-with-token and a token.")

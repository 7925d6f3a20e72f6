"""Server-sent events of a site, in one worker: pages that change while somebody looks at them.

A stream says only that there is something new; the page then asks again, and that is decided and recorded like any
request. A stream belongs to a browser's session: it ends within a second of it, and never keeps it alive.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from carekeep.audit import Entry, Ledger, read_batch
from carekeep.encryption import Tampered
from carekeep.identity import BrowserSession
from carekeep.storage import StorageError
from carekeep.web.http import PAGE_HEADERS, Request, Response
from carekeep.web.problems import problem
from carekeep.web.services import Services

MOST: Final = 500  # of one worker
MOST_OF_ONE: Final = 6  # of one account: windows that somebody has open
HEARTBEAT_S: Final = 15.0
_LOOK_EVERY_S: Final = 0.5
_BATCH: Final = 500
_FAR_BEHIND: Final = 5_000  # entries that are not read one by one: it is quicker to ask the page
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"))

About = Callable[[Entry], bool]


@dataclass(frozen=True, slots=True)
class Streamed(Response):
    """A response whose body goes on after ``body``, for as long as ``pieces`` do."""

    pieces: AsyncGenerator[bytes, None] | None = None


@dataclass(eq=False, slots=True)
class _Listener:
    """One stream. ``position``: the index of the ledger's entry from which on it was told nothing yet."""

    about: About
    position: int
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    news: bool = False


class LedgerBell:
    """Rings when an entry of the ledger is about what a stream shows. One reader for all streams of a worker."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._listeners: set[_Listener] = set()
        self._reader: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def listening(self, about: About, start: int) -> Iterator[_Listener]:
        """Somebody who is told of entries from index ``start`` on."""
        listener = _Listener(about, start)
        self._listeners.add(listener)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read())
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def wake(self) -> None:
        """Let every stream look whether its session goes on."""
        for listener in self._listeners:
            listener.awake.set()

    async def _read(self) -> None:
        while self._listeners:
            with contextlib.suppress(StorageError):  # it comes back; the heartbeats go on meanwhile
                await self._catch_up()
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _catch_up(self) -> None:
        size = await self._ledger.size()
        for listener in self._listeners:
            if not size - _FAR_BEHIND <= listener.position <= size:
                _ring(listener, size)
        while (start := min((each.position for each in self._listeners), default=size)) < size:
            batch = await read_batch(self._ledger, start, _BATCH)
            if batch.end == start:
                return
            for listener in self._listeners:
                new = (each for each in batch.entries if (each.index or 0) >= listener.position)
                if any(listener.about(each.entry) for each in new):
                    _ring(listener, batch.end)
                listener.position = max(listener.position, batch.end)


def _ring(listener: _Listener, position: int) -> None:
    listener.position, listener.news = position, True
    listener.awake.set()


class Streams:
    """The open streams of one site."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._bell = LedgerBell(services.ledger)
        self._open: Counter[bytes] = Counter()
        services.generations.watch("accounts", self._bell.wake)

    async def about(self, request: Request, session: BrowserSession, about: About, event: str) -> Streamed:
        """A stream of ``event`` whenever the ledger has something new. Raises 429 when there are too many.

        It goes on where the browser's former one ended (``Last-Event-ID``), or at ``from`` in the query: what happened
        between a page and its stream is not lost.
        """
        account = session.account.id
        if self._open.total() >= MOST or self._open[account] >= MOST_OF_ONE:
            raise problem(429, "throttled", "Too many pages are open at once. Close some, or reload this one by hand.")
        start = await self._start(request)
        pieces = self._pieces(request, session, about, event, start)
        return Streamed(200, b"retry: 1000\n\n", b"text/event-stream", _HEADERS, PAGE_HEADERS, pieces)

    async def _start(self, request: Request) -> int:
        given = request.header(b"last-event-id") or dict(request.pairs()).get("from", "")
        return int(given) if given.isascii() and given.isdecimal() and len(given) <= 15 else await self.place()  # noqa: PLR2004

    async def place(self) -> int:
        """Where a stream goes on from a page that is made now."""
        return await self._services.ledger.size()

    async def _pieces(
        self, request: Request, session: BrowserSession, about: About, event: str, start: int
    ) -> AsyncGenerator[bytes, None]:
        account = session.account.id
        self._open[account] += 1
        gone = asyncio.create_task(_gone(request))
        try:
            with self._bell.listening(about, start) as listener:
                gone.add_done_callback(lambda _: listener.awake.set())
                while (patience := await self._goes_on(session)) > 0 and not gone.done():
                    if listener.news:
                        listener.news = False
                        yield f"event: {event}\nid: {listener.position}\ndata: \n\n".encode()
                    listener.awake.clear()
                    try:
                        async with asyncio.timeout(min(HEARTBEAT_S, patience)):
                            await listener.awake.wait()
                    except TimeoutError:
                        yield b": still here\n\n"
            if not gone.done():
                yield b"event: over\ndata: \n\n"
        finally:
            gone.cancel()
            self._open -= Counter({account: 1})

    async def _goes_on(self, session: BrowserSession) -> float:
        """For how many seconds the session goes on if nothing more is done; a stream is no use of it."""
        try:
            found = await self._services.browser_sessions.of_account(session.account.id)
        except (StorageError, Tampered):
            return 0.0
        ends = [each.idle_end_ms for each in found if each.id == session.id and not each.account.disabled]
        return (max(ends) - self._services.clock()) / 1000 if ends else 0.0


async def _gone(request: Request) -> None:
    """Returns when the browser has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""One client process's loop: some connections, each with one request under way, over non-blocking TLS sockets."""

import select
import socket
import ssl
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.wire import BadResponse, read_head

_CHUNK = 1 << 18
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to do: ``connections`` at once for ``seconds`` after ``warmup_s`` that do not count.

    ``requests`` are sent in turn, round and round if ``cycle``, else until they are used up.
    """

    port: int
    certificate: str
    requests: tuple[bytes, ...]
    connections: int
    seconds: float
    warmup_s: float = 0.0
    cycle: bool = True


@dataclass(slots=True)
class Tally:
    """What came of it. ``latencies`` in seconds; ``busy``: the part of the time that this process was computing."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    busy: float = 0.0
    received: int = 0


class _Lane:
    """One connection: what is still to be sent, what has come, and when the request left."""

    __slots__ = ("awaited", "blocked", "received", "sent_at", "sock", "unsent")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.awaited: int | None = None
        self.unsent = memoryview(b"")
        self.blocked = False
        self.sent_at = 0.0


class _Client:
    """The loop. Counts what was sent after the warm-up."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._next = iter(_endless(task.requests) if task.cycle else task.requests)
        self._poll = select.epoll()
        self._chunk = bytearray(_CHUNK)
        self._view = memoryview(self._chunk)
        self._lanes: dict[int, _Lane] = {}
        self._tally = Tally()
        self._counts_from = 0.0
        self._stops_at = 0.0

    def run(self) -> Tally:
        """Until time or requests are over. Raises BadResponse, OSError, and TimeoutError when no answer comes."""
        for _ in range(self._task.connections):
            lane = _Lane(_connect(self._task))
            self._lanes[lane.sock.fileno()] = lane
            self._poll.register(lane.sock.fileno(), select.EPOLLIN)
        begun = time.perf_counter()
        self._counts_from = begun + self._task.warmup_s
        self._stops_at = self._counts_from + self._task.seconds
        used = time.process_time()
        for lane in list(self._lanes.values()):
            self._send_next(lane)
        while self._lanes:
            events = self._poll.poll(_PATIENCE_S)
            if not events:
                raise TimeoutError(f"The server did not answer for {_PATIENCE_S:.0f} seconds.")
            for number, event in events:
                self._serve(self._lanes[number], event)
        ended = time.perf_counter()
        self._tally.seconds = min(ended, self._stops_at) - self._counts_from
        self._tally.busy = (time.process_time() - used) / (ended - begun)
        return self._tally

    def _serve(self, lane: _Lane, event: int) -> None:
        if event & select.EPOLLOUT:
            self._push(lane)
        if event & ~select.EPOLLOUT:
            self._pull(lane)

    def _send_next(self, lane: _Lane) -> None:
        now = time.perf_counter()
        request = next(self._next, None) if now < self._stops_at else None
        if request is None:
            self._poll.unregister(lane.sock)
            del self._lanes[lane.sock.fileno()]
            lane.sock.close()
            return
        lane.sent_at = now
        lane.unsent = memoryview(request)
        self._push(lane)

    def _push(self, lane: _Lane) -> None:
        """Send what the socket takes; for the rest, wait until it takes more."""
        try:
            while lane.unsent:
                lane.unsent = lane.unsent[lane.sock.send(lane.unsent) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            lane.blocked = True
            self._poll.modify(lane.sock, select.EPOLLIN | select.EPOLLOUT)
            return
        if lane.blocked:
            lane.blocked = False
            self._poll.modify(lane.sock, select.EPOLLIN)

    def _pull(self, lane: _Lane) -> None:
        """Read what is there; a response is followed by the next request."""
        while True:
            try:
                count = lane.sock.recv_into(self._chunk)
            except ssl.SSLWantReadError:
                return
            if count == 0:
                raise BadResponse("The server closed a connection with a request under way.")
            lane.received += self._view[:count]
            self._tally.received += count
            if lane.awaited is None:
                head = read_head(lane.received)
                if head is None:
                    continue
                lane.awaited = head.size
                self._tally.statuses[head.status] += 1
            if len(lane.received) >= lane.awaited:
                break
        now = time.perf_counter()
        if lane.sent_at >= self._counts_from and now <= self._stops_at:
            self._tally.latencies.append(now - lane.sent_at)
        lane.received.clear()
        lane.awaited = None
        self._send_next(lane)


def _endless(requests: tuple[bytes, ...]) -> Iterator[bytes]:
    while True:
        yield from requests


def _connect(task: Task) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=task.certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    raw = socket.create_connection(("127.0.0.1", task.port), timeout=_PATIENCE_S)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock = context.wrap_socket(raw, server_hostname="localhost")
    sock.settimeout(0)
    return sock


def drive(task: Task) -> Tally:
    """Do a task, in this process."""
    return _Client(task).run()

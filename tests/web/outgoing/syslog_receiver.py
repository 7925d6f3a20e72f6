"""A real receiver of syslog over TLS (RFC 5425), which can also do what receivers should not."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from carekeep.encryption.certificates import make_local_authority


class Manner(Enum):
    """What it does with a connection."""

    TAKE = auto()
    CLOSE_MID_FRAME = auto()  # breaks off before it has all
    SAY_GOODBYE_FIRST = auto()  # ends TLS in order before it has read anything
    VANISH = auto()  # takes everything, and is killed before it has said so
    NEVER_READ = auto()
    READ_SLOWLY = auto()


@dataclass(slots=True)
class SyslogReceiver:
    """``manners`` are for the next connections; afterwards it takes what comes. ``messages`` came whole."""

    port: int
    trust: ssl.SSLContext
    folder: Path
    messages: list[bytes] = field(default_factory=list)
    manners: list[Manner] = field(default_factory=list)
    connections: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    _open: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def hosts(self) -> str:
        return f"localhost:{self.port} 127.0.0.0/8 ::1/128"

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task that this receiver keeps, so that nobody waits for what was collected."""
        if self.manners[:1] in (
            [Manner.VANISH],
            [Manner.CLOSE_MID_FRAME],
        ):  # or asyncio would answer close_notify before it is killed
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of streams can
        task = asyncio.create_task(self._serve(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._open.pop)

    async def end(self) -> None:
        """Break off every connection that is still open, and wait until nothing is left of them."""
        tasks = list(self._open)
        for task in tasks:
            self._open[task].transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        manner = self.manners.pop(0) if self.manners else Manner.TAKE
        try:
            await self._treat(manner, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.done.set()

    async def _treat(self, manner: Manner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match manner:
            case Manner.TAKE:
                await self._take(reader, 65536)
            case Manner.READ_SLOWLY:
                await self._take(reader, 97)
            case Manner.CLOSE_MID_FRAME:
                writer.transport.abort()
            case Manner.VANISH:
                for _ in range(20):  # turns of the loop, in which the sender says all that it has to say
                    await asyncio.sleep(0)
                writer.transport.abort()
            case Manner.NEVER_READ:
                writer.transport.pause_reading()  # type: ignore[attr-defined]  # a transport of streams can
                self.waiting.set()
                await asyncio.Event().wait()
            case Manner.SAY_GOODBYE_FIRST:
                pass  # the caller closes

    async def _take(self, reader: asyncio.StreamReader, chunk: int) -> None:
        while (length := await _length(reader)) is not None:
            message = b""
            while len(message) < length:
                message += await reader.readexactly(min(chunk, length - len(message)))
                await asyncio.sleep(0)
            self.messages.append(message)


async def _length(reader: asyncio.StreamReader) -> int | None:
    try:
        return int((await reader.readuntil(b" "))[:-1])
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None


@asynccontextmanager
async def running_syslog(folder: Path, *, port: int = 0, mutual: bool = False) -> AsyncIterator[SyslogReceiver]:
    """A receiver on this machine; ``mutual``: it asks its clients for a certificate of its authority."""
    if not (folder / "ca.pem").exists():
        make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if mutual:
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    receiver = SyslogReceiver(port, ssl.create_default_context(cafile=str(folder / "ca.pem")), folder)
    server = await asyncio.start_server(receiver.accept, "127.0.0.1", port, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.end()

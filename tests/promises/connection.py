"""A client that knows exactly what it was sent, to the byte: HTTP/1.1 over TLS by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.promises.installation import Installation


class Broken(ConnectionError):
    """The server went away before the answer's head was whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``body`` is None when the connection broke within it: the head was sent all the same."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


class Connection:
    """One connection to the server, kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self.token = token

    async def ask(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Reply:
        """One request. Raises Broken."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {
            "host": self._host,
            "authorization": f"Bearer {self.token}",
            "content-type": "application/fhir+json",
            "content-length": str(len(content)),
            **(headers or {}),
        }
        head = f"{method} {quote(path, safe='/?&=$%:|,+')} HTTP/1.1\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        try:
            self._writer.write(f"{head}{lines}\r\n".encode() + content)
            await self._writer.drain()
            return await self._read()
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Broken(str(error)) from None

    async def _read(self) -> Reply:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        status = int(head[0].split(" ")[1])
        try:
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except (OSError, asyncio.IncompleteReadError):
            return Reply(status, headers, None)
        return Reply(status, headers, body)


@asynccontextmanager
async def connected(installation: Installation, token: str) -> AsyncIterator[Connection]:
    """A connection to the server, which is dropped at the end. Raises OSError."""
    settings = installation.settings
    reader, writer = await asyncio.open_connection(
        settings.bind, settings.port, ssl=installation.tls, server_hostname="localhost"
    )
    try:
        yield Connection(reader, writer, f"localhost:{settings.port}", token)
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()

"""Getting one small document: an HTTP/1.1 GET over TLS, and nothing else."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from carekeep.web.outgoing.addresses import AllowedHosts, Endpoint
from carekeep.web.outgoing.connecting import AddressRefused, NotHttp, connect, read_head


class NotGot(Exception):
    """The document was not to be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was got. ``cache_control`` is that header, empty where there was none."""

    body: bytes
    cache_control: str


async def get(
    endpoint: Endpoint, accept: str, *, hosts: AllowedHosts, trust: ssl.SSLContext, timeout_s: float, largest: int
) -> Document:
    """The document at an endpoint: the body of a 200, of at most ``largest`` bytes. Raises NotGot."""
    async with in_time(timeout_s):
        return await _exchange(endpoint, accept, hosts, trust, largest)


@contextlib.asynccontextmanager
async def in_time(timeout_s: float) -> AsyncIterator[None]:
    """One exchange, with everything that can go wrong in it as NotGot."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise NotGot(f"no answer within {timeout_s:g} seconds") from None
    except (AddressRefused, NotHttp) as error:
        raise NotGot(str(error)) from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise NotGot(f"the connection failed ({type(error).__name__})") from None


async def _exchange(
    endpoint: Endpoint, accept: str, hosts: AllowedHosts, trust: ssl.SSLContext, largest: int
) -> Document:
    reader, writer = await connect(endpoint, hosts, trust)
    try:
        # HTTP/1.0, so that the body has no chunks: it ends where its length says, or with the connection.
        head = f"GET {endpoint.target} HTTP/1.0\r\nHost: {endpoint.authority}\r\nAccept: {accept}\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        status, headers = await read_head(reader)
        if status != HTTPStatus.OK:
            raise NotGot(f"the answer was {status}, not 200")
        if b"transfer-encoding" in headers or b"content-encoding" in headers:
            raise NotGot("the answer is encoded in a way that was not asked for")
        body = await read_body(reader, headers.get(b"content-length"), largest)
        return Document(body, headers.get(b"cache-control", b"").decode("latin-1"))
    finally:
        writer.close()


async def read_body(reader: asyncio.StreamReader, length: bytes | None, largest: int) -> bytes:
    """The body of an HTTP/1.0 answer, by its length if it has one. Raises NotGot, and what the reader raises."""
    if length is not None and (not length.isdigit() or len(length) > len(str(largest)) or int(length) > largest):
        raise NotGot(f"the answer is larger than {largest} bytes")
    if length is not None:
        return await reader.readexactly(int(length))
    body = bytearray()
    while chunk := await reader.read(largest + 1 - len(body)):
        body += chunk
        if len(body) > largest:
            raise NotGot(f"the answer is larger than {largest} bytes")
    return bytes(body)

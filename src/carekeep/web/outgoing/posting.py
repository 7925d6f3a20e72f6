"""Posting one small document and reading the answer, whatever its status: HTTP/1.0 over TLS, and nothing else."""

import ssl
from dataclasses import dataclass

from carekeep.web.outgoing.addresses import AllowedHosts, Endpoint
from carekeep.web.outgoing.connecting import connect, read_head
from carekeep.web.outgoing.getting import NotGot, in_time, read_body


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``content_type`` is that header, empty where there was none."""

    status: int
    content_type: str
    body: bytes


async def post(
    endpoint: Endpoint, body: bytes, *, hosts: AllowedHosts, trust: ssl.SSLContext, timeout_s: float, largest: int
) -> Reply:
    """POST plain text; the answer, with a body of at most ``largest`` bytes. Raises NotGot."""
    async with in_time(timeout_s):
        return await _exchange(endpoint, body, hosts, trust, largest)


async def _exchange(endpoint: Endpoint, body: bytes, hosts: AllowedHosts, trust: ssl.SSLContext, largest: int) -> Reply:
    reader, writer = await connect(endpoint, hosts, trust)
    try:
        # HTTP/1.0, so that the answer has no chunks.
        head = (
            f"POST {endpoint.target} HTTP/1.0\r\nHost: {endpoint.authority}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode("ascii") + body)
        await writer.drain()
        status, headers = await read_head(reader)
        if b"transfer-encoding" in headers or b"content-encoding" in headers:
            raise NotGot("the answer is encoded in a way that was not asked for")
        answer = await read_body(reader, headers.get(b"content-length"), largest)
        return Reply(status, headers.get(b"content-type", b"").decode("latin-1"), answer)
    finally:
        writer.close()

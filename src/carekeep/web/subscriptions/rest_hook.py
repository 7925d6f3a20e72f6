"""Sending one notification to a rest-hook: an HTTP/1.1 POST over TLS, and nothing else.

Written out rather than taken from an HTTP client, because the address that was checked must be the one that is
connected to, and because redirects, proxies, cookies and connection pools are just what must not happen here.
"""

import asyncio
import ipaddress
import re
import ssl
from collections.abc import Sequence
from http import HTTPStatus

from carekeep.web.subscriptions.addresses import AllowedHosts, Endpoint

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_LARGEST_HEAD = 16 * 1024
_MOST_INTERIM = 5

Header = tuple[str, str]


class Undelivered(Exception):
    """The receiver did not take a notification. The text says why, for the subscriber; it holds no health data."""


async def post(
    endpoint: Endpoint,
    headers: Sequence[Header],
    body: bytes,
    *,
    hosts: AllowedHosts,
    trust: ssl.SSLContext,
    timeout_s: float,
) -> None:
    """POST ``body``; returns when the receiver has answered with a 2xx. Raises Undelivered."""
    try:
        async with asyncio.timeout(timeout_s):
            status = await _exchange(endpoint, headers, body, hosts, trust)
    except TimeoutError:
        raise Undelivered(f"The receiver did not answer within {timeout_s:g} seconds.") from None
    except ssl.SSLCertVerificationError as error:
        raise Undelivered(f"The receiver's certificate is not accepted: {error.verify_message}.") from None
    except ssl.SSLError:
        raise Undelivered("No TLS connection could be made with the receiver.") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Undelivered("The receiver could not be reached, or broke the connection off.") from None
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise Undelivered(f"The receiver answered {status}. Notifications need a 2xx; redirects are not followed.")


async def _exchange(
    endpoint: Endpoint, headers: Sequence[Header], body: bytes, hosts: AllowedHosts, trust: ssl.SSLContext
) -> int:
    reader, writer = await _connect(endpoint, hosts, trust)
    try:
        writer.write(_head(endpoint, headers, len(body)) + body)
        await writer.drain()
        return await _status(reader)
    finally:
        writer.close()


async def _connect(
    endpoint: Endpoint, hosts: AllowedHosts, trust: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first of the name's addresses that takes one; many names have an IPv6 one that does not."""
    failure: OSError | None = None
    for address in await _addresses(endpoint, hosts):
        try:
            return await asyncio.open_connection(
                address, endpoint.port, ssl=trust, server_hostname=endpoint.host, limit=_LARGEST_HEAD
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure or OSError("the name has no address")


async def _addresses(endpoint: Endpoint, hosts: AllowedHosts) -> list[str]:
    """The addresses to try. One that is not allowed refuses all: a name with such a one is not to be trusted."""
    found = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, type=1, proto=6)
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses or not all(hosts.may_connect(address) for address in addresses):
        raise Undelivered("The endpoint's name leads to an address that this server may not connect to.")
    return [str(address) for address in addresses]


def _head(endpoint: Endpoint, headers: Sequence[Header], length: int) -> bytes:
    lines = [
        f"POST {endpoint.target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"Content-Length: {length}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


async def _status(reader: asyncio.StreamReader) -> int:
    """The final status; interim answers (1xx) are passed over. The body is not read: nothing in it is for us."""
    for _ in range(_MOST_INTERIM):
        head = await reader.readuntil(b"\r\n\r\n")
        found = _STATUS_LINE.fullmatch(head.partition(b"\r\n")[0])
        if found is None:
            raise Undelivered("The receiver's answer is not HTTP.")
        status = int(found[1])
        if status >= HTTPStatus.OK:
            return status
    raise Undelivered("The receiver's answer never ended.")

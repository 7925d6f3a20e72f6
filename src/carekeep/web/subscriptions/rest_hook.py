"""Sending one notification to a rest-hook: an HTTP/1.1 POST over TLS, and nothing else."""

import asyncio
import ssl
from collections.abc import Sequence
from http import HTTPStatus

from carekeep.web.outgoing import AddressRefused, AllowedHosts, Endpoint, connect
from carekeep.web.outgoing.connecting import NotHttp, read_head

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
    except AddressRefused as error:
        raise Undelivered(str(error)) from None
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
    reader, writer = await connect(endpoint, hosts, trust)
    try:
        writer.write(_head(endpoint, headers, len(body)) + body)
        await writer.drain()
        status, _ = await read_head(reader)  # the body is not read: nothing in it is for us
    except NotHttp as error:
        raise Undelivered(f"The receiver's answer cannot be used: {error}.") from None
    else:
        return status
    finally:
        writer.close()


def _head(endpoint: Endpoint, headers: Sequence[Header], length: int) -> bytes:
    lines = [
        f"POST {endpoint.target} HTTP/1.1",
        f"Host: {endpoint.authority}",
        f"Content-Length: {length}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")

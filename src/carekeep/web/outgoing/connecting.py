"""A TLS connection to an endpoint, at an address that may be used; and the head of an HTTP/1.1 answer.

Written out rather than taken from an HTTP client, because the address that was checked must be the one that is
connected to, and because redirects, proxies, cookies and connection pools are just what must not happen here.
"""

import asyncio
import ipaddress
import re
import ssl
from http import HTTPStatus

from carekeep.web.outgoing.addresses import AllowedHosts, Endpoint

LARGEST_HEAD = 16 * 1024
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_MOST_INTERIM = 5


class AddressRefused(Exception):
    """The name of an endpoint leads to where this server may not connect."""


class NotHttp(Exception):
    """The answer is none that can be understood; the text says why."""


async def connect(
    endpoint: Endpoint, hosts: AllowedHosts, trust: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first of the name's addresses that takes one; many names have an IPv6 one that does not.

    Raises AddressRefused, OSError (ssl.SSLError among them).
    """
    failure: OSError | None = None
    for address in await addresses_of(endpoint, hosts):
        try:
            return await asyncio.open_connection(
                address, endpoint.port, ssl=trust, server_hostname=endpoint.host, limit=LARGEST_HEAD
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
    raise failure or OSError("the name has no address")


async def addresses_of(endpoint: Endpoint, hosts: AllowedHosts) -> list[str]:
    """The addresses to try. One that is not allowed refuses all: a name with such a one is not to be trusted.

    Raises AddressRefused, OSError.
    """
    found = await asyncio.get_running_loop().getaddrinfo(endpoint.host, endpoint.port, type=1, proto=6)
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses or not all(hosts.may_connect(address) for address in addresses):
        raise AddressRefused("The endpoint's name leads to an address that this server may not connect to.")
    return [str(address) for address in addresses]


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    """The final status and the headers, names in lower case; interim answers (1xx) are passed over.

    Raises NotHttp, and what the reader raises. Of a header that stands twice the values are joined by commas.
    """
    for _ in range(_MOST_INTERIM):
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        found = _STATUS_LINE.fullmatch(first)
        if found is None:
            raise NotHttp("it is not HTTP")
        status = int(found[1])
        if status >= HTTPStatus.OK:
            return status, _headers(lines)
    raise NotHttp("it never ended")


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip()
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers

"""Small documents from servers that an administrator named: bounded in size and time, over TLS, following nothing."""

import asyncio
import http.client
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LARGEST = 256 * 1024
_TIMEOUT_S = 5.0


class FetchRefused(Exception):
    """The document was not to be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its status, and at most 256 KiB of content."""

    status: int
    body: bytes


Fetch = Callable[[str, Mapping[str, str], bytes | None], Awaitable[Fetched]]
"""``(url, headers, body)``: a GET, or with a body a POST. Raises FetchRefused."""


def https_fetch(trust: ssl.SSLContext | None = None) -> Fetch:
    """Fetching over https, by the system's certificate authorities or those of ``trust``."""
    context = trust or ssl.create_default_context()

    async def fetch(url: str, headers: Mapping[str, str], body: bytes | None) -> Fetched:
        return await asyncio.to_thread(_fetch, url, headers, body, context)

    return fetch


def _fetch(url: str, headers: Mapping[str, str], body: bytes | None, context: ssl.SSLContext) -> Fetched:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise FetchRefused("Only https URLs are fetched.")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context)
    try:
        connection.request("GET" if body is None else "POST", target, body, {**headers, "Accept": "application/json"})
        response = connection.getresponse()
        content = response.read(_LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise FetchRefused(f"{parts.hostname} did not answer ({type(error).__name__}).") from None
    finally:
        connection.close()
    if len(content) > _LARGEST:
        raise FetchRefused(f"{parts.hostname} answered more than {_LARGEST} bytes.")
    return Fetched(response.status, content)

"""Requests and responses as data classes, between ASGI and the routes. Every input is bounded here."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_PATH = 1024
MAX_QUERY = 16_384
MAX_HEADER = 8_192
MAX_FIELDS = 200
_MAX_DIGITS = 15

CERTIFICATE = "carekeep.certificate"
"""Where in the ASGI scope the client's certificate is, once the front has said so."""

API_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

"""Those of answers to programs."""

PAGE_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # with "no-referrer" a form would say `Origin: null`
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""Those of answers to browsers; what they may run and keep (CSP, Cache-Control) each says itself."""


# RFC 9110 §8.6: these have no content, and say nothing of a length.
_WITHOUT_CONTENT = frozenset({204, 304})


class BadRequest(Exception):
    """The request cannot be understood. ``status`` is the HTTP status; the text echoes nothing of the request."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """What the routes see of a request.

    ``address`` is the client's, ``certificate`` the one of its TLS client authentication (DER); see forwarding.py.
    ``is_head``: it was a HEAD, and is answered as a GET.
    """

    method: str
    segments: tuple[str, ...]
    query: str
    headers: dict[bytes, bytes]
    address: str | None
    receive: Receive
    certificate: bytes | None = None
    is_head: bool = False

    def header(self, name: bytes) -> str | None:
        """A header as text, or None. Raises BadRequest for one that is too long or not ASCII."""
        value = self.headers.get(name)
        if value is None:
            return None
        if len(value) > MAX_HEADER or not value.isascii():
            raise BadRequest(f"The header {name.decode()} is too long or not plain ASCII.")
        return value.decode("ascii")

    def pairs(self) -> list[tuple[str, str]]:
        """The query's parameters, in order."""
        return form_pairs(self.query)

    async def body(self, limit: int) -> bytes:
        """The whole body, at most ``limit`` bytes. Raises BadRequest (413) for a longer one."""
        declared = number(self.headers.get(b"content-length", b"0").decode("latin-1"))
        if declared is None or declared > limit:
            raise BadRequest(f"The body may be at most {limit} bytes.", 413)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("The body ended before its end.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise BadRequest(f"The body may be at most {limit} bytes.", 413)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if len(chunks) > 1 else chunks[0]


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. ``headers`` come after those that every answer of its sort carries."""

    status: int
    body: bytes = b""
    content_type: bytes = b"application/fhir+json; charset=utf-8"
    headers: tuple[tuple[bytes, bytes], ...] = field(default=())
    always: tuple[tuple[bytes, bytes], ...] = API_HEADERS

    def with_headers(self, *headers: tuple[bytes, bytes]) -> "Response":
        """The same answer with more headers."""
        return replace(self, headers=(*self.headers, *headers))


def form_pairs(text: str) -> list[tuple[str, str]]:
    """``application/x-www-form-urlencoded`` text as pairs. Raises BadRequest for broken UTF-8 or too many fields."""
    if not text:
        return []
    try:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=False, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest(f"The parameters are not UTF-8, or more than {MAX_FIELDS}.") from None


def number(text: str) -> int | None:
    """A number without a sign, of at most 15 digits; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None


def read_request(scope: Scope, receive: Receive) -> Request:
    """The request behind an ASGI scope. Raises BadRequest for what no route could mean."""
    raw_path: str = scope["path"]
    query: bytes = scope["query_string"]
    if len(raw_path) > MAX_PATH or len(query) > MAX_QUERY:
        raise BadRequest("The URL is too long. Use POST _search for long queries.", 414)
    if "\x00" in raw_path or "\ufffd" in raw_path or not query.isascii():
        raise BadRequest("The URL is not plain ASCII with percent-encoded UTF-8.")
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _SINGLE:
            raise BadRequest(f"The header {name.decode()} may stand only once.")
        # RFC 9113 §8.2.3: over HTTP/2 each cookie may come in a field of its own.
        headers[name] = headers[name] + b"; " + value if name == b"cookie" and name in headers else value
    client = scope.get("client")
    return Request(
        method=scope["method"],
        segments=tuple(raw_path[1:].split("/")),
        query=query.decode("ascii"),
        headers=headers,
        address=client[0] if client else None,
        receive=receive,
        certificate=scope.get(CERTIFICATE),
    )


# A second value of these would let a proxy and us read two different requests.
_SINGLE = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"dpop",
        b"host",
        b"if-match",
        b"if-none-exist",
        b"x-purpose-of-use",
        b"x-security-context",
    }
)


async def send_response(response: Response, send: Send, *, head: bool = False) -> None:
    """Send a whole response; of the answer to a HEAD everything but the body."""
    headers = [*response.always, *response.headers]
    if response.status not in _WITHOUT_CONTENT:
        length = (b"content-length", b"%d" % len(response.body))
        headers = [(b"content-type", response.content_type), length, *headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else response.body})


async def send_pieces(first: Response, pieces: AsyncIterator[bytes], send: Send) -> None:
    """Send a response whose body is made while it is sent: ``first.body``, then the pieces. Its length is not known."""
    headers = [(b"content-type", first.content_type), *first.always, *first.headers]
    await send({"type": "http.response.start", "status": first.status, "headers": headers})
    await send({"type": "http.response.body", "body": first.body, "more_body": True})
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})

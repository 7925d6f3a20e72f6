"""What pages of other origins may read (CORS, Fetch Standard): apps that run in a browser, as in SMART App Launch.

Nothing that a browser adds by itself counts at these URLs: cookies belong to the sign-in host, and a token is sent by
the page that has it. So any origin may read, and none with credentials.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from carekeep.web.http import Receive, Response, Scope, Send, send_response

# What these lists name beside what browsers let through anyway.
_TOLD = (
    *("Content-Location", "DPoP-Nonce", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Ledger-Entry"),
    *("X-Progress", "X-Request-Id"),
)
_SENT = (
    *("Accept", "Authorization", "Content-Type", "DPoP", "If-Match", "If-Modified-Since", "If-None-Exist"),
    *("If-None-Match", "Prefer", "X-Purpose-Of-Use", "X-Request-Id"),
)
_READABLE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", ", ".join(_TOLD).encode()),
)
_ALLOWED = (
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", ", ".join(_SENT).encode()),
    (b"access-control-max-age", b"600"),
)


class OpenToPages:
    """A part of the application, with answers that any page may read."""

    def __init__(self, part: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; the browser's question before it is answered here."""

        async def readable(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_READABLE]
            await send(message)

        if scope["method"] == "OPTIONS":
            await send_response(Response(204, headers=_ALLOWED), readable)
        else:
            await self._part(scope, receive, readable)

"""The ASGI application: which part answers which path."""

from collections.abc import Awaitable, Callable

from carekeep.web.bulk import BulkRoutes
from carekeep.web.exchange import LedgerRoutes
from carekeep.web.fhir import FhirRoutes
from carekeep.web.http import Receive, Response, Scope, Send, send_response
from carekeep.web.problems import answer, problem
from carekeep.web.services import Services
from carekeep.web.sessions import SessionRoutes
from carekeep.web.subscriptions.publishing import SigningKeys
from carekeep.web.subscriptions.sockets import Sockets

_TEXT = b"text/plain; charset=utf-8"


Part = Callable[[Scope, Receive, Send], Awaitable[None]]


class WebApplication:
    """Everything that is served.

    FHIR at ``/fhir`` (websockets at ``/fhir/ws``), bulk jobs at ``/bulk``, sign-in at ``/auth``, the public ledger at
    ``/ledger``, the key of notifications below ``/.well-known``. Parts for browsers will answer on hostnames of their
    own; the Host header decides nothing yet.
    """

    def __init__(self, services: Services) -> None:
        self._parts: dict[str, Part] = {
            "fhir": FhirRoutes(services),
            "bulk": BulkRoutes(services),
            "auth": SessionRoutes(services),
            "ledger": LedgerRoutes(services),
            ".well-known": SigningKeys(services),
        }
        self._sockets = Sockets(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        if scope["type"] == "websocket":
            await self._sockets(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        part = self._parts.get(scope["path"][1:].partition("/")[0])
        if part is not None:
            await part(scope, receive, send)
        elif scope["path"] == "/healthz":
            await send_response(Response(200, b"ok\n", _TEXT), send)
        else:
            await send_response(answer(problem(404, "not-found", "There is nothing at this URL.")), send)

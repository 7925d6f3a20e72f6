"""The ASGI application: which part answers which host and path."""

from collections.abc import Awaitable, Callable, Mapping

from carekeep.identity.apps.own import CONSOLE, PORTAL, OwnSite
from carekeep.web.admin import AdminRoutes
from carekeep.web.bulk import BulkRoutes
from carekeep.web.console import console
from carekeep.web.cors import OpenToPages
from carekeep.web.devices import DeviceRoutes
from carekeep.web.exchange import LedgerRoutes
from carekeep.web.fhir import FhirRoutes
from carekeep.web.forwarding import Forwarding
from carekeep.web.http import BadRequest, Receive, Response, Scope, Send, send_response
from carekeep.web.oauth import OAuthRoutes, api_documents, issuer_documents
from carekeep.web.oauth.udap import PATH as UDAP
from carekeep.web.oauth.udap import UdapDocument
from carekeep.web.origins import asked_authority, authority
from carekeep.web.portal import portal
from carekeep.web.problems import answer, problem
from carekeep.web.reviews import ReviewRoutes
from carekeep.web.scim import ScimRoutes
from carekeep.web.security_txt import PATH as SECURITY_TXT
from carekeep.web.services import Services
from carekeep.web.sessions import SessionRoutes
from carekeep.web.sharing import GuestRoutes, LinkRoutes, OpenLinks
from carekeep.web.sign_in import SEGMENTS, SignInSite
from carekeep.web.subscriptions.publishing import SigningKeys
from carekeep.web.subscriptions.sockets import Sockets

_TEXT = b"text/plain; charset=utf-8"
_POLICY = 1008  # RFC 6455 §7.4.1


Part = Callable[[Scope, Receive, Send], Awaitable[None]]
_SITES: Mapping[str, Callable[[OwnSite, Services], Part]] = {PORTAL: portal, CONSOLE: console}


class WebApplication:
    """Everything that is served, by the host that a request names, and the whole path or its first segment.

    The API host: FHIR at ``/fhir`` (websockets at ``/fhir/ws``), bulk jobs at ``/bulk``, sign-in at ``/auth``, tokens
    of apps at ``/oauth``, the public ledger at ``/ledger``, machines at ``/devices``, administration at ``/admin``,
    what emergencies leave open at ``/reviews``, links to records at ``/links`` and, for whoever has one,
    ``/shl``, guests at ``/guests``, the key of notifications below ``/.well-known``. The sign-in host: pages of people.
    Every host: ``/.well-known/security.txt``. Any host, known or not: ``/healthz``, which tells nothing.
    """

    def __init__(self, services: Services) -> None:
        self._api = authority(services.fhir_url)
        self._origins: Mapping[bytes, Mapping[str, Part]] = {
            self._api: _api_parts(services),
            authority(services.auth_url): _sign_in_parts(services),
        }
        self._sites: Mapping[bytes, Part] = {
            authority(site.origin): _SITES[site.name](site, services) for site in services.own_sites
        }
        self._sockets = Sockets(services)
        self._forwarding = Forwarding(services.front_secret)
        self._security_text = services.security_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._forwarding.settle(scope)
        path: str = scope["path"]
        if path == "/healthz":
            await send_response(Response(200, b"ok\n", _TEXT), send)
            return
        try:
            asked = asked_authority(scope)
            parts = self._origins.get(asked)
        except BadRequest as error:
            await send_response(answer(problem(error.status, "structure", str(error))), send)
            return
        if parts is None and asked in self._sites and path != SECURITY_TXT:
            await self._sites[asked](scope, receive, send)
        elif parts is None and asked not in self._sites:
            await send_response(answer(problem(421, "not-found", "This server does not answer for that host.")), send)
        elif path == SECURITY_TXT:
            await send_response(self._security_txt(scope["method"]), send, head=scope["method"] == "HEAD")
        elif parts and (part := parts.get(path) or parts.get(path[1:].partition("/")[0])) is not None:
            await part(scope, receive, send)
        else:
            await send_response(answer(problem(404, "not-found", "There is nothing at this URL.")), send)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._forwarding.settle(scope)
        try:
            is_ours = asked_authority(scope) == self._api
        except BadRequest:
            is_ours = False
        if is_ours:
            await self._sockets(scope, receive, send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": _POLICY})

    def _security_txt(self, method: str) -> Response:
        if not self._security_text:
            return answer(problem(404, "not-found", "There is nothing at this URL."))
        if method not in {"GET", "HEAD"}:
            return answer(problem(405, "not-supported", "Here only GET can be used."))
        return Response(200, self._security_text, _TEXT)


def _api_parts(services: Services) -> Mapping[str, Part]:
    """What programs use, by the whole path or its first segment."""
    documents = api_documents(services)
    return {
        **dict.fromkeys(documents.paths, OpenToPages(documents)),
        UDAP: UdapDocument(services),
        "fhir": OpenToPages(FhirRoutes(services)),
        "bulk": BulkRoutes(services),
        "auth": SessionRoutes(services),
        "ledger": LedgerRoutes(services),
        "oauth": OpenToPages(OAuthRoutes(services)),
        "devices": DeviceRoutes(services),
        "admin": AdminRoutes(services),
        "reviews": ReviewRoutes(services),
        "scim": ScimRoutes(services),
        "links": LinkRoutes(services),
        "shl": OpenToPages(OpenLinks(services)),
        "guests": GuestRoutes(services),
        ".well-known": SigningKeys(services),
    }


def _sign_in_parts(services: Services) -> Mapping[str, Part]:
    """What people use to sign in, by the whole path or its first segment."""
    site, documents = SignInSite(services), issuer_documents(services)
    return {**dict.fromkeys(SEGMENTS, site), **dict.fromkeys(documents.paths, OpenToPages(documents))}

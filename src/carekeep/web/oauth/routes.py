"""The endpoints for programs: what stands where, and how every answer is made and recorded."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from carekeep.access import Action
from carekeep.storage import StorageError
from carekeep.web.http import BadRequest, Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.oauth.answers import json_answer, refusal
from carekeep.web.oauth.asking import Asked
from carekeep.web.oauth.inspecting import introspect, revoke, userinfo
from carekeep.web.oauth.launching import launch
from carekeep.web.oauth.pacing import Pace
from carekeep.web.oauth.protocol import Refused
from carekeep.web.oauth.pushing import push
from carekeep.web.oauth.registering import register
from carekeep.web.oauth.token import token
from carekeep.web.oauth.urls import Urls
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

Endpoint = Callable[[Asked], Awaitable[Response]]

_POSTED: Mapping[str, tuple[Endpoint, Action]] = MappingProxyType(
    {
        "token": (token, Action.TOKEN_ISSUE),
        "introspect": (introspect, Action.TOKEN_INSPECT),
        "revoke": (revoke, Action.TOKEN_REVOKE),
        "par": (push, Action.GRANT_GIVE),
        "launch": (launch, Action.LAUNCH),
    }
)


class OAuthRoutes:
    """The ASGI application at ``/oauth`` on the API host."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._urls = Urls.of(services)
        self._pace = Pace(services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        passage: Passage | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            response = await self._route(Asked(passage, self._urls), request)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace leaves
            response = _failed(error)
        trace = passage.trace() if passage else ()
        headers = (*response.headers, *trace)
        response = Response(response.status, response.body, response.content_type, headers)
        await send_response(response, send, head=scope["method"] == "HEAD")

    async def _route(self, asked: Asked, request: Request) -> Response:
        match (request.method, request.segments[1:]):
            case ("POST", ("register",)):
                return await _recorded(asked, lambda each: register(each, self._pace), Action.CLIENT_REGISTER)
            case ("POST", (name,)) if name in _POSTED:
                return await _recorded(asked, *_POSTED[name])
            case ("GET" | "POST", ("userinfo",)):
                return await userinfo(asked)
            case ("GET" | "HEAD", ("jwks",)):
                return await _jwks(asked)
            case (_, (name,)) if name in {*_POSTED, "register", "userinfo", "jwks"}:
                raise problem(405, "not-supported", "This endpoint takes POST (userinfo GET as well, jwks GET only).")
        raise problem(404, "not-found", "There is nothing at this URL.")


async def _recorded(asked: Asked, endpoint: Endpoint, action: Action) -> Response:
    """The endpoint's answer, or its refusal with an entry that says why."""
    try:
        return await endpoint(asked)
    except Refused as refused:
        if asked.passage.entry_id is None:
            await asked.passage.record(action, "denied", reason=refused.reason)
        return refusal(refused, asked.services.proofs.nonce())


async def _jwks(asked: Asked) -> Response:
    """The public keys of id tokens (RFC 7517); the first ones are made when somebody asks."""
    keys = asked.services.apps.signing_keys
    published = await keys.published()
    if not published:
        made = await keys.ready()
        await asked.passage.record(Action.KEY_MANAGE, "permitted", made, reason="the first keys of id tokens")
        published = made.value
    return json_answer({"keys": [key.public() for key in published]})


def _failed(error: Exception) -> Response:
    found = as_problem(error)
    if isinstance(error, BadRequest):
        return refusal(Refused("invalid_request", str(error)), "")
    if isinstance(error, StorageError):
        return refusal(Refused("temporarily_unavailable", "The database is busy. Try again."), "")
    if found is not None:
        return answer(found)
    return unexpected(error, "OAuth")

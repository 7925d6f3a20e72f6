"""Signing in with password and one-time code, for a bearer token; and signing out."""

from typing import Any

import orjson

from carekeep.access import Action
from carekeep.encryption import Secret
from carekeep.fhir import Issue
from carekeep.identity import IssuedToken, Kind, Principal, SignInRefused, SignInThrottled
from carekeep.storage import Conflict, Prepared
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_MAX_BODY = 8 * 1024
_LIFETIME_MS = 12 * 3600 * 1000
_JSON = b"application/json"


class SessionRoutes:
    """The ASGI application at ``/auth``: ``POST sign-in``, ``POST sign-out``, ``GET session``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        passage: Passage | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            response = await self._route(passage, request)
        except Exception as error:  # noqa: BLE001 - the last line of defence
            found = as_problem(error)
            response = answer(found) if found else unexpected(error, "sign-in by JSON")
        trace = passage.trace() if passage else ()
        headers = (*response.headers, *trace)
        await send_response(Response(response.status, response.body, response.content_type, headers), send)

    async def _route(self, passage: Passage, request: Request) -> Response:
        match (request.method, request.segments[1:]):
            case ("POST", ("sign-in",)):
                return await _sign_in(passage)
            case ("POST", ("sign-out",)):
                return await _sign_out(passage)
            case ("GET", ("session",)):
                return await _session(passage)
        raise problem(404, "not-found", "There is nothing at this URL.")


async def _sign_in(passage: Passage) -> Response:
    login, password, code = _credentials(await passage.request.body(_MAX_BODY))
    services = passage.services
    for _ in range(3):  # two sign-ins of one account at once race for the account's row
        try:
            verified = await services.sign_in.verify(login, password, code, address=passage.request.address)
            who = verified.value
            issued = services.tokens.prepare_issue(who.account, who.assurance, _LIFETIME_MS, methods=who.methods)
            passage.describe(issued.value.principal)
            await passage.record(Action.SIGN_IN, "permitted", verified, issued, reason="signed in")
        except SignInRefused as refused:
            passage.suspect(refused.account_id)
            await passage.record(Action.SIGN_IN, "denied", reason=refused.reason)
            raise _refusal(refused) from None
        except Conflict:
            continue
        return _token_answer(issued.value, _LIFETIME_MS)
    raise problem(409, "conflict", "This account is signing in elsewhere at this moment. Try again.")


def _refusal(refused: SignInRefused) -> Problem:
    if not isinstance(refused, SignInThrottled):
        return problem(401, "login", str(refused))
    wait = () if refused.wait_ms is None else ((b"retry-after", str(refused.wait_ms // 1000 + 1).encode()),)
    return Problem(429, Issue("error", "throttled", "", str(refused)), headers=wait)


def _token_answer(issued: IssuedToken, lifetime_ms: int) -> Response:
    body: dict[str, Any] = {
        "access_token": issued.secret.reveal().decode(),
        "token_type": "Bearer",
        "expires_in": lifetime_ms // 1000,
    }
    return Response(200, orjson.dumps(body), _JSON)


async def _sign_out(passage: Passage) -> Response:
    principal = await passage.authenticate(Action.SIGN_OUT)
    revoked = await _end_of(passage, principal)
    await passage.record(Action.SIGN_OUT, "permitted", revoked, reason="signed out")
    return Response(204)


async def _end_of(passage: Passage, principal: Principal) -> Prepared[None]:
    """The end of a session. A guest has no other one, nor a way to open it, so it ends what they were invited to."""
    if principal.kind is not Kind.GUEST:
        return await passage.services.tokens.prepare_revoke(principal.session)
    guests = passage.services.sharing.guests
    guest = await guests.get(bytes.fromhex(principal.account_id))
    return Prepared(None, ()) if guest is None else guests.prepare_end(guest)


async def _session(passage: Passage) -> Response:
    principal = await passage.authenticate(Action.SESSION)
    body = {
        "name": principal.name,
        "kind": principal.kind,
        "fhirUser": principal.fhir_user,
        "assurance": principal.assurance,
        "authenticated_ms": principal.authenticated_ms,
    }
    return Response(200, orjson.dumps(body), _JSON)


def _credentials(body: bytes) -> tuple[str, Secret, str | None]:
    """Login, password and code from a JSON object. Raises 400, and never says what was in it."""
    try:
        given = orjson.loads(body)
        login, password, code = given["login"], given["password"], given.get("totp")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise problem(400, "required", "Send JSON with login, password and, if you have one, totp.") from None
    if not isinstance(login, str) or not isinstance(password, str) or not isinstance(code, str | None):
        raise problem(400, "value", "login, password and totp must be text.")
    return login, Secret(password), code

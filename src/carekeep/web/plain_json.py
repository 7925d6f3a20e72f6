"""Small JSON endpoints beside FHIR: how a request's object is read, and how every answer is made and recorded."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from carekeep.identity import IdentityError, TokenRefused
from carekeep.identity.posture import PostureRefused
from carekeep.records.disposal import DisposalRefused
from carekeep.records.holding import Held
from carekeep.storage import Conflict, StorageError
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

JSON = b"application/json"
LARGEST_BODY = 16 * 1024
_ATTEMPTS = 3
_REFUSALS = (IdentityError, PostureRefused, DisposalRefused, Held)

Route = Callable[[Passage], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Given:
    """A JSON object that somebody sent. Its members are asked for by name; what is not asked for is passed over."""

    members: Mapping[str, Any]

    def text(self, name: str, longest: int = 500, default: str | None = None) -> str:
        """A text; ``default`` where it is not there. Raises 400."""
        value = self.members.get(name, default)
        if not isinstance(value, str) or len(value) > longest:
            raise problem(400, "value", f"{name} must be text of at most {longest} characters.")
        return value

    def flag(self, name: str) -> bool:
        """True or false. Raises 400."""
        value = self.members.get(name)
        if not isinstance(value, bool):
            raise problem(400, "value", f"{name} must be true or false.")
        return value

    def id(self, name: str) -> bytes:
        """An id: 32 hexadecimal digits. Raises 400."""
        found = id_of(self.text(name, 32))
        if found is None:
            raise problem(400, "value", f"{name} must be 32 hexadecimal digits.")
        return found

    def objects(self, name: str, most: int) -> "list[Given]":
        """A list of at most ``most`` objects. Raises 400."""
        value = self.members.get(name)
        if not isinstance(value, list) or len(value) > most or not all(isinstance(each, dict) for each in value):
            raise problem(400, "value", f"{name} must be a list of at most {most} objects.")
        return [Given(each) for each in value]


def id_of(text: str) -> bytes | None:
    """The 16 bytes that 32 hexadecimal digits write; None for other text."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if found.hex() == text and len(found) == 16 else None  # noqa: PLR2004 - as said above


async def read_object(request: Request, limit: int = LARGEST_BODY) -> Given:
    """The object in a request's body. Raises BadRequest, 400."""
    try:
        members = orjson.loads(await request.body(limit) or b"{}")
    except orjson.JSONDecodeError:
        raise problem(400, "structure", "The body must be a JSON object.") from None
    if not isinstance(members, dict):
        raise problem(400, "structure", "The body must be a JSON object.")
    return Given(members)


def told(facts: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(status, orjson.dumps(facts), JSON)


async def serve(services: Services, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
    """One request, one response; what goes wrong becomes an OperationOutcome, and an entry once we know who asked."""
    passage: Passage | None = None
    try:
        passage = Passage(services, read_request(scope, receive))
        response = await route(passage)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace leaves
        response = await _refused(passage, error)
    trace = passage.trace() if passage else ()
    headers = (*response.headers, *trace)
    await send_response(Response(response.status, response.body, response.content_type, headers), send)


async def retried(work: Callable[[], Awaitable[Response]]) -> Response:
    """Do what prepares and records, and do it anew when something changed meanwhile. Raises Conflict at last."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await work()
        except Conflict:
            continue
    return await work()


async def _refused(passage: Passage | None, error: Exception) -> Response:
    response = _answer_to(error)
    if passage is not None and passage.is_unrecorded and response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        reason = str(error) if isinstance(error, IdentityError) else f"answered with {response.status}"
        try:
            await passage.record("web:request:refuse", "failed", reason=reason)
        except StorageError as failure:
            return _answer_to(failure)
    return response


def _answer_to(error: Exception) -> Response:
    if isinstance(error, _REFUSALS) and not isinstance(error, TokenRefused):
        return answer(problem(422, "business-rule", str(error)))
    found = as_problem(error)
    if found is not None:
        return answer(found)
    return unexpected(error, "a JSON endpoint")

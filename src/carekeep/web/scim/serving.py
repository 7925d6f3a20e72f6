"""Which part answers a method and a path, and how whatever goes wrong is answered and recorded."""

from http import HTTPStatus

from scim2_models import NotImplementedException

from carekeep.access import Action
from carekeep.web.http import Receive, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem
from carekeep.web.scim import discovery, groups, users
from carekeep.web.scim.answers import reason_of, refused
from carekeep.web.scim.asking import Asked, ask
from carekeep.web.scim.searching import PLACES, search_by_body, search_by_query
from carekeep.web.services import Services

_NO_GROUP_WRITES = "Groups follow from userType and cannot be written. Change the users."
_NOT_HERE = "There is nothing of this here. ServiceProviderConfig says what there is."
_DISCOVERY = frozenset({"ServiceProviderConfig", "ResourceTypes", "Schemas"})


async def serve(services: Services, scope: Scope, receive: Receive, send: Send) -> None:
    """One request, one response."""
    passage: Passage | None = None
    try:
        passage = Passage(services, read_request(scope, receive))
        response = await _route(await ask(passage))
    except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace leaves
        response = await _refused(passage, error)
    trace = passage.trace() if passage else ()
    headers = (*response.headers, *trace)
    await send_response(Response(response.status, response.body, response.content_type, headers), send)


async def _route(asked: Asked) -> Response:
    method = asked.request.method
    match asked.request.segments[1:]:
        case ("v2",) | ("v2", "") if method == "GET":
            return await search_by_query(asked, PLACES[""])
        case ("v2", ".search") if method == "POST":
            return await search_by_body(asked, PLACES[""])
        case ("v2", "Users", *rest):
            return await _users(asked, method, rest)
        case ("v2", "Groups", *rest):
            return await _groups(asked, method, rest)
        case ("v2", part, *rest) if part in _DISCOVERY:
            return await _discovery(asked, method, part, rest)
        case ("v2", "Bulk" | "Me", *_):
            raise NotImplementedException(detail=_NOT_HERE)
    raise problem(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this URL.")


async def _users(asked: Asked, method: str, rest: list[str]) -> Response:
    match (method, rest):
        case ("GET", []):
            return await search_by_query(asked, PLACES["Users"])
        case ("POST", []):
            return await users.create(asked)
        case ("POST", [".search"]):
            return await search_by_body(asked, PLACES["Users"])
        case ("GET", [id_]):
            return await users.show(asked, id_)
        case ("PUT", [id_]):
            return await users.replace(asked, id_)
        case ("PATCH", [id_]):
            return await users.patch(asked, id_)
        case ("DELETE", [id_]):
            return await users.delete(asked, id_)
    raise _nothing(rest)


async def _groups(asked: Asked, method: str, rest: list[str]) -> Response:
    match (method, rest):
        case ("GET", []):
            return await search_by_query(asked, PLACES["Groups"])
        case ("POST", [".search"]):
            return await search_by_body(asked, PLACES["Groups"])
        case ("GET", [id_]):
            return await groups.show(asked, id_)
        case ("POST" | "PUT" | "PATCH" | "DELETE", [] | [_]):
            raise NotImplementedException(detail=_NO_GROUP_WRITES)
    raise _nothing(rest)


async def _discovery(asked: Asked, method: str, part: str, rest: list[str]) -> Response:
    if method != "GET":
        raise _nothing(rest)
    match (part, rest):
        case ("ServiceProviderConfig", []):
            return await discovery.show_config(asked)
        case ("ResourceTypes", [] | [_]):
            return await discovery.show_resource_types(asked, rest[0] if rest else None)
        case ("Schemas", [] | [_]):
            return await discovery.show_schemas(asked, rest[0] if rest else None)
    raise problem(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this URL.")


def _nothing(rest: list[str]) -> Exception:
    if len(rest) > 1:
        return problem(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this URL.")
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, "not-supported", "This method means nothing here.")


async def _refused(passage: Passage | None, error: Exception) -> Response:
    response = refused(error)
    is_ours = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and response.status != HTTPStatus.NOT_IMPLEMENTED
    if passage is not None and passage.is_unrecorded and not is_ours:
        try:
            await passage.record(Action.ACCOUNT_PROVISION, "failed", reason=reason_of(error, response.status))
        except Exception as failure:  # noqa: BLE001 - without its entry no answer leaves
            return refused(failure)
    return response

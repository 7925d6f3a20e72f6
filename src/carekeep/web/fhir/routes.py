"""Which interaction a method and a path mean."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from types import MappingProxyType

from carekeep.storage import StorageError
from carekeep.web.fhir import conditional, histories, interactions, searching
from carekeep.web.fhir.asked import Where
from carekeep.web.fhir.auditing import AUDIT_EVENT, audit_event, audit_events, audit_events_by_post
from carekeep.web.fhir.binaries import wants_content
from carekeep.web.fhir.bodies import check_accept, known_type
from carekeep.web.fhir.capability import Capability, authorization_facts
from carekeep.web.fhir.operations import Level, operation_at
from carekeep.web.fhir.transactions import bundle
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
REFUSED = "fhir:request:refuse"

_ON_RECORD: Mapping[str, Callable[[Passage, str, str], Awaitable[Response]]] = MappingProxyType(
    {
        "GET": interactions.read,
        "PUT": interactions.update,
        "PATCH": interactions.patch,
        "DELETE": interactions.delete,
    }
)
_ON_TYPE: Mapping[str, Callable[[Passage, str], Awaitable[Response]]] = MappingProxyType(
    {
        "POST": interactions.create,
        "PUT": conditional.update_where,
        "PATCH": conditional.patch_where,
        "DELETE": conditional.delete_where,
    }
)


class FhirRoutes:
    """The ASGI application of the FHIR API, mounted at ``/fhir``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._capability = Capability(services.fhir_url, authorization_facts(services))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; whatever goes wrong becomes an OperationOutcome."""
        passage: Passage | None = None
        head = scope["method"] == "HEAD"
        try:
            request = read_request(scope, receive)
            if head:  # as a GET in everything, its ledger entry too, but for the body (RFC 9110 §9.3.2)
                request = replace(request, method="GET", is_head=True)
            passage = Passage(self._services, request)
            if not wants_content(request):
                check_accept(request)
            response = await self._route(passage, request)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace leaves
            response = await _refused(passage, error)
        trace = passage.trace() if passage else ()
        await send_response(
            Response(response.status, response.body, response.content_type, (*response.headers, *trace)),
            send,
            head=head,
        )

    async def _route(self, passage: Passage, request: Request) -> Response:  # noqa: PLR0911 - a table of routes
        match request.segments[1:]:
            case ("metadata",):
                only(request, "GET")
                return self._capability.answer(dict(request.pairs()).get("mode", "full"))
            case () | ("",):
                only(request, "GET", "POST")
                if request.method == "GET":
                    return await searching.search(passage, Where(""))
                return await bundle(passage, self._route)
            case ("AuditEvent", *_) | ("Patient", _, "AuditEvent", *_) if (found := _audit(request)) is not None:
                return await found(passage)
            case (*place, "_search"):
                only(request, "POST")
                return await searching.search_by_post(passage, _searched(place))
            case (*place, name) if name.startswith("$"):
                return await operate(passage, request, place, name)
            case (*place, "_history"):
                only(request, "GET")
                return await _history(passage, place)
            case (type_,):
                return await self._on_type(passage, request, known_type(type_))
            case (type_, id_):
                return await self._on_record(passage, request, known_type(type_), checked_id(id_))
            case (type_, id_, "_history", version):
                only(request, "GET")
                return await interactions.vread(passage, known_type(type_), checked_id(id_), version)
            case (type_, id_, name):
                only(request, "GET")
                return await searching.search(passage, _searched([type_, id_, name]))
        raise problem(404, "not-found", "There is nothing at this URL.")

    async def _on_type(self, passage: Passage, request: Request, type_: str) -> Response:
        only(request, "GET", *_ON_TYPE)
        if request.method == "GET":
            return await searching.search(passage, Where(type_))
        return await _ON_TYPE[request.method](passage, type_)

    async def _on_record(self, passage: Passage, request: Request, type_: str, id_: str) -> Response:
        only(request, *_ON_RECORD)
        return await _ON_RECORD[request.method](passage, type_, id_)


def _audit(request: Request) -> Callable[[Passage], Awaitable[Response]] | None:
    """How AuditEvents are read, which are not records but views of the ledger. None: the path is of another kind."""
    match (request.method, *request.segments[1:]):
        case ("GET", type_) if type_ == AUDIT_EVENT:
            return audit_events
        case ("POST", _, "_search"):
            return audit_events_by_post
        case ("GET", type_, id_) if type_ == AUDIT_EVENT and id_[:1] not in "_$":
            return partial(audit_event, event_id=checked_id(id_))
        case ("GET", "Patient", id_, _):
            return partial(audit_events, patient=checked_id(id_))
        case ("POST", "Patient", id_, _, "_search"):
            return partial(audit_events_by_post, patient=checked_id(id_))
    return None


_LEVELS: tuple[Level, ...] = ("system", "type", "instance")


async def operate(passage: Passage, request: Request, place: list[str], name: str) -> Response:
    """Run the operation of a name, at the level that the part of the URL before it says. Raises 404 for none."""
    if len(place) >= len(_LEVELS):
        raise problem(404, "not-found", "There is nothing at this URL.")
    type_ = known_type(place[0]) if place else ""
    id_ = checked_id(place[1]) if place[1:] else ""
    operation = operation_at(_LEVELS[len(place)], name.removeprefix("$"), type_)
    if operation is None:
        raise problem(404, "not-supported", "There is no operation of this name here.")
    only(request, *operation.methods)
    return await operation.run(passage, type_, id_)


async def _history(passage: Passage, place: list[str]) -> Response:
    """The history of what the part of the URL before it names."""
    match place:
        case []:
            return await histories.of_everything(passage)
        case [type_]:
            return await histories.of_type(passage, known_type(type_))
        case [type_, id_]:
            return await histories.of_record(passage, known_type(type_), checked_id(id_))
    raise problem(404, "not-found", "There is nothing at this URL.")


def _searched(place: list[str]) -> Where:
    """Where a search is to look, from the part of the URL that says it. Raises 404 for what is no such place."""
    match place:
        case []:
            return Where("")
        case [type_]:
            return Where(known_type(type_))
        case [name, id_]:
            return searching.compartment(known_type(name), checked_id(id_), "*")
        case [name, id_, type_]:
            return searching.compartment(known_type(name), checked_id(id_), type_)
    raise problem(404, "not-found", "There is nothing at this URL.")


def only(request: Request, *methods: str) -> None:
    """Raises 405 for other methods."""
    if request.method not in methods:
        refusal = problem(405, "not-supported", f"Here only {', '.join(methods)} can be used.")
        refusal.headers = ((b"allow", ", ".join(methods).encode()),)
        raise refusal


def checked_id(id_: str) -> str:
    """A FHIR id from the URL. Raises 404 for what cannot be one."""
    if not _ID.fullmatch(id_):
        raise problem(404, "not-found", "No record can have the id in the URL.")
    return id_


async def _refused(passage: Passage | None, error: Exception) -> Response:
    """The answer to a request that could not be done. It has its entry too, once it is known who asked."""
    response = _answer_to(error)
    if passage is not None and passage.is_unrecorded and response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        try:
            await passage.record(REFUSED, "failed", reason=f"answered with {response.status}")
        except StorageError as failure:
            return _answer_to(failure)
    return response


def _answer_to(error: Exception) -> Response:
    found = as_problem(error)
    if found is not None:
        return answer(found)
    return unexpected(error, "FHIR")

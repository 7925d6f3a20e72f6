"""Which interaction a method and a path mean."""

import logging
import re
from collections.abc import Awaitable, Callable

from carekeep.web.fhir import interactions, searching
from carekeep.web.fhir.bodies import check_accept, known_type
from carekeep.web.fhir.capability import Capability
from carekeep.web.fhir.operations import Level, operation_at
from carekeep.web.fhir.transactions import bundle
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_log = logging.getLogger("carekeep.web")

Interaction = Callable[[Passage], Awaitable[Response]]


class FhirRoutes:
    """The ASGI application of the FHIR API, mounted at ``/fhir``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._capability = Capability(services.fhir_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; whatever goes wrong becomes an OperationOutcome."""
        passage: Passage | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            check_accept(request)
            response = await self._route(passage, request)
        except Exception as error:  # noqa: BLE001 - the last line of defence: no stack trace leaves
            response = _answer_to(error)
        trace = passage.trace() if passage else ()
        await send_response(
            Response(response.status, response.body, response.content_type, (*response.headers, *trace)), send
        )

    async def _route(self, passage: Passage, request: Request) -> Response:
        match request.segments[1:]:
            case ("metadata",):
                only(request, "GET")
                return self._capability.answer()
            case () | ("",):
                only(request, "POST")
                return await bundle(passage, self._route)
            case (name,) if name.startswith("$"):
                return await operate(passage, request, "system", name, "", "")
            case (type_, name) if name.startswith("$"):
                return await operate(passage, request, "type", name, known_type(type_), "")
            case (type_, id_, name) if name.startswith("$"):
                return await operate(passage, request, "instance", name, known_type(type_), checked_id(id_))
            case (type_,):
                return await self._on_type(passage, request, known_type(type_))
            case (type_, "_search"):
                only(request, "POST")
                return await searching.search_by_post(passage, known_type(type_))
            case (type_, id_):
                return await self._on_record(passage, request, known_type(type_), checked_id(id_))
            case (type_, id_, "_history"):
                only(request, "GET")
                return await interactions.history(passage, known_type(type_), checked_id(id_))
            case (type_, id_, "_history", version):
                only(request, "GET")
                return await interactions.vread(passage, known_type(type_), checked_id(id_), version)
        raise problem(404, "not-found", "There is nothing at this URL.")

    async def _on_type(self, passage: Passage, request: Request, type_: str) -> Response:
        only(request, "GET", "POST")
        if request.method == "GET":
            return await searching.search_by_get(passage, type_)
        return await interactions.create(passage, type_)

    async def _on_record(self, passage: Passage, request: Request, type_: str, id_: str) -> Response:
        only(request, "GET", "PUT", "DELETE")
        if request.method == "GET":
            return await interactions.read(passage, type_, id_)
        if request.method == "PUT":
            return await interactions.update(passage, type_, id_)
        return await interactions.delete(passage, type_, id_)


async def operate(passage: Passage, request: Request, level: Level, name: str, type_: str, id_: str) -> Response:
    """Run the operation of a name. Raises 404 when there is none here."""
    operation = operation_at(level, name.removeprefix("$"), type_)
    if operation is None:
        raise problem(404, "not-supported", "There is no operation of this name here.")
    only(request, *operation.methods)
    return await operation.run(passage, type_, id_)


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


def _answer_to(error: Exception) -> Response:
    found = as_problem(error)
    if found is not None:
        return answer(found)
    # The class and the place only: messages of unknown exceptions can hold what was in the request.
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    _log.error("unexpected %s at %s", type(error).__name__, where)
    return unexpected()

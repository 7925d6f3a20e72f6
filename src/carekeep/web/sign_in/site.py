"""Which page answers which path, and what a person sees when something cannot be done."""

from collections.abc import Awaitable, Callable, Mapping

from carekeep.fhir import Issue
from carekeep.identity import IdentityError
from carekeep.storage import Conflict
from carekeep.web.browser import Pages, StaticFiles, redirect
from carekeep.web.http import Receive, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, as_problem, log_unexpected, problem
from carekeep.web.services import Services
from carekeep.web.sign_in import allowing, changing, checking, invited, outside, signing_in
from carekeep.web.sign_in.visits import HOME, Elsewhere, Visit, as_json, nothing_here, visit

_TITLES = {
    400: "That cannot be understood",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That happened at the same time elsewhere",
    413: "That is too much",
    429: "Too often",
}
_NO_OTHER = Issue("error", "not-supported", "", "Pages are opened and forms are sent here; nothing else.")


async def _home(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    del to
    if method == "GET" and not rest:
        return redirect(HOME)
    raise nothing_here()


async def _file(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    match (method, rest):
        case ("GET", (name,)):
            found = to.static.answer(name)
            if found is not None:
                return found
    raise nothing_here()


_FAILED = "The server failed at this request."

# Each takes the visit, the method and what follows the first segment of the path.
_PAGES: Mapping[str, Callable[[Visit, str, tuple[str, ...]], Awaitable[Response]]] = {
    "": _home,
    "static": _file,
    "sign-in": signing_in.sign_in,
    "sign-out": signing_in.sign_out,
    "authorize": allowing.answer,
    "account": changing.answer,
    "invitation": invited.answer,
    "ledger": checking.answer,
    "federation": outside.begin,
    "federation-callback": outside.finish,
}
SEGMENTS = frozenset(_PAGES)


class SignInSite:
    """The ASGI application of the sign-in host, but for its metadata below ``/.well-known``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._static = StaticFiles()
        self._pages = Pages(self._static)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        passage: Passage | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            response = await self._route(await visit(self._services, request, passage, self._pages, self._static))
        except Elsewhere as elsewhere:
            response = _elsewhere(elsewhere, wants_json=_wants_json(scope))
        except Exception as error:  # noqa: BLE001 - the last line of defence
            response = self._failed(error, wants_json=_wants_json(scope))
        trace = passage.trace() if passage else ()
        await send_response(response.with_headers(*trace), send, head=scope["method"] == "HEAD")

    async def _route(self, to: Visit) -> Response:
        method = "GET" if to.request.method == "HEAD" else to.request.method
        if method not in {"GET", "POST"}:
            raise Problem(405, _NO_OTHER, headers=((b"allow", b"GET, HEAD, POST"),))
        if method == "POST" and to.request.segments != ("authorize",):  # which apps may send a browser to by POST
            await to.require_own_page()
        answer = _PAGES[to.request.segments[0]]
        return await answer(to, method, to.request.segments[1:])

    def _failed(self, error: Exception, *, wants_json: bool) -> Response:
        found = _problem(error)
        if found is None:
            log_unexpected(error, "the pages")
        if wants_json:
            says = found.issues[0].diagnostics if found else _FAILED
            return as_json({"message": says}, status=found.status if found else 500)
        if found is None:
            return Response(500, _FAILED.encode(), b"text/plain; charset=utf-8")
        title = _TITLES.get(found.status, "That did not work")
        return self._pages.page(
            "message.html",
            status=found.status,
            headers=found.headers,
            title=title,
            text=found.issues[0].diagnostics,
            link=(HOME, "To my page"),
        )


def _elsewhere(elsewhere: Elsewhere, *, wants_json: bool) -> Response:
    """A script is told where to go on: by a redirect it would be handed the page instead of going there."""
    if not wants_json or not elsewhere.place:
        return elsewhere.response
    says = "Something must be done first, on another page."
    return as_json({"message": says, "location": elsewhere.place}, status=401)


def _problem(error: Exception) -> Problem | None:
    if isinstance(error, Conflict):
        return problem(409, "conflict", "Something changed at the same moment. Please try again.")
    if isinstance(error, IdentityError):
        return problem(400, "value", str(error))
    return as_problem(error)


def _wants_json(scope: Scope) -> bool:
    """Whether it is one of the site's own scripts that asks."""
    return any(name == b"content-type" and value.startswith(b"application/json") for name, value in scope["headers"])

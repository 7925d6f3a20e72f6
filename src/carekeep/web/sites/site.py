"""A site for people: which page answers which path, and what is shown when something cannot be done."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from carekeep.access import Purpose
from carekeep.fhir import Issue
from carekeep.identity import IdentityError, Kind
from carekeep.identity.apps.own import OwnSite
from carekeep.storage import Conflict
from carekeep.web.browser import Pages, StaticFiles, read_form, redirect, safe_path
from carekeep.web.browser.languages import language_cookie
from carekeep.web.http import Receive, Response, Scope, Send, read_request, send_pieces, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, as_problem, log_unexpected, problem
from carekeep.web.services import Services
from carekeep.web.sites import entering
from carekeep.web.sites.streams import Streamed, Streams
from carekeep.web.sites.visit import HOME, Elsewhere, Visit, nothing_here, visit

TITLES: Final[Mapping[int, str]] = {
    400: "That cannot be understood",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That happened at the same time elsewhere",
    413: "That is too much",
    429: "Too often",
}
_NO_OTHER = Issue("error", "not-supported", "", "Pages are opened and forms are sent here; nothing else.")
_FAILED = "The server failed at this request."

Answer = Callable[[Visit, str, tuple[str, ...]], Awaitable[Response]]
"""Takes the visit, the method (GET or POST), and what follows the first segment of the path."""


@dataclass(frozen=True, slots=True)
class Page:
    """What answers below one first segment of the path, and for whom. Others are told that there is nothing.

    With a ``title`` (English) and an ``icon`` it stands in the navigation, in the order of the site's pages. Requests
    below it state ``purpose`` as their purpose of use, if it says one: it is in the address, so it is never changed
    unnoticed. One that ``is_open`` answers whoever asks and finds out itself who that is.
    """

    answer: Answer
    kinds: frozenset[Kind]
    title: str = ""
    icon: str = ""
    purpose: Purpose | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A page in the navigation."""

    path: str
    title: str
    icon: str


class Site:
    """The ASGI application of one site. ``pages``: by the first segment of their paths; "" is the first page."""

    def __init__(self, site: OwnSite, services: Services, pages: Mapping[str, Page], room: str) -> None:
        """``room``: the package with the site's own templates, texts and static files."""
        self._site = site
        self._services = services
        self._own = pages
        self._streams = Streams(services)
        self._static = StaticFiles((__package__ or "", room))
        self._pages = Pages(self._static, (room, __package__ or ""), trusted_types="htmx")

    def _links(self, kind: Kind) -> tuple[Link, ...]:
        """The navigation of people of this kind."""
        own = self._own.items()
        return tuple(Link(path, page.title, page.icon) for path, page in own if page.title and kind in page.kinds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        passage: Passage | None = None
        to: Visit | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            to = await visit(self._site, self._services, request, passage, self._pages, self._links, self._streams)
            response = await self._route(to)
        except Elsewhere as elsewhere:
            response = elsewhere.response
        except Exception as error:  # noqa: BLE001 - the last line of defence
            response = _failed(error, to)
        trace = passage.trace() if passage else ()
        response = response.with_headers(*trace)
        if isinstance(response, Streamed) and response.pieces is not None and scope["method"] == "GET":
            async with contextlib.aclosing(response.pieces) as pieces:
                await send_pieces(response, pieces, send)
            return
        await send_response(response, send, head=scope["method"] == "HEAD")

    async def _route(self, to: Visit) -> Response:
        method = "GET" if to.request.method == "HEAD" else to.request.method
        if method not in {"GET", "POST"}:
            raise Problem(405, _NO_OTHER, headers=((b"allow", b"GET, HEAD, POST"),))
        if method == "POST":
            await to.require_own_page()
        match (method, to.request.segments):
            case ("GET", ("static", name)):
                return self._file(name)
            case ("POST", ("enter",)):
                return await entering.begin(to)
            case ("GET", ("entered",)):
                return await entering.finish(to)
            case ("POST", ("sign-out",)):
                return await entering.leave(to)
            case ("GET", ("signed-out",)):
                return to.page("signed_out.html")
            case ("POST", ("still-here",)) if to.session is not None:
                return Response(200, str(to.lasts_ms).encode(), b"text/plain; charset=utf-8")
            case ("POST", ("language",)):
                return await _speak(to)
        return await self._page(to, method)

    async def _page(self, to: Visit, method: str) -> Response:
        first, *rest = to.request.segments
        page = self._own.get(first)
        if page is not None and page.is_open:
            return await page.answer(to, method, tuple(rest))
        if to.session is None:
            return to.page("welcome.html", status=200 if to.here == "/" else 401, next=to.here)
        links = self._links(to.account.kind)
        if page is None or to.account.kind not in page.kinds:
            if to.here == HOME and method == "GET" and links:  # whose first page is another one
                return redirect(f"/{links[0].path}")
            raise nothing_here()
        if page.purpose is not None:
            to.passage.purpose = page.purpose
        return await page.answer(to, method, tuple(rest))

    def _file(self, name: str) -> Response:
        found = self._static.answer(name)
        if found is None:
            raise nothing_here()
        return found


async def _speak(to: Visit) -> Response:
    """The choice of a language, and back to the page where it was made."""
    form = await read_form(to.request)
    try:
        return redirect(safe_path(form.get("next"), "/"), language_cookie(form.get("language")))
    except KeyError:
        raise nothing_here() from None


def _failed(error: Exception, to: Visit | None) -> Response:
    found = _problem(error)
    if found is None:
        log_unexpected(error, "the pages")
    if found is None or to is None:
        return Response(500, _FAILED.encode(), b"text/plain; charset=utf-8")
    title = TITLES.get(found.status, "That did not work")
    response = to.page("message.html", status=found.status, title=title, text=found.issues[0].diagnostics)
    return response.with_headers(*found.headers)


def _problem(error: Exception) -> Problem | None:
    if isinstance(error, Conflict):
        return problem(409, "conflict", "Something changed at the same moment. Please try again.")
    if isinstance(error, IdentityError):
        return problem(400, "value", str(error))
    return as_problem(error)

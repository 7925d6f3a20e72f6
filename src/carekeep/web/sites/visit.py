"""One request of a browser to the portal or the console: who sits there, and how to answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from carekeep.access import Action, Decision, Target, default_purpose
from carekeep.fhir.documents.words import human_name
from carekeep.identity import Account, BrowserSession, BrowserSessionRefused, Kind, principal_of
from carekeep.identity.apps.own import OwnSite
from carekeep.records import Forgotten, NotFound
from carekeep.web.browser import Pages, read_cookie, refuse_other_origins
from carekeep.web.browser.languages import language_of
from carekeep.web.browser.sessions import as_session
from carekeep.web.http import Request, Response
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem
from carekeep.web.services import Services
from carekeep.web.sites.streams import Streams

SESSION_COOKIE = "session"
HOME = "/"


Links = Callable[[Kind], tuple[Any, ...]]
"""The navigation of people of one kind."""


class Elsewhere(Exception):
    """The answer is another page, where something must be done first."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, its passage, and the site's pages. ``session`` is None for somebody who has not come in.

    ``streams``: where pages get their server-sent events. ``acts_for``: the name of the patient for whom somebody acts
    who is none here; None for everybody else.
    """

    site: OwnSite
    services: Services
    request: Request
    passage: Passage
    pages: Pages
    links: Links
    session: BrowserSession | None
    streams: Streams
    acts_for: str | None = None

    @property
    def account(self) -> Account:
        """Whose session it is; only on pages that are for those who came in."""
        assert self.session is not None  # noqa: S101 - a site that forgets to ask is a defect of ours
        return self.session.account

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asked, for a part of the page that it shows already."""
        return self.request.header(b"hx-request") == "true"

    @property
    def lasts_ms(self) -> int:
        """How long the session goes on if nothing more is done."""
        return self.session.idle_end_ms - self.services.clock() if self.session else 0

    @property
    def here(self) -> str:
        """Path and query of a GET, to come back to; the first page for anything else."""
        request = self.request
        if request.method not in {"GET", "HEAD"}:
            return HOME
        path = "/" + "/".join(quote(segment, safe="") for segment in request.segments)
        return f"{path}?{request.query}" if request.query else path

    def asked(self, name: str) -> str:
        """A parameter of the address; empty when it is not there. Addresses hold nothing of anybody."""
        return dict(self.request.pairs()).get(name, "")

    async def require_own_page(self) -> None:
        """Raises 403, recorded, when the request does not come from a page of this site."""
        try:
            refuse_other_origins(self.request, self.site.origin)
        except Problem:
            await self.passage.record(Action.SESSION, "denied", reason="the request is from a page of another origin")
            raise

    async def require(self, action: Action, target: Target | None = None, *, back: str = "") -> Decision:
        """The decision that permits this now. Raises 403, recorded; or Elsewhere, where signing in once more helps.

        ``back``: the path to come back to from there; that of this request, unless it says otherwise.
        """
        target = target or Target()
        decision = await self.passage.judge(action, target)
        if decision.permitted:
            return decision
        await self.passage.record(action, "denied", decision=decision, patients=target.patients)
        if decision.step_up is None:
            raise problem(403, "forbidden", decision.reason)
        raise Elsewhere(self.page("again.html", status=403, reason=decision.reason, next=back or self.here))

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page of this site; ``site``, ``visit`` and ``me`` are known to every template."""
        me = self.session.account if self.session else None
        links = self.links(me.kind) if me else ()
        language = language_of(self.request)
        return self.pages.page(
            template, status=status, language=language, site=self.site, visit=self, me=me, links=links, **values
        )


async def visit(
    site: OwnSite,
    services: Services,
    request: Request,
    passage: Passage,
    pages: Pages,
    links: Links,
    streams: Streams,
) -> Visit:
    """The visit behind a request: its cookie is looked up, and the passage acts for whoever it is."""
    session = await _session(site, services, request)
    if session is not None:
        principal = principal_of(session.account, as_session(session))
        passage.principal, passage.purpose = principal, default_purpose(principal.kind)
        passage.describe(principal)
    acts_for = None if session is None else await _acts_for(passage)
    return Visit(site, services, request, passage, pages, links, session, streams, acts_for)


async def _acts_for(passage: Passage) -> str | None:
    """The name of the patient for whom the person acts, as far as they may read it; entries say on whose behalf."""
    patient = await passage.services.relationships.acts_for(passage.principal)
    if patient is None:
        return None
    passage.agent = replace(passage.agent, on_behalf_of=f"Patient/{patient}")
    try:
        stored = await passage.services.vault.read("Patient", patient)
    except (NotFound, Forgotten):
        return ""
    decision = await passage.judge(Action.READ, passage.target_of(stored))
    return human_name(abide(decision, stored).resource) if decision.permitted and not stored.deleted else ""


async def _session(site: OwnSite, services: Services, request: Request) -> BrowserSession | None:
    value = read_cookie(request, SESSION_COOKIE)
    if value is None:
        return None
    try:
        return await services.browser_sessions.authenticate(value, site.name)
    except BrowserSessionRefused:  # a cookie that is over is no attack: the person is asked to come in again
        return None


def nothing_here() -> Problem:
    """The answer for paths that lead nowhere."""
    return problem(404, "not-found", "There is nothing at this address.")

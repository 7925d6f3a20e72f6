"""One request of a browser to the sign-in host: who sits there, and how to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from carekeep.access import Action, Target, default_purpose
from carekeep.identity import Account, BrowserSession, BrowserSessionRefused, principal_of
from carekeep.web.browser import Pages, StaticFiles, read_cookie, redirect, refuse_other_origins
from carekeep.web.browser.cookies import Header, cookie
from carekeep.web.browser.sessions import as_session
from carekeep.web.http import Request, Response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem
from carekeep.web.services import Services

SESSION_COOKIE = "session"
CEREMONY_COOKIE = "ceremony"
BROWSER_COOKIE = "browser"
TOTP_COOKIE = "totp"
HOME = "/account"
_SECOND_FACTOR = 2  # the assurance level
_BROWSER_SECONDS = 90 * 86_400
_CEREMONY_SECONDS = 300


class Elsewhere(Exception):
    """The answer is another page, where something must be done first."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response

    @property
    def place(self) -> str:
        """Where that page is, for a script of ours that asked; empty when the page is the answer itself."""
        return dict(self.response.headers).get(b"location", b"").decode("ascii")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, its passage, and the site's pages. ``session`` is None for somebody who is not signed in."""

    services: Services
    request: Request
    passage: Passage
    pages: Pages
    static: StaticFiles
    session: BrowserSession | None

    @property
    def account(self) -> Account:
        """Whose session it is; only where ``require_session`` was asked before."""
        assert self.session is not None  # noqa: S101 - a page that forgets to ask is a defect of ours
        return self.session.account

    async def require_own_page(self) -> None:
        """Raises 403, recorded, when the request does not come from a page of this host."""
        try:
            refuse_other_origins(self.request, self.services.auth_url)
        except Problem:
            await self.passage.record(Action.SESSION, "denied", reason="the request is from a page of another origin")
            raise

    def require_session(self) -> BrowserSession:
        """The session; without one, the person signs in first and comes back here."""
        if self.session is None:
            raise Elsewhere(redirect(sign_in_path(self.here)))
        return self.session

    async def require(self, action: Action, *, back: str) -> BrowserSession:
        """The session of somebody who may do this now; a newer or stronger sign-in is asked for where that helps.

        Raises 403, recorded, where nothing helps.
        """
        session = self.require_session()
        decision = await self.passage.judge(action, Target())
        if not decision.permitted and decision.step_up is not None:
            await self.passage.record(action, "denied", decision=decision)
            raise Elsewhere(redirect(sign_in_path(back, again=True)))
        if not decision.permitted:
            await self.passage.demand(action, Target())
        return session

    async def require_best(self, action: Action, *, back: str) -> BrowserSession:
        """Like ``require``, and signed in with a second factor if the person has one.

        Else who knows a password alone, or is let in by a directory with one factor, makes themself a stronger way in.
        """
        session = await self.require(action, back=back)
        has_better = session.account.has_totp or bool(await self.services.passkeys.of_account(session.account.id))
        if has_better and session.assurance < _SECOND_FACTOR:
            await self.passage.record(action, "denied", reason="signed in with less than the account's second factor")
            raise Elsewhere(redirect(sign_in_path(back, again=True)))
        return session

    @property
    def here(self) -> str:
        """Path and query of a GET, to come back to; the page at home for anything else."""
        request = self.request
        if request.method != "GET":
            return HOME
        path = "/" + "/".join(quote(segment, safe="") for segment in request.segments)
        return f"{path}?{request.query}" if request.query else path


async def visit(services: Services, request: Request, passage: Passage, pages: Pages, static: StaticFiles) -> Visit:
    """The visit behind a request: its cookie is looked up, and the passage acts for whoever it is."""
    session = await _session(services, request)
    if session is not None:
        principal = principal_of(session.account, as_session(session))
        passage.principal, passage.purpose = principal, default_purpose(principal.kind)
        passage.describe(principal)
    return Visit(services, request, passage, pages, static, session)


async def _session(services: Services, request: Request) -> BrowserSession | None:
    value = read_cookie(request, SESSION_COOKIE)
    if value is None:
        return None
    try:
        return await services.browser_sessions.authenticate(value)
    except BrowserSessionRefused:  # a cookie that is over is no attack: the person is asked to sign in
        return None


def nothing_here() -> Problem:
    """The answer for paths that lead nowhere."""
    return problem(404, "not-found", "There is nothing at this address.")


def sign_in_path(next_: str, *, again: bool = False) -> str:
    """Where to sign in, before going to ``next_``; ``again``: even if somebody is signed in."""
    return f"/sign-in?next={quote(next_, safe='')}" + ("&again=1" if again else "")


def session_cookie(value: str) -> Header:
    """``Lax``: an app that sends a person here to allow something finds them signed in."""
    return cookie(SESSION_COOKIE, value, same_site="Lax")


def ceremony_cookie(value: str) -> Header:
    """What a browser was asked to answer."""
    return cookie(CEREMONY_COOKIE, value, same_site="Strict", seconds=_CEREMONY_SECONDS)


def browser_cookie(value: str) -> Header:
    """By which a browser that was used to sign in before is known again."""
    return cookie(BROWSER_COOKIE, value, same_site="Strict", seconds=_BROWSER_SECONDS)


def as_json(content: Mapping[str, Any] | bytes, *headers: Header, status: int = 200) -> Response:
    """An answer to one of the site's own scripts."""
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    return Response(status, body, b"application/json", headers)

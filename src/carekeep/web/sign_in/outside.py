"""Signing in with the organization's own directory."""

from dataclasses import dataclass
from typing import Any

from carekeep.access import Action
from carekeep.identity import Account, AccountInvalid, SignedIn, principal_of
from carekeep.identity.outside import Outsider, OutsideRefused
from carekeep.storage import Prepared
from carekeep.web.browser import drop_cookie, read_cookie, redirect, safe_path
from carekeep.web.browser.cookies import cookie
from carekeep.web.browser.sessions import as_session
from carekeep.web.http import Response
from carekeep.web.sign_in.signing_in import start_session
from carekeep.web.sign_in.visits import HOME, Visit, nothing_here, session_cookie

_COOKIE = "federation"
_SECONDS = 600
_LONGEST_NEXT = 1_000  # it travels in the cookie
_METHODS = {1: ("fed",), 2: ("fed", "mfa")}


async def begin(to: Visit, method: str, path: tuple[str, ...]) -> Response:
    """``GET /federation/{name}``: send the browser to the provider."""
    name = _name(method, path)
    asked = dict(to.request.pairs()).get("next", HOME)
    next_ = safe_path(asked, HOME) if len(asked) <= _LONGEST_NEXT else HOME
    try:
        begun = await to.services.relying_party.begin(name, next_)
    except OutsideRefused as refused:
        return await _refuse(to, refused)
    return redirect(begun.location, cookie(_COOKIE, begun.state, same_site="Lax", seconds=_SECONDS))


async def finish(to: Visit, method: str, path: tuple[str, ...]) -> Response:
    """``GET /federation-callback/{name}``: who comes back from the provider is signed in, if they are somebody here."""
    name = _name(method, path)
    answer = dict(to.request.pairs())
    try:
        outsider = await to.services.relying_party.finish(name, answer, read_cookie(to.request, _COOKIE))
        found = await _account(to, outsider)
    except OutsideRefused as refused:
        return await _refuse(to, refused)
    who = SignedIn(found.account, outsider.assurance, _METHODS[outsider.assurance])
    once = to.services.replays.prepare_once("outside", outsider.issuer, outsider.ticket, to.services.clock() + 600_000)
    started, *ended = await start_session(to, who)
    to.passage.describe(principal_of(found.account, as_session(started.value.session)))
    reason = f"signed in at {outsider.provider} (level {outsider.assurance})"
    await to.passage.record(Action.SIGN_IN, "permitted", *found.prepared, once, started, *ended, reason=reason)
    to.services.generations.changed("accounts")
    cookies = session_cookie(started.value.cookie.reveal_text()), drop_cookie(_COOKIE)
    return to.pages.page(
        "continue.html", headers=cookies, title="You are signed in", place=safe_path(outsider.next, HOME)
    )


def _name(method: str, path: tuple[str, ...]) -> str:
    if method != "GET" or len(path) != 1:
        raise nothing_here()
    return path[0]


async def _refuse(to: Visit, refused: OutsideRefused) -> Response:
    await to.passage.record(Action.SIGN_IN, "denied", reason=f"outside: {refused.reason}")
    headers = (drop_cookie(_COOKIE),)
    return to.pages.page(
        "message.html",
        status=401,
        headers=headers,
        title="You are not signed in",
        text=str(refused),
        link=("/sign-in", "Sign in"),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    account: Account
    prepared: tuple[Prepared[Any], ...] = ()


async def _account(to: Visit, outsider: Outsider) -> _Found:
    """The account of somebody from outside, as it is or as it will be. Raises OutsideRefused.

    Who is not linked yet is so by what the same directory provisioned (``external_id``), or is given an account where
    the settings say so. A login that is the same proves nothing.
    """
    services = to.services
    linked = await services.links.account_of(outsider.issuer, outsider.subject)
    if linked is not None:
        account = await services.accounts.get(linked)
        return _Found(_fitting(account, outsider))
    known = await services.accounts.find(outsider.login)
    if known is not None and known.external_id == outsider.subject:
        account = _fitting(known, outsider)
        notice = await services.notices.prepare_add(account.id, "outside.linked", {"provider": outsider.provider})
        return _Found(account, (services.links.prepare_add(outsider.issuer, outsider.subject, account), notice))
    if known is not None or not outsider.creates:
        raise OutsideRefused("nobody here is linked to this person of the provider")
    try:
        created = await services.accounts.prepare_create(
            outsider.kind, name=outsider.name, login=outsider.login, fhir_user=outsider.fhir_user
        )
    except AccountInvalid as invalid:
        raise OutsideRefused(f"no account can be made of what the provider says: {invalid.field}") from None
    link = services.links.prepare_add(outsider.issuer, outsider.subject, created.value)
    return _Found(created.value, (created, link))


def _fitting(account: Account | None, outsider: Outsider) -> Account:
    """Raises OutsideRefused when the account is gone or disabled, or the directory says another role than it has."""
    if account is None or account.disabled:
        raise OutsideRefused("the account is disabled")
    if account.kind is not outsider.kind:
        raise OutsideRefused("the directory gives this person another role than the account has")
    return account

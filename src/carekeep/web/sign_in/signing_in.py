"""Signing in with a passkey, or with password and code; doing it once more (step-up); and signing out."""

from carekeep.access import Action
from carekeep.encryption import Secret
from carekeep.identity import PasskeyRefused, SignedIn, SignInRefused, SignInThrottled, StartedSession, principal_of
from carekeep.storage import Conflict, Prepared
from carekeep.web.browser import drop_cookie, read_cookie, read_form, redirect, safe_path
from carekeep.web.browser.cookies import Header
from carekeep.web.browser.forms import as_json_again, read_json
from carekeep.web.browser.sessions import as_session
from carekeep.web.http import Response
from carekeep.web.problems import problem
from carekeep.web.sign_in.visits import (
    BROWSER_COOKIE,
    CEREMONY_COOKIE,
    HOME,
    SESSION_COOKIE,
    TOTP_COOKIE,
    Elsewhere,
    Visit,
    as_json,
    browser_cookie,
    ceremony_cookie,
    nothing_here,
    session_cookie,
)

_RACES = 3
_LONGEST_LOGIN = 128  # that is shown again
# ASVS 14.3.1. Not "cookies": that word takes those of every host of the domain, other applications' too.
_EVERYTHING = (b"clear-site-data", b'"cache", "storage"')


async def sign_in(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """What is at and below ``/sign-in``."""
    match (method, rest):
        case ("GET", ()):
            return _page(to, _next(to))
        case ("POST", ()):
            return await _by_password(to)
        case ("POST", ("passkey", "options")):
            return await _ask_passkey(to)
        case ("POST", ("passkey",)):
            return await _by_passkey(to)
    raise nothing_here()


async def sign_out(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``POST /sign-out``."""
    if method == "POST" and not rest:
        return await _sign_out(to)
    raise nothing_here()


def _next(to: Visit) -> str:
    asked = dict(to.request.pairs())
    next_ = safe_path(asked.get("next", HOME), HOME)
    if to.session is not None and "again" not in asked:
        raise Elsewhere(redirect(next_))
    return next_


def _page(to: Visit, next_: str, *, says: str = "", status: int = 200, login: str = "") -> Response:
    again = to.session is not None
    return to.pages.page(
        "sign_in.html",
        status=status,
        title="Sign in once more" if again else "Sign in",
        about=f"You are {to.account.name}. What comes next needs a new proof that it is you." if again else "",
        problem=says,
        login=login or (to.account.login if again else ""),
        next=next_,
        providers=tuple(to.services.relying_party.providers.values()),
    )


async def _by_password(to: Visit) -> Response:
    form = await read_form(to.request)
    next_ = safe_path(form.get("next"), HOME)
    services = to.services
    for _ in range(_RACES):
        try:
            verified = await services.sign_in.verify(
                form.get("login"),
                Secret(form.get("password")),
                form.get("code") or None,
                address=to.request.address,
                known_browser=read_cookie(to.request, BROWSER_COOKIE),
            )
            return _onwards(to, next_, *await _start(to, verified))
        except SignInRefused as refused:
            await _refuse(to, refused)
            status = 429 if isinstance(refused, SignInThrottled) else 401
            return _page(to, next_, says=str(refused), status=status, login=form.get("login")[:_LONGEST_LOGIN])
        except Conflict:
            continue
    raise problem(409, "conflict", "This account is signing in elsewhere at this moment. Try again.")


async def _ask_passkey(to: Visit) -> Response:
    await read_json(to.request)
    ceremony = await to.services.passkeys.begin_sign_in(to.account if to.session else None)
    return as_json(ceremony.options, ceremony_cookie(ceremony.state.reveal_text()))


async def _by_passkey(to: Visit) -> Response:
    given = await read_json(to.request)
    state = read_cookie(to.request, CEREMONY_COOKIE) or ""
    next_ = given.get("next")
    try:
        verified = await to.services.passkeys.prepare_sign_in(
            state, as_json_again(given.get("credential")), to.account if to.session else None
        )
        headers = await _start(to, verified)
    except PasskeyRefused as refused:
        await _refuse(to, refused)
        return as_json({"message": "This passkey did not work. Try again, or take another way."}, status=401)
    place = safe_path(next_ if isinstance(next_, str) else "", HOME)
    return as_json({"location": place}, *headers, drop_cookie(CEREMONY_COOKIE))


async def _start(to: Visit, verified: Prepared[SignedIn]) -> tuple[Header, ...]:
    """The session that was proven: recorded, and the headers that give its cookies."""
    services, who = to.services, verified.value
    prepared: list[Prepared[object]] = [verified]
    if who.recovery_codes_left is not None:
        facts = {"left": str(who.recovery_codes_left)}
        prepared.append(await services.notices.prepare_add(who.account.id, "recovery-code.used", facts))
    started, *ended = await start_session(to, who)
    reason = "signed in once more" if _is_same(to, who) else "signed in"
    to.passage.describe(principal_of(who.account, as_session(started.value.session)))
    await to.passage.record(
        Action.SIGN_IN, "permitted", *prepared, started, *ended, reason=f"{reason} ({_methods(who)})"
    )
    services.generations.changed("accounts")
    known = services.known_browsers.issue(who.account.login)
    return session_cookie(started.value.cookie.reveal_text()), browser_cookie(known.reveal_text())


async def start_session(to: Visit, who: SignedIn) -> tuple[Prepared[StartedSession], *tuple[Prepared[None], ...]]:
    """A new session, or the same one with a new proof and a new cookie; and the end of another person's before it."""
    sessions, address = to.services.browser_sessions, to.request.address
    if to.session is not None and _is_same(to, who):
        return (sessions.prepare_step_up(to.session, who, address=address),)
    started = sessions.prepare_start(who, address=address, user_agent=to.request.header(b"user-agent") or "")
    if to.session is None:
        return (started,)
    return started, await to.services.leaving.prepare_sign_out(to.session)


def _is_same(to: Visit, who: SignedIn) -> bool:
    return to.session is not None and to.session.account.id == who.account.id


async def _refuse(to: Visit, refused: SignInRefused) -> None:
    to.passage.suspect(refused.account_id)
    await to.passage.record(Action.SIGN_IN, "denied", reason=refused.reason)


def _methods(who: SignedIn) -> str:
    return f"level {who.assurance}: {' '.join(who.methods)}"


def _onwards(to: Visit, next_: str, *headers: Header) -> Response:
    """On to the next page; by a page of its own, since a form's redirects must stay at this origin (form-action)."""
    return to.pages.page("continue.html", headers=headers, title="You are signed in", place=next_)


async def _sign_out(to: Visit) -> Response:
    if to.session is not None:
        ended = await to.services.leaving.prepare_sign_out(to.session)
        await to.passage.record(Action.SIGN_OUT, "permitted", ended, reason="signed out")
        to.services.generations.changed("accounts")
    return signed_out()


def signed_out() -> Response:
    """To the first page, and nothing of the person stays in the browser."""
    return redirect("/sign-in", *map(drop_cookie, (SESSION_COOKIE, CEREMONY_COOKIE, TOTP_COOKIE)), _EVERYTHING)

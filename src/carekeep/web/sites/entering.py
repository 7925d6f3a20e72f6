"""How people come in: by the code flow with the sign-in site, which alone knows passkeys and passwords.

The site is a client of its own server. It pushes its request (RFC 9126), binds the flow to the browser by a cookie with
the state and the PKCE verifier (RFC 7636), and takes no answer but from its own issuer (RFC 9207).
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from carekeep.access import Action
from carekeep.identity import Account, IdentityError
from carekeep.identity.apps.codes import Known
from carekeep.identity.stamps import read_stamped, stamp
from carekeep.storage import Conflict, Prepared
from carekeep.web.browser import cookie, drop_cookie, read_cookie, read_form, redirect, safe_path
from carekeep.web.browser.cookies import Header
from carekeep.web.http import Response
from carekeep.web.sites.visit import HOME, SESSION_COOKIE, Visit

_COOKIE: Final = "entering"
_SECONDS: Final = 600
_SECRET: Final = 32
_LONGEST_NEXT: Final = 500  # characters; all of it must fit into a cookie
EVERYTHING: Final = (b"clear-site-data", b'"cache", "storage"')


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a browser keeps while its person signs in elsewhere. Its own secrets, so it is stamped and not sealed."""

    state: str = field(repr=False)
    verifier: str = field(repr=False)
    next: str
    until_ms: int


async def begin(to: Visit) -> Response:
    """``POST /enter``: off to the sign-in site. ``again``: even if the person is signed in there already."""
    form = await read_form(to.request)
    services = to.services
    next_ = safe_path(form.get("next")[:_LONGEST_NEXT], HOME)
    flow = _Flow(_secret(), _secret(), next_, services.clock() + _SECONDS * 1000)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "client_id": to.site.client_id,
        "response_type": "code",
        "redirect_uri": to.site.entrance,
        "scope": "openid",
        "state": flow.state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if "again" in form:
        asked["prompt"] = "login"
    pushed = services.apps.pushed.prepare_keep(to.site.client_id, list(asked.items()))
    await to.passage.record(Action.SIGN_IN, "permitted", pushed, reason=f"somebody comes in at the {to.site.name}")
    place = f"{services.auth_url}/authorize?" + urlencode({"client_id": to.site.client_id, "request_uri": pushed.value})
    return to.page("leaving.html", place=place).with_headers(_keep(to, flow))


async def finish(to: Visit) -> Response:
    """``GET /entered``: back from the sign-in site, with a code or a refusal."""
    asked = dict(to.request.pairs())
    try:
        return await _enter(to, _asked_here(to, asked), asked["code"])
    except _Refused as refused:
        await to.passage.record(Action.SIGN_IN, "denied", reason=refused.reason)
        return to.page("not_entered.html", status=400).with_headers(drop_cookie(_COOKIE))


async def leave(to: Visit) -> Response:
    """``POST /sign-out``: the end of the session here, at the sign-in site and at the others."""
    if to.session is not None:
        ended = await to.services.leaving.prepare_sign_out(to.session)
        await to.passage.record(Action.SIGN_OUT, "permitted", ended, reason=f"signed out at the {to.site.name}")
        to.services.generations.changed("accounts")
    return redirect("/signed-out", drop_cookie(SESSION_COOKIE), EVERYTHING)


class _Refused(Exception):
    """Nobody comes in by this; ``reason`` is for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _asked_here(to: Visit, asked: Mapping[str, str]) -> _Flow:
    """The flow that this browser began, if the answer is to it, from our own sign-in site, and has a code."""
    flow = _kept(to)
    if flow is None or not hmac.compare_digest(asked.get("state", ""), flow.state):
        raise _Refused("the answer is not to a question of this browser")
    if asked.get("iss") != to.services.auth_url:  # RFC 9207 §2.4
        raise _Refused("the answer is not from our own sign-in site")
    if "code" not in asked:
        raise _Refused("the sign-in site refused")
    return flow


async def _enter(to: Visit, flow: _Flow, secret: str) -> Response:
    services = to.services
    known = await services.apps.codes.find(secret)
    if known is None or not _is_ours(to, flow, known):
        raise _Refused("no such code, or not for this")
    if known.used_for is not None:
        await _end_what_came_of(to, known)
        raise _Refused("a code was used again; what came of it is ended")
    account = await services.accounts.get(bytes.fromhex(known.code.account))
    try:
        entered = services.browser_sessions.prepare_enter(
            to.site.name,
            _person(account),
            known.code,
            address=to.request.address,
            user_agent=to.request.header(b"user-agent") or "",
        )
        ended = await _end_former(to)
        used = services.apps.codes.prepare_use(known, bytes.fromhex(known.code.session))
        to.passage.suspect(known.code.account)
        reason = f"came in at the {to.site.name}"
        await to.passage.record(Action.SIGN_IN, "permitted", entered, used, *ended, reason=reason)
    except (IdentityError, Conflict) as error:
        raise _Refused("the account is disabled, or the code was used meanwhile") from error
    services.generations.changed("accounts")
    session = cookie(SESSION_COOKIE, entered.value.cookie.reveal_text(), same_site="Lax")
    return redirect(flow.next, session, drop_cookie(_COOKIE))


def _person(account: Account | None) -> Account:
    if account is None:
        raise _Refused("the account is gone")
    return account


def _is_ours(to: Visit, flow: _Flow, known: Known) -> bool:
    code = known.code
    digest = hashlib.sha256(flow.verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return (
        code.client == to.site.client_id
        and code.redirect_uri == to.site.entrance
        and hmac.compare_digest(code.challenge, challenge)
        and not to.services.apps.codes.is_over(known)
    )


async def _end_former(to: Visit) -> tuple[Prepared[Any], ...]:
    """A cookie from before this sign-in is worth nothing after it (ASVS 7.2.4)."""
    return () if to.session is None else (to.services.browser_sessions.prepare_replaced(to.session),)


async def _end_what_came_of(to: Visit, known: Known) -> None:
    """RFC 6749 §4.1.2: one of the two who used a code is a thief."""
    services = to.services
    found = await services.browser_sessions.of_account(bytes.fromhex(known.code.account))
    sessions = [each for each in found if each.first == known.code.session]
    if sessions:
        ended = await services.leaving.prepare_sign_out(sessions[0])
        await to.passage.record(Action.SIGN_OUT, "permitted", ended, reason="a code was used twice")
        services.generations.changed("accounts")


def _secret() -> str:
    return base64.urlsafe_b64encode(os.urandom(_SECRET)).decode().rstrip("=")


def _keep(to: Visit, flow: _Flow) -> Header:
    content = orjson.dumps((flow.state, flow.verifier, flow.next, flow.until_ms))
    value = stamp(to.services.keyring.index, _purpose(to), content)
    return cookie(_COOKIE, value, same_site="Lax", seconds=_SECONDS)


def _kept(to: Visit) -> _Flow | None:
    content = read_stamped(to.services.keyring.index, _purpose(to), read_cookie(to.request, _COOKIE) or "")
    if not content:
        return None
    flow = _Flow(*orjson.loads(content))
    return flow if to.services.clock() < flow.until_ms else None


def _purpose(to: Visit) -> str:
    return f"entering {to.site.name}"

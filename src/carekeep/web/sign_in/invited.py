"""Setting up how to sign in, by an invitation's link: a passkey, or a password with codes.

The secret of the link stands after its ``#``, which browsers send to no server. The first page hands it in with a form,
and from then on a cookie holds it, so that it is in no URL: not in logs on the way, nor in the browser's history.
"""

from dataclasses import dataclass, replace
from typing import Any

from carekeep.access import Action
from carekeep.encryption import Secret, new_totp_key, totp_counter
from carekeep.identity import Account, AccountInvalid, PasskeyRefused, PasswordRefused
from carekeep.identity.account import Credentials
from carekeep.identity.invitations import Invitation
from carekeep.identity.password_policy import SHORTEST_WITH_CODE
from carekeep.identity.throttle import forgiven
from carekeep.storage import Prepared
from carekeep.web.browser import drop_cookie, read_cookie, read_form, redirect
from carekeep.web.browser.cookies import Header, cookie
from carekeep.web.browser.forms import as_json_again, read_json
from carekeep.web.http import Response
from carekeep.web.problems import problem
from carekeep.web.sign_in.account import AppKey
from carekeep.web.sign_in.changing import WRONG_FIRST_CODE, read_totp_key, show_codes, totp_cookie
from carekeep.web.sign_in.visits import (
    CEREMONY_COOKIE,
    SESSION_COOKIE,
    TOTP_COOKIE,
    Visit,
    as_json,
    ceremony_cookie,
    nothing_here,
)

_COOKIE = "invitation"
_SECONDS = 3600
_PAGE = "/invitation/set-up"
_CHANGE = Action.AUTHENTICATOR_CHANGE
_FIRST_PASSKEY = "My first passkey"


@dataclass(frozen=True, slots=True)
class _Invited:
    """A good invitation, and whom it is for."""

    invitation: Invitation
    account: Account


async def answer(to: Visit, method: str, path: tuple[str, ...]) -> Response:
    """What is at and below ``/invitation``."""
    match (method, path):
        case ("GET", ()):
            return to.pages.page("invitation_link.html")
        case ("POST", ()):
            return await _hand_in(to)
        case ("GET", ("set-up",)):
            return _page(to, await _invited(to), new_totp_key(), fresh=True)
        case ("POST", ("set-up",)):
            return await _by_password(to, await _invited(to))
        case ("POST", ("passkey", "options")):
            return await _ask_passkey(to, await _invited(to))
        case ("POST", ("passkey",)):
            return await _by_passkey(to, await _invited(to))
    raise nothing_here()


async def _hand_in(to: Visit) -> Response:
    token = (await read_form(to.request)).get("token").strip()
    await _find(to, token)
    return redirect(_PAGE, cookie(_COOKIE, token, same_site="Strict", seconds=_SECONDS))


async def _invited(to: Visit) -> _Invited:
    return await _find(to, read_cookie(to.request, _COOKIE) or "")


async def _find(to: Visit, token: str) -> _Invited:
    """Raises 404, recorded, for a link that is used, over, or was never made: one answer for all of them."""
    invitation = await to.services.invitations.find(token)
    account = await to.services.accounts.get(invitation.account) if invitation else None
    to.passage.suspect(account.id.hex() if account else None)
    if invitation is None or account is None or account.disabled:
        await to.passage.record(_CHANGE, "denied", reason="no such invitation, or its account is disabled")
        raise problem(404, "not-found", "This link was used already, or is over. Ask for another one.")
    return _Invited(invitation, account)


def _page(to: Visit, who: _Invited, key: Secret, *, says: str = "", at: str = "", fresh: bool = False) -> Response:
    """The page; ``says`` is what was wrong with the field ``at``."""
    return to.pages.page(
        "invitation.html",
        status=422 if says else 200,
        headers=(totp_cookie(to, who.account, key),) if fresh else (),
        person=who.account.name,
        login=who.account.login,
        is_recovery=who.invitation.recovery is not None,
        totp_key=AppKey.of(key, who.account),
        password_rule=f"at least {SHORTEST_WITH_CODE} characters; four words or more are good",
        problem=says,
        at=at,
    )


async def _ask_passkey(to: Visit, who: _Invited) -> Response:
    await read_json(to.request)
    ceremony = await to.services.passkeys.begin_registration(who.account)
    return as_json(ceremony.options, ceremony_cookie(ceremony.state.reveal_text()))


async def _by_passkey(to: Visit, who: _Invited) -> Response:
    given = await read_json(to.request)
    state = read_cookie(to.request, CEREMONY_COOKIE) or ""
    try:
        added = await to.services.passkeys.prepare_registration(
            who.account, state, as_json_again(given.get("credential")), _FIRST_PASSKEY
        )
    except PasskeyRefused as refused:
        await to.passage.record(_CHANGE, "denied", reason=refused.reason)
        raise problem(400, "value", "This passkey cannot be used here. Try again.") from None
    await _settle(to, who, added, *_without_password(to, who))
    return as_json({"location": "/sign-in"}, *_DONE)


async def _by_password(to: Visit, who: _Invited) -> Response:
    form, account, services = await read_form(to.request), who.account, to.services
    key = read_totp_key(to, account)
    if key is None:
        return _page(to, who, new_totp_key(), says="That took too long. Here is a new key.", at="code", fresh=True)
    counter = totp_counter(key, form.get("code"), services.clock(), 0)
    if counter is None:
        await to.passage.record(_CHANGE, "denied", reason="wrong first code of an authenticator app")
        return _page(to, who, key, says=WRONG_FIRST_CODE, at="code")
    try:
        with_codes = services.accounts.prepare_totp(account, key, counter).value
        changed = await services.accounts.prepare_password(_as_read(with_codes, account), Secret(form.get("password")))
    except (PasswordRefused, AccountInvalid) as refused:
        await to.passage.record(_CHANGE, "denied", reason="the new password was refused by the rules for passwords")
        return _page(to, who, key, says=str(refused), at="password")
    made = services.accounts.prepare_recovery_codes(_as_read(changed.value, account))
    await _settle(to, who, made)
    shown = show_codes(to, [code.reveal_text() for code in made.value.codes])
    return shown.with_headers(*_DONE)


def _as_read(changed: Account, read: Account) -> Account:
    """Changed once more before it is committed: what it is compared with is still the account as it was read."""
    return replace(changed, revision=read.revision)


def _without_password(to: Visit, who: _Invited) -> tuple[Prepared[Any], ...]:
    """After a recovery: what the person has lost, somebody else may have found."""
    if who.invitation.recovery is None:
        return ()
    return (to.services.accounts.prepare_change(replace(who.account, credentials=Credentials())),)


async def _settle(to: Visit, who: _Invited, *prepared: Prepared[Any]) -> None:
    """Uses the invitation up with what was set up; after a recovery, the passkeys that were there before end."""
    services, account = to.services, who.account
    used = services.invitations.prepare_use(who.invitation)
    notice = await services.notices.prepare_add(account.id, "invitation.used", {})
    ended: list[Prepared[Any]] = [await services.leaving.prepare_sign_out_everywhere(account.id)]
    if who.invitation.recovery is not None:
        ended.append(await services.passkeys.prepare_remove_all(account.id))
    if to.session is not None and to.session.account.id != account.id:  # whoever used this browser before
        ended.append(await services.leaving.prepare_sign_out(to.session))
    count = Prepared(None, (forgiven(services.keyring, account.login),))
    reason = "set up by an invitation"
    await to.passage.record(_CHANGE, "permitted", *prepared, used, notice, *ended, count, reason=reason)
    services.generations.changed("accounts")


# The cookies that are worth nothing once it is set up.
_DONE: tuple[Header, ...] = tuple(map(drop_cookie, (_COOKIE, CEREMONY_COOKIE, TOTP_COOKIE, SESSION_COOKIE)))

"""What a person changes about their own sign-ins, devices and apps. Each change is recorded, and noticed to them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from carekeep.access import Action
from carekeep.encryption import Secret, new_totp_key, totp_counter
from carekeep.identity import Account, AccountInvalid, BrowserSession, PasskeyCannotGo, PasskeyRefused, PasswordRefused
from carekeep.identity.apps.ending import prepare_end_grants
from carekeep.identity.stamps import read_stamped, stamp
from carekeep.storage import Prepared
from carekeep.web.browser import drop_cookie, read_cookie, read_form, redirect
from carekeep.web.browser.cookies import cookie
from carekeep.web.browser.forms import as_json_again, read_json
from carekeep.web.http import Response
from carekeep.web.problems import problem
from carekeep.web.sign_in.account import Trouble, page
from carekeep.web.sign_in.signing_in import signed_out
from carekeep.web.sign_in.visits import (
    CEREMONY_COOKIE,
    HOME,
    TOTP_COOKIE,
    Visit,
    as_json,
    ceremony_cookie,
    nothing_here,
)

TOTP_SECONDS = 900
_TOTP_PURPOSE = "a key for an authenticator app"
_OWN = Action.AUTHENTICATOR_CHANGE
WRONG_FIRST_CODE = "That code is not the one that the app shows now. Wait for the next one and try again."


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /account``, and what is posted below it."""
    if method == "GET" and not rest:
        return await page(to)
    change_of = _CHANGES.get(rest)
    if change_of is None:
        raise nothing_here()
    if method == "GET":  # somebody loads the page again that told them what was wrong
        return redirect(HOME)
    return await change_of(to)


async def change(to: Visit, action: Action, kind: str, facts: dict[str, str], *prepared: Prepared[Any]) -> None:
    """Commit what was prepared with its entry and a notice to the account; in force in this process at once."""
    services = to.services
    notice = await services.notices.prepare_add(to.account.id, kind, facts)
    await to.passage.record(action, "permitted", *prepared, notice, reason=f"of their own account: {kind}")
    services.generations.changed("accounts")


async def _ask_passkey(to: Visit) -> Response:
    await to.require_best(_OWN, back=HOME)
    await read_json(to.request)
    ceremony = await to.services.passkeys.begin_registration(to.account)
    return as_json(ceremony.options, ceremony_cookie(ceremony.state.reveal_text()))


async def _add_passkey(to: Visit) -> Response:
    await to.require_best(_OWN, back=HOME)
    given = await read_json(to.request)
    name = str(given.get("name", "")).strip()
    state = read_cookie(to.request, CEREMONY_COOKIE) or ""
    try:
        added = await to.services.passkeys.prepare_registration(
            to.account, state, as_json_again(given.get("credential")), name
        )
    except PasskeyRefused as refused:
        await to.passage.record(_OWN, "denied", reason=refused.reason)
        raise problem(400, "value", "This passkey cannot be used here. Try again.") from None
    await change(to, _OWN, "passkey.added", {"name": name}, added)
    return as_json({"location": HOME}, drop_cookie(CEREMONY_COOKIE))


async def _remove_passkey(to: Visit) -> Response:
    await to.require_best(_OWN, back=HOME)
    form = await read_form(to.request)
    found = [each for each in await to.services.passkeys.of_account(to.account.id) if each.id.hex() == form.get("id")]
    if not found:
        return redirect(HOME)
    try:
        removed = await to.services.passkeys.prepare_remove(to.account, found[0])
    except PasskeyCannotGo as refused:
        await to.passage.record(_OWN, "denied", reason="the only way into the account cannot be removed")
        return await page(to, trouble=Trouble("passkeys", str(refused)))
    await change(to, _OWN, "passkey.removed", {"name": found[0].name}, removed)
    return redirect(HOME)


async def _change_password(to: Visit) -> Response:
    session = await to.require_best(_OWN, back=HOME)
    form = await read_form(to.request)
    try:
        changed = await to.services.accounts.prepare_password(to.account, Secret(form.get("password")))
    except (PasswordRefused, AccountInvalid) as refused:
        await to.passage.record(_OWN, "denied", reason="the new password was refused by the rules for passwords")
        return await page(to, trouble=Trouble("password", str(refused)))
    others = await _end_others(to, session)
    await change(to, _OWN, "password.changed", {}, changed, *others)
    return redirect(HOME)


async def _change_codes(to: Visit) -> Response:
    """First a key is shown, kept in a cookie that only we can make; with its first code it is the account's."""
    session = await to.require_best(_OWN, back=HOME)
    form = await read_form(to.request)
    key = read_totp_key(to, to.account)
    if key is None or "code" not in form:
        return await offer_totp_key(to)
    counter = totp_counter(key, form.get("code"), to.services.clock(), 0)
    if counter is None:
        await to.passage.record(_OWN, "denied", reason="wrong first code of an authenticator app")
        return await page(to, trouble=Trouble("codes", WRONG_FIRST_CODE), totp_key=key)
    changed = to.services.accounts.prepare_totp(to.account, key, counter)
    others = await _end_others(to, session)
    await change(to, _OWN, "totp.changed", {}, changed, *others)
    return redirect(HOME, drop_cookie(TOTP_COOKIE))


async def offer_totp_key(to: Visit) -> Response:
    """The page with a new key."""
    key = new_totp_key()
    found = await page(to, totp_key=key)
    return found.with_headers(totp_cookie(to, to.account, key))


def totp_cookie(to: Visit, account: Account, key: Secret) -> tuple[bytes, bytes]:
    """A key that waits for its first code: stamped for this account, so that nobody else chooses it."""
    value = stamp(to.services.keyring.index, _TOTP_PURPOSE, account.id + key.reveal())
    return cookie(TOTP_COOKIE, value, same_site="Strict", seconds=TOTP_SECONDS)


def read_totp_key(to: Visit, account: Account) -> Secret | None:
    """The key that waits for this account; None when there is none."""
    value = read_cookie(to.request, TOTP_COOKIE)
    content = read_stamped(to.services.keyring.index, _TOTP_PURPOSE, value) if value else None
    if content is None or not content.startswith(account.id):
        return None
    return Secret(content.removeprefix(account.id))


async def _new_recovery_codes(to: Visit) -> Response:
    await to.require_best(_OWN, back=HOME)
    await read_form(to.request)
    made = to.services.accounts.prepare_recovery_codes(to.account)
    await change(to, _OWN, "recovery-codes.made", {}, made)
    return show_codes(to, [code.reveal_text() for code in made.value.codes])


def show_codes(to: Visit, codes: list[str]) -> Response:
    """The page that shows recovery codes, once."""
    text = "Each of these codes signs you in once, in place of the authenticator app. Print them, or write them down."
    return to.pages.page("secrets.html", title="Your recovery codes", text=text, codes=codes)


async def _end_session(to: Visit) -> Response:
    session = to.require_session()
    form = await read_form(to.request)
    services = to.services
    found = [e for e in await services.browser_sessions.of_account(to.account.id) if e.id == form.get("id")]
    for each in found:
        ended = await services.leaving.prepare_sign_out(each)
        await to.passage.record(Action.SIGN_OUT, "permitted", ended, reason="ended one of their own")
        services.generations.changed("accounts")
    is_own = any(each.id == session.id for each in found)
    return signed_out() if is_own else redirect(HOME)


async def _end_all(to: Visit) -> Response:
    to.require_session()
    await read_form(to.request)
    ended = await to.services.leaving.prepare_sign_out_everywhere(to.account.id)
    await change(to, Action.SIGN_OUT, "sessions.ended", {}, ended)
    return signed_out()


async def _end_others(to: Visit, session: BrowserSession) -> list[Prepared[Any]]:
    """The end of every other session, and of tokens: what somebody else may have in their hands (ASVS 7.4.3)."""
    services, account_id = to.services, to.account.id
    return [
        await services.browser_sessions.prepare_end_all(account_id, but=session),
        await services.tokens.prepare_revoke_all(account_id),
    ]


async def _stop_app(to: Visit) -> Response:
    to.require_session()
    form = await read_form(to.request)
    services = to.services
    found = [each for each in await services.apps.grants.of_account(to.account.id) if each.id.hex() == form.get("id")]
    for grant in found:
        client = await services.apps.clients.get(grant.client)
        ended = await prepare_end_grants(services.apps.grants, services.tokens, [grant])
        await change(to, Action.GRANT_END, "app.stopped", {"app": client.name if client else grant.client}, ended)
    return redirect(HOME)


async def _lost(to: Visit) -> Response:
    to.require_session()
    form = await read_form(to.request)
    account: Account = to.account
    found = [each for each in await to.services.devices.of_account(account.id) if each.id.hex() == form.get("id")]
    if not found:
        return redirect(HOME)
    lost = await to.services.leaving.prepare_lost(found[0], account)
    await change(to, Action.DEVICE_ENROL, "device.lost", {"device": found[0].name}, lost)
    return signed_out()


async def _read_notices(to: Visit) -> Response:
    to.require_session()
    form = await read_form(to.request)
    notices, account_id = to.services.notices, to.account.id
    for number in [each.number for each in await notices.of(account_id) if str(each.number) == form.get("upto")]:
        read = await notices.prepare_read(account_id, number)
        await to.passage.record(Action.SESSION, "permitted", read, reason="has read their own notices")
    return redirect(HOME)


_CHANGES: Mapping[tuple[str, ...], Callable[[Visit], Awaitable[Response]]] = {
    ("passkeys", "options"): _ask_passkey,
    ("passkeys",): _add_passkey,
    ("passkeys", "remove"): _remove_passkey,
    ("password",): _change_password,
    ("codes",): _change_codes,
    ("recovery-codes",): _new_recovery_codes,
    ("sessions", "end"): _end_session,
    ("sessions", "end-all"): _end_all,
    ("apps", "stop"): _stop_app,
    ("devices", "lost"): _lost,
    ("notices", "read"): _read_notices,
}

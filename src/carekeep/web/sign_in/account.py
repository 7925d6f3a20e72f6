"""My sign-ins, devices and apps: what acts for a person, with a way to end each."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from carekeep.access import Action, Scopes
from carekeep.encryption import Secret
from carekeep.identity import Account, BrowserSession
from carekeep.identity.apps.grant import Grant
from carekeep.identity.device_rows import Device, DeviceState
from carekeep.identity.password_policy import SHORTEST_ALONE, SHORTEST_WITH_CODE
from carekeep.web.http import Response
from carekeep.web.sign_in.visits import Visit
from carekeep.web.sign_in.words import day, moment, notice_in_words, way

_SHOWN_NOTICES = 10


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why what was asked could not be done, and in which section of the page that is said."""

    section: str
    says: str


@dataclass(frozen=True, slots=True)
class AppKey:
    """A key as an authenticator app takes it: typed in, or by a link on the telephone that it runs on."""

    typed: str
    link: str

    @classmethod
    def of(cls, key: Secret, account: Account) -> "AppKey":
        """The key of an account."""
        text = base64.b32encode(key.reveal()).decode().rstrip("=")
        link = f"otpauth://totp/Carekeep:{quote(account.login, safe='')}?secret={text}&issuer=Carekeep"
        return cls(" ".join(text[at : at + 4] for at in range(0, len(text), 4)), link)


@dataclass(frozen=True, slots=True)
class _App:
    id: str
    name: str
    may: str
    since: str
    used: str


async def page(to: Visit, *, trouble: Trouble | None = None, totp_key: Secret | None = None) -> Response:
    """The page. ``totp_key``: a new key that waits for its first code."""
    session = to.require_session()
    services, account = to.services, to.account
    notices = [notice for notice in await services.notices.of(account.id) if not notice.is_read][:_SHOWN_NOTICES]
    values: dict[str, Any] = {
        "person": account.name,
        "how": way(session.methods),
        "login": account.login,
        "trouble": trouble,
        "notices": [{"text": notice_in_words(notice), "at": moment(notice.at_ms)} for notice in notices],
        "read_upto": notices[0].number if notices else 0,
        "sessions": [_session(each, session) for each in await services.browser_sessions.of_account(account.id)],
        "passkeys": [
            {
                "id": passkey.id.hex(),
                "name": passkey.name,
                "made": day(passkey.created_ms),
                "used": day(passkey.last_used_ms),
                "bound": not passkey.syncs,
            }
            for passkey in await services.passkeys.of_account(account.id)
        ],
        "password_rule": _password_rule(with_code=account.has_totp),
        "has_password": account.credentials.password_hash is not None,
        "has_totp": account.has_totp,
        "totp_key": AppKey.of(totp_key, account) if totp_key else None,
        "recovery_codes_left": len(account.credentials.recovery_codes),
        "devices": [_device(each) for each in await services.devices.of_account(account.id) if _is_in_use(each)],
        "apps": [await _app(to, grant) for grant in await services.apps.grants.of_account(account.id)],
    }
    if to.passage.entry_id is None:  # else what could not be done is recorded, and that this page was the answer
        await to.passage.record(Action.SESSION, "permitted", reason="looked at their own sign-ins, devices and apps")
    return to.pages.page("account.html", status=422 if trouble else 200, **values)


def _session(each: BrowserSession, here: BrowserSession) -> dict[str, Any]:
    return {
        "id": each.id,
        "browser": each.agent or "A browser",
        "here": each.id == here.id,
        "since": moment(each.created_ms),
        "address": each.address or "an address that is not known",
        "how": way(each.methods),
    }


def _is_in_use(device: Device) -> bool:
    return device.state is DeviceState.ENROLLED


def _device(device: Device) -> dict[str, str]:
    seen = f"heard of last on {day(device.reported_ms)}" if device.reported_ms else "never heard of"
    state = f"fails: {', '.join(device.failing)}" if device.failing else "in order"
    return {"id": device.id.hex(), "name": device.name, "about": f"{device.platform}, {seen}, {state}"}


async def _app(to: Visit, grant: Grant) -> _App:
    client = await to.services.apps.clients.get(grant.client)
    may = " ".join(Scopes.parse(grant.scopes).in_words())
    name = client.name if client else "An app that is gone"
    return _App(grant.id.hex(), name, may, day(grant.given_ms), day(grant.last_used_ms))


def _password_rule(*, with_code: bool) -> str:
    shortest = SHORTEST_WITH_CODE if with_code else SHORTEST_ALONE
    return f"at least {shortest} characters; four words or more are good"

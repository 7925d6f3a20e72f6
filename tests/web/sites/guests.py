"""Somebody with a session at one of our sites, without a browser: what pages answer, and with which headers."""

from dataclasses import dataclass, field

import httpx

from carekeep.identity import SignedIn
from carekeep.identity.apps.codes import Code
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.own import OwnSite
from tests.web.clinic import Clinic

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Guest:
    """Asks one site; with a cookie, or as nobody."""

    client: httpx.AsyncClient
    site: OwnSite
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(self.site.origin + path, headers=self.headers)

    async def post(self, path: str, headers: dict[str, str]) -> httpx.Response:
        form = {"content-type": "application/x-www-form-urlencoded"}
        return await self.client.post(self.site.origin + path, content=b"", headers=self.headers | form | headers)


async def at_site(clinic: Clinic, site: OwnSite, login: str | None) -> Guest:
    """Somebody who came in with two factors; None: nobody."""
    if login is None:
        return Guest(clinic.client, site)
    sessions, account = clinic.system.services.browser_sessions, clinic.accounts[login]
    signed_in = sessions.prepare_start(SignedIn(account, 2, ("pwd", "otp", "mfa")), address=None)
    await clinic.record("signed in", signed_in)
    first = signed_in.value.session
    code = Code(
        client=site.client_id,
        account=account.id.hex(),
        redirect_uri=site.entrance,
        scopes="openid",
        challenge="",
        context=Context(),
        assurance=first.assurance,
        authenticated_ms=first.authenticated_ms,
        methods=first.methods,
        session_ends_ms=first.end_ms,
        session=first.id,
    )
    entered = sessions.prepare_enter(site.name, account, code, address=None)
    await clinic.record("came in", entered)
    return Guest(clinic.client, site, {"cookie": f"__Host-session={entered.value.cookie.reveal_text()}"})

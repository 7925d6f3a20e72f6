"""What is taken back is refused at the next request, here at once and in another worker after its next look.

Each is taken back through the front, by whoever does it in life. Another worker looks four times a second
(``tests/promises/test_promise_4``, which holds the same for relations and labels). Lost devices: ``test_devices``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from carekeep.identity import SignedIn
from tests.web.admins import ask, sign_in
from tests.web.clinic import Clinic, open_clinic
from tests.web.oauth.desk import Desk

AUTH = "https://auth.records.example.org"
COOKIE = "__Host-session"


@dataclass(frozen=True, slots=True)
class Held:
    """Something that lets somebody in: how to use it, and how to take it back."""

    use: Callable[[Clinic], Awaitable[int]]
    take_back: Callable[[], Awaitable[int]]
    refusal: int = 401


@pytest.fixture
async def elsewhere(clinic: Clinic) -> AsyncIterator[Clinic]:
    """Another worker on the same database, with caches of its own."""
    settings = clinic.system.settings
    async with open_clinic(settings.home, settings.database_url) as other:
        other.time.now_ms = clinic.time()
        await other.system.generations.poll()
        yield other


def reading(token: str, path: str = "Patient/ada") -> Callable[[Clinic], Awaitable[int]]:
    async def use(at: Clinic) -> int:
        answer = await at.ask("GET", path, who=None, headers={"authorization": f"Bearer {token}"})
        return answer.status

    return use


def visiting(cookie: str) -> Callable[[Clinic], Awaitable[int]]:
    async def use(at: Clinic) -> int:
        return (await at.client.get(f"{AUTH}/account", headers={"cookie": f"{COOKIE}={cookie}"})).status_code

    return use


async def token_signed_out(clinic: Clinic) -> Held:
    token = await sign_in(clinic, "ada")

    async def sign_out() -> int:
        return (await ask(clinic, "POST", "/auth/sign-out", who="ada")).status

    return Held(reading(token), sign_out)


async def account_disabled(clinic: Clinic) -> Held:
    token = await sign_in(clinic, "ada")
    return Held(reading(token), administering(clinic, f"accounts/{clinic.accounts['ada'].id.hex()}/disable"))


async def account_of_a_browser_disabled(clinic: Clinic) -> Held:
    cookie = await browser(clinic)
    disable = administering(clinic, f"accounts/{clinic.accounts['ada'].id.hex()}/disable")
    return Held(visiting(cookie), disable, refusal=303)


async def app_disabled(clinic: Clinic) -> Held:
    desk = Desk(clinic)
    client = await desk.client()
    tokens = await desk.tokens(client)
    observation = "Observation/ada-pulse"
    return Held(reading(tokens["access_token"], observation), administering(clinic, f"clients/{client.id}/disable"))


async def grant_stopped_by_the_app(clinic: Clinic) -> Held:
    desk = Desk(clinic)
    client = await desk.client()
    tokens = await desk.tokens(client)

    async def revoke() -> int:
        form = {"token": tokens["refresh_token"], "client_id": client.id}
        return (await clinic.client.post("/oauth/revoke", data=form)).status_code

    return Held(reading(tokens["access_token"], "Observation/ada-pulse"), revoke)


async def grant_stopped_by_the_person(clinic: Clinic) -> Held:
    desk = Desk(clinic)
    tokens = await desk.tokens(await desk.client())
    cookie = await browser(clinic)
    [grant] = await clinic.system.services.apps.grants.of_account(clinic.accounts["ada"].id)

    async def stop() -> int:
        return await from_page(clinic, "/account/apps/stop", cookie, {"id": grant.id.hex()})

    return Held(reading(tokens["access_token"], "Observation/ada-pulse"), stop)


async def browser_signed_out(clinic: Clinic) -> Held:
    cookie = await browser(clinic)

    async def sign_out() -> int:
        return await from_page(clinic, "/sign-out", cookie, {})

    return Held(visiting(cookie), sign_out, refusal=303)


async def app_that_ends_with_its_browser(clinic: Clinic) -> Held:
    """``online_access``: what was allowed from a browser is over when its person signs out there."""
    cookie = await browser(clinic)
    session = await clinic.system.services.browser_sessions.authenticate(cookie)
    token = await sign_in(clinic, "ada", parent=bytes.fromhex(session.id))

    async def sign_out() -> int:
        return await from_page(clinic, "/sign-out", cookie, {})

    return Held(reading(token), sign_out)


async def browser(clinic: Clinic, login: str = "ada") -> str:
    """The cookie of somebody who has just signed in with two factors."""
    services = clinic.system.services
    who = SignedIn(clinic.accounts[login], 2, ("pwd", "otp", "mfa"))
    started = services.browser_sessions.prepare_start(who, address=None, user_agent="a browser")
    await clinic.record("somebody signed in", started)
    return started.value.cookie.reveal_text()


def administering(clinic: Clinic, path: str) -> Callable[[], Awaitable[int]]:
    async def change() -> int:
        await sign_in(clinic, "administrator")
        return (await ask(clinic, "POST", f"/admin/{path}")).status

    return change


async def from_page(clinic: Clinic, path: str, cookie: str, form: dict[str, str]) -> int:
    headers = {"cookie": f"{COOKIE}={cookie}", "origin": AUTH, "sec-fetch-site": "same-origin"}
    return (await clinic.client.post(f"{AUTH}{path}", data=form, headers=headers)).status_code


HELD = (
    token_signed_out,
    account_disabled,
    account_of_a_browser_disabled,
    app_disabled,
    grant_stopped_by_the_app,
    grant_stopped_by_the_person,
    browser_signed_out,
    app_that_ends_with_its_browser,
)


@pytest.mark.parametrize("hold", HELD)
async def test_it_ends_here_at_once_and_elsewhere_at_the_next_look(
    clinic: Clinic, elsewhere: Clinic, hold: Callable[[Clinic], Awaitable[Held]]
) -> None:
    held = await hold(clinic)
    await elsewhere.system.generations.poll()
    for worker in (clinic, elsewhere):
        assert await held.use(worker) == 200
    assert await held.take_back() < 400
    assert await held.use(clinic) == held.refusal
    assert await held.use(elsewhere) == 200, "it remembers: else what follows would show nothing"
    await elsewhere.system.generations.poll()
    assert await held.use(elsewhere) == held.refusal

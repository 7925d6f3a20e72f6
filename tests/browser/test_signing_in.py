"""Signing in, once more, and out, in a real browser."""

from urllib.parse import urlencode

import pytest
from playwright._impl._api_structures import SetCookieParam

from carekeep.identity import Kind
from tests.browser.conftest import NewVisitor
from tests.browser.site import SIGN_IN, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUARTER_MS = 16 * 60_000


async def test_password_and_code_lead_to_ones_own_page(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.open("/account")
    assert visitor.path == "/sign-in?next=%2Faccount"
    await visitor.sign_in(person)
    await visitor.sees_home()
    assert "signed in with password and code" in await visitor.page.inner_text("main")
    cookies = await visitor.cookies()
    assert cookies["session"]["httpOnly"]
    assert cookies["session"]["secure"]
    assert cookies["session"]["sameSite"] == "Lax"
    assert cookies["session"]["domain"] == "auth.records.example.org"
    assert await visitor.page.evaluate("document.cookie") == ""


async def test_a_wrong_password_is_told_beside_the_form_and_the_login_stays(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.open("/sign-in?next=/account")
    await visitor.fill("Login", person.login)
    await visitor.fill("Password", "not the password")
    await visitor.press("Sign in")
    await visitor.is_told("Login, password or code is not right.")
    assert await visitor.page.get_by_label("Login").input_value() == person.login
    assert await visitor.page.evaluate("document.activeElement.id") == "password"
    await visitor.sign_in(person)
    await visitor.sees_home()


async def test_a_passkey_signs_in_without_a_login(site: Site, visitor: Visitor) -> None:
    await visitor.has_authenticator()
    await visitor.at_home(await site.person())
    await visitor.add_passkey()
    await visitor.page.get_by_text("my laptop", exact=True).wait_for()
    await visitor.press("Sign out")
    await visitor.sees_heading("Sign in")
    await visitor.press("Sign in with a passkey")
    await visitor.sees_home()
    assert "with a passkey" in await visitor.page.inner_text("main")
    assert "A passkey was added: my laptop." in await visitor.section("What changed")


async def test_an_authenticator_that_does_not_recognize_its_owner_is_not_enough(site: Site, visitor: Visitor) -> None:
    await visitor.has_authenticator()
    await visitor.at_home(await site.person())
    await visitor.add_passkey()
    await visitor.page.get_by_text("my laptop", exact=True).wait_for()
    await visitor.press("Sign out")
    await visitor.is_verified(verifies=False)
    await visitor.press("Sign in with a passkey")
    await visitor.is_told("No passkey was used.")
    assert visitor.path == "/sign-in"
    assert "session" not in await visitor.cookies()


async def test_after_signing_out_the_way_back_shows_nothing(site: Site, visitor: Visitor) -> None:
    person = await site.person("Ines Verhoeven")
    await visitor.at_home(person)
    before = await visitor.cookies()
    await visitor.press("Sign out")
    await visitor.sees_heading("Sign in")
    await visitor.goes_back()
    await visitor.sees_heading("Sign in")
    assert "Ines Verhoeven" not in await visitor.page.content()
    after = await visitor.cookies()
    assert "session" not in after
    assert after["browser"]["value"] == before["browser"]["value"]  # it knows the browser again, and nobody
    await visitor.context.add_cookies([_planted(before["session"]["value"])])
    await visitor.open("/account")
    await visitor.sees_heading("Sign in")  # the old cookie is worth nothing at the server either


async def test_each_proof_makes_a_new_cookie_and_the_old_one_is_over(
    site: Site, visitor: Visitor, new_browser: NewVisitor
) -> None:
    """Session fixation: a cookie that somebody else knows never becomes that of the person."""
    person = await site.person()
    await visitor.context.add_cookies([_planted("A" * 43)])
    await visitor.at_home(person)
    first = (await visitor.cookies())["session"]["value"]
    assert first != "A" * 43
    await visitor.open("/sign-in?next=/account&again=1")
    await visitor.sees_heading("Sign in once more")
    await visitor.sign_in(person)
    await visitor.sees_home()
    assert (await visitor.cookies())["session"]["value"] != first
    thief = await new_browser()
    await thief.context.add_cookies([_planted(first)])
    await thief.open("/account")
    await thief.sees_heading("Sign in")


async def test_who_signs_in_after_somebody_else_ends_that_session(
    site: Site, visitor: Visitor, new_browser: NewVisitor
) -> None:
    await visitor.at_home(await site.person("Ines Verhoeven"))
    first = (await visitor.cookies())["session"]["value"]
    second = await site.person("Tomas Lindqvist")
    await visitor.open("/sign-in?again=1")
    await visitor.sign_in(second)
    await visitor.sees_home()
    assert "Tomas Lindqvist" in await visitor.page.inner_text("main")
    thief = await new_browser()
    await thief.context.add_cookies([_planted(first)])
    await thief.open("/account")
    await thief.sees_heading("Sign in")


async def test_an_old_sign_in_is_renewed_before_a_passkey_is_added(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.has_authenticator()
    await visitor.at_home(person)
    site.later(QUARTER_MS)
    await visitor.add_passkey("too late")
    await visitor.sees_heading("Sign in once more")
    assert person.account.name in await visitor.page.inner_text("main")
    await visitor.sign_in(person)
    await visitor.sees_home()
    await visitor.add_passkey("in time")
    await visitor.page.get_by_text("in time", exact=True).wait_for()
    assert "too late" not in await visitor.page.content()
    site.later(QUARTER_MS)
    await visitor.add_passkey("once more")
    await visitor.sees_heading("Sign in once more")
    await visitor.press("Sign in with a passkey")
    await visitor.sees_home()


async def test_an_old_sign_in_is_renewed_before_a_form_changes_anything(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.at_home(person)
    site.later(QUARTER_MS)
    await visitor.press("Make new recovery codes")
    await visitor.sees_heading("Sign in once more")
    assert (await site.account(person)).credentials.recovery_codes == ()


async def test_nobody_is_sent_to_another_origin(site: Site, visitor: Visitor) -> None:
    """Open redirects: whatever ``next`` says, the way ends at this origin."""
    person = await site.person(kind=Kind.PATIENT, totp_key=None)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    for place in ("https://evil.example/", "/\\evil.example/", "/\t/evil.example", "javascript:alert(1)"):
        await visitor.open(f"/sign-in?{urlencode({'next': place, 'again': 1})}")
        await visitor.sign_in(person)
        await visitor.sees_home()
    assert all(url.startswith((f"{SIGN_IN}/", "data:,")) for url in asked), asked


def _planted(value: str) -> SetCookieParam:
    return {
        "name": "__Host-session",
        "value": value,
        "url": SIGN_IN,
        "secure": True,
        "httpOnly": True,
        "sameSite": "Lax",
    }

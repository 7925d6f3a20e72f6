"""An invitation's link, in a real browser."""

import re

import pytest
from playwright.async_api import expect

from carekeep.identity import Kind
from tests.browser.authenticator_app import key_in
from tests.browser.conftest import NewVisitor
from tests.browser.site import PASSWORD, Person, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_passkey_by_invitation_and_the_link_is_dead(
    site: Site, visitor: Visitor, new_browser: NewVisitor
) -> None:
    person = await site.person(kind=Kind.PATIENT, password=None, totp_key=None)
    link = await site.invited(person)
    await visitor.has_authenticator()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.open(link)
    await visitor.sees_heading(f"Welcome, {person.account.name}")
    assert person.login in await visitor.page.inner_text("main")
    await visitor.press("Create a passkey")
    await visitor.sees_heading("Sign in")
    await visitor.press("Sign in with a passkey")
    await visitor.sees_home()
    secret = link.partition("#")[2]
    assert not any(secret in url for url in asked)  # no log on the way has it
    await visitor.goes_back()
    assert secret not in visitor.page.url
    later = await new_browser()
    await later.open(link)
    await later.sees_heading("There is nothing here")
    assert "This link was used already, or is over." in await later.page.inner_text("main")


async def test_a_password_and_codes_by_invitation(site: Site, visitor: Visitor) -> None:
    person = await site.person(kind=Kind.PATIENT, password=None, totp_key=None)
    await visitor.open(await site.invited(person))
    await visitor.sees_heading(f"Welcome, {person.account.name}")
    key = await key_in(visitor.page)
    await visitor.fill("Code", site.code(key))
    await visitor.fill("Password", "qwertyuiop")
    await visitor.press("Use password and codes")
    await visitor.is_told("The password is easy to guess")
    assert await key_in(visitor.page) == key
    await visitor.fill("Code", site.code(key))
    await visitor.fill("Password", PASSWORD)
    await visitor.press("Use password and codes")
    await visitor.sees_heading("Your recovery codes")
    await visitor.page.get_by_role("link", name="I have kept them").click()
    await visitor.sign_in(Person(person.account, key=key))
    await visitor.sees_home()
    assert "You set up how you sign in." in await visitor.section("What changed")
    assert "10 left" in await visitor.section("Codes")


async def test_without_scripts_the_invitation_is_typed_in(site: Site, new_browser: NewVisitor) -> None:
    visitor = await new_browser(java_script_enabled=False)
    person = await site.person(kind=Kind.PATIENT, password=None, totp_key=None)
    link = await site.invited(person)
    await visitor.open(link)
    await visitor.fill("Invitation", link.partition("#")[2])
    await visitor.press("Go on")
    await visitor.sees_heading(f"Welcome, {person.account.name}")


@pytest.mark.parametrize("way", ["passkey", "password"])
async def test_a_recovery_ends_the_ways_from_before(
    site: Site, visitor: Visitor, new_browser: NewVisitor, way: str
) -> None:
    """Who has the old password, the old passkey or an open session is out; who has the link is in."""
    person = await site.person(kind=Kind.PATIENT)
    thief = await new_browser()
    await thief.has_authenticator()
    await thief.at_home(person)
    await thief.add_passkey("stolen")
    await thief.page.get_by_text("stolen", exact=True).wait_for()
    await visitor.has_authenticator()
    await visitor.open(await site.invited(person, recovery="ab" * 16))
    await expect(visitor.page.get_by_text("Every way in which you signed in before ends")).to_be_visible()
    if way == "passkey":
        await visitor.press("Create a passkey")
        await visitor.sees_heading("Sign in")
    else:
        key = await key_in(visitor.page)
        await visitor.fill("Code", site.code(key))
        await visitor.fill("Password", "quiet herons cross the marsh")
        await visitor.press("Use password and codes")
        await visitor.sees_heading("Your recovery codes")
    await thief.page.reload()
    await thief.sees_heading("Sign in")
    await thief.press("Sign in with a passkey")
    await thief.is_told("This passkey did not work.")
    await thief.sign_in(person)
    await thief.is_told("Login, password or code is not right.")
    kept = await site.services.passkeys.of_account(person.account.id)
    assert [passkey.name for passkey in kept] == (["My first passkey"] if way == "passkey" else [])
    assert (await site.account(person)).has_password_way is (way == "password")


async def test_whoever_was_signed_in_here_before_is_signed_out(site: Site, visitor: Visitor) -> None:
    await visitor.at_home(await site.person("Ines Verhoeven"))
    await visitor.has_authenticator()
    person = await site.person("Tomas Lindqvist", kind=Kind.PATIENT, password=None, totp_key=None)
    await visitor.open(await site.invited(person))
    await visitor.press("Create a passkey")
    await expect(visitor.page).to_have_title(re.compile("Sign in"))
    await visitor.open("/account")
    await visitor.sees_heading("Sign in")

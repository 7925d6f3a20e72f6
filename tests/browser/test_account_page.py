"""What a person changes about their own sign-ins, in a real browser."""

import re

import pytest
from playwright.async_api import expect

from carekeep.encryption import totp_code
from carekeep.identity import Kind
from tests.browser.authenticator_app import key_in
from tests.browser.conftest import NewVisitor
from tests.browser.site import Person, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_only_way_in_is_not_removed(site: Site, visitor: Visitor) -> None:
    person = await site.person(kind=Kind.PATIENT, password=None, totp_key=None)
    await visitor.has_authenticator()
    await visitor.open(await site.invited(person))
    await visitor.press("Create a passkey")
    await visitor.sees_heading("Sign in")
    await visitor.press("Sign in with a passkey")
    await visitor.sees_home()
    await visitor.press("Remove My first passkey")
    await visitor.is_told("This passkey is the only way into the account. Add another one first.")
    await visitor.page.reload()  # a GET of where the form went is no dead end
    await visitor.open("/account/passkeys/remove")
    await visitor.sees_home()
    assert "My first passkey" in await visitor.section("Passkeys")


async def test_a_passkey_that_is_removed_opens_nothing(site: Site, visitor: Visitor) -> None:
    await visitor.has_authenticator()
    await visitor.at_home(await site.person())
    await visitor.add_passkey()
    await visitor.press("Remove my laptop")
    await expect(visitor.page.get_by_text("A passkey was removed: my laptop.")).to_be_visible()
    await visitor.press("Sign out")
    await visitor.press("Sign in with a passkey")
    await visitor.is_told("This passkey did not work. Try again, or take another way.")


async def test_one_passkey_of_a_device_is_enough(site: Site, visitor: Visitor) -> None:
    await visitor.has_authenticator()
    await visitor.at_home(await site.person())
    await visitor.add_passkey("first")
    await visitor.page.get_by_text("first", exact=True).wait_for()
    await visitor.add_passkey("second")
    await visitor.is_told("This device has a passkey for your account already.")


async def test_recovery_codes_are_shown_once_and_are_good_once(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.at_home(person)
    await visitor.press("Make new recovery codes")
    await visitor.sees_heading("Your recovery codes")
    codes = await visitor.page.get_by_role("listitem").all_inner_texts()
    assert len(codes) == 10
    assert all(re.fullmatch(r"[A-Z2-7]{4}(-[A-Z2-7]{4}){3}", code) for code in codes)
    await visitor.page.get_by_role("link", name="I have kept them").click()
    await visitor.sees_home()
    assert codes[0] not in await visitor.page.content()
    await visitor.goes_back()
    await expect(visitor.page.locator("body")).not_to_contain_text(codes[0])
    await visitor.open("/account")
    await visitor.press("Sign out")
    await visitor.sign_in(person, code=codes[0])
    await visitor.sees_home()
    assert "A recovery code was used to sign in. Codes that are left: 9." in await visitor.section("What changed")
    await visitor.press("Sign out")
    await visitor.sign_in(person, code=codes[0])
    await visitor.is_told("Login, password or code is not right.")


async def test_an_authenticator_app_is_set_up_by_its_first_code(site: Site, visitor: Visitor) -> None:
    person = await site.person(kind=Kind.PATIENT, totp_key=None)
    await visitor.at_home(person)
    await visitor.press("Set up an authenticator app")
    key = await key_in(visitor.page)
    await visitor.fill("Code", "000000" if totp_code(key, site.clinic.time()) != "000000" else "000001")
    await visitor.press("Use this app")
    await visitor.is_told("That code is not the one that the app shows now.")
    field = visitor.page.get_by_label("Code", exact=True)
    await expect(field).to_be_focused()
    await expect(field).to_have_accessible_description(re.compile("That code is not the one"))
    assert await key_in(visitor.page) == key
    await visitor.fill("Code", site.code(key))
    await visitor.press("Use this app")
    await expect(visitor.page.get_by_text("Another authenticator app is used now.")).to_be_visible()
    await visitor.press("Sign out")
    await visitor.sign_in(person)  # the password alone
    await visitor.is_told("Login, password or code is not right.")
    await visitor.sign_in(Person(person.account, key=key))
    await visitor.sees_home()


async def test_a_common_password_is_refused_with_its_reason(site: Site, visitor: Visitor) -> None:
    person = await site.person()
    await visitor.at_home(person)
    await visitor.fill("New password", "password123")
    await visitor.press("Change my password")
    await visitor.is_told("The password is easy to guess")
    field = visitor.page.get_by_label("New password")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_accessible_description(re.compile("at least 8 characters.*easy to guess"))
    assert await field.input_value() == ""


async def test_another_password_ends_the_other_browsers(site: Site, visitor: Visitor, new_browser: NewVisitor) -> None:
    person = await site.person()
    other = await new_browser()
    await other.at_home(person)
    await visitor.at_home(person)
    await visitor.fill("New password", "quiet herons cross the marsh")
    await visitor.press("Change my password")
    await visitor.sees_home()
    await other.page.reload()
    await other.sees_heading("Sign in")
    await other.sign_in(person)
    await other.is_told("Login, password or code is not right.")
    await other.sign_in(Person(person.account, "quiet herons cross the marsh", person.key))
    await other.sees_home()


async def test_a_session_is_ended_from_another_browser(site: Site, visitor: Visitor, new_browser: NewVisitor) -> None:
    person = await site.person()
    await visitor.at_home(person)
    other = await new_browser(user_agent="Mozilla/5.0 (iPad; CPU OS 18_0) Version/18.0 Safari/604.1")
    await other.at_home(person)
    await visitor.page.reload()
    await visitor.press("End Safari on iPad")
    await visitor.sees_home()
    assert "iPad" not in await visitor.section("Where I am signed in")
    await other.page.reload()
    await other.sees_heading("Sign in")


async def test_all_sessions_are_ended_at_once(site: Site, visitor: Visitor, new_browser: NewVisitor) -> None:
    person = await site.person()
    other = await new_browser()
    await other.at_home(person)
    await visitor.at_home(person)
    await visitor.press("End all, here too")
    await visitor.sees_heading("Sign in")
    await other.page.reload()
    await other.sees_heading("Sign in")


async def test_what_changed_is_shown_until_it_is_read(site: Site, visitor: Visitor) -> None:
    await visitor.at_home(await site.person())
    await visitor.fill("New password", "quiet herons cross the marsh")
    await visitor.press("Change my password")
    assert "Your password was changed." in await visitor.section("What changed")
    await visitor.press("I have read this")
    await visitor.sees_home()
    await expect(visitor.page.get_by_role("region", name="What changed")).to_have_count(0)

"""A physician's day at the console, in a real browser; an emergency; two people in two tabs."""

import pytest
from playwright.async_api import expect

from tests.browser.accessibility import findings
from tests.browser.conftest import NewVisitor
from tests.browser.site import CONSOLE, Person, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def come_in(visitor: Visitor, person: Person) -> None:
    await visitor.at_home(person)
    await visitor.page.goto(f"{CONSOLE}/")
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(f"{CONSOLE}/patients")


async def test_a_day_of_a_physician(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    await come_in(visitor, await site.person())
    await visitor.sees_heading("My patients today")
    found = {"patients": await findings(page)}
    await page.get_by_role("link", name="Robin Moreau").click()
    await visitor.sees_heading("Robin Moreau")
    await page.get_by_text("Values: ").first.click()
    found["chart"] = await findings(page)
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    assert "Moreau" not in await page.title()
    await page.get_by_role("link", name="Write a note").click()
    await visitor.fill("Text", "Seen today, <b>well</b>.")
    found["note"] = await findings(page)
    await visitor.press("Sign and save")
    await expect(page.get_by_text("The note is saved.")).to_be_visible()
    await page.get_by_role("link", name="As it is kept, and its history: Progress note").first.click()
    await expect(page.get_by_text("Seen today, <b>well</b>.")).to_be_visible()
    found["record"] = await findings(page)
    assert {name: said for name, said in found.items() if said} == {}


async def test_an_emergency_says_what_follows_before_it_opens(site: Site, new_browser: NewVisitor) -> None:
    visitor, other = await new_browser(), await new_browser()
    await come_in(visitor, await site.person("Noor Brandt", fhir_user="Practitioner/emergency"))
    await come_in(other, await site.person())
    page, found = visitor.page, {}
    await page.goto(f"{CONSOLE}/patient/bob")
    await visitor.sees_heading("This chart is not open to you")
    found["closed"] = await findings(page)
    await page.get_by_role("link", name="Open emergency access").click()
    await page.get_by_label("Reason").select_option("unconscious")
    await page.get_by_label("In your own words").fill("Found unconscious at the station.")
    found["why"] = await findings(page)
    await visitor.press("Go on: what follows from this")
    await visitor.sees_heading("What follows if you open this record")
    found["sure"] = await findings(page)
    await visitor.press("Open the record now")
    await visitor.sees_heading("Robin Lindqvist")
    found["emergency"] = await findings(page)
    await other.page.goto(page.url)  # what one opened is not open to another
    await other.sees_heading("Open emergency access")
    await visitor.press("Close now")
    await visitor.sees_heading("Emergency access is closed")
    found["over"] = await findings(page)
    await page.goto(f"{CONSOLE}/find")
    found["find"] = await findings(page)
    await page.goto(f"{CONSOLE}/reviews")
    found["reviews"] = await findings(page)
    await page.goto(f"{CONSOLE}/patients")
    await visitor.press("Sign out")
    await visitor.sees_heading("You are signed out")
    await visitor.goes_back()
    assert "Lindqvist" not in await page.inner_text("body")
    assert {name: said for name, said in found.items() if said} == {}

"""People who act for me: let, limited and ended, each obeyed by the next request. Attacks too."""

import datetime
import os

import pytest
from playwright.async_api import expect

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.site import PORTAL, Site
from tests.browser.test_portal_who_looked import come_in, cookie_of
from tests.browser.visitor import Visitor
from tests.web.admins import sign_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVIL = "Zoë <img src=x onerror=alert(1)>"


async def test_somebody_is_let_limited_and_ended(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    await page.set_viewport_size({"width": 390, "height": 844})
    await come_in(site, visitor, "/people")
    await visitor.fill("Name", EVIL)
    await page.get_by_label("Who are they to you?").select_option("SIB")
    new = page.get_by_role("region", name="Let somebody act for me")
    await new.get_by_label("Medicines").uncheck()
    today = datetime.datetime.fromtimestamp(site.clinic.time() / 1000, datetime.UTC).date()
    await new.get_by_label("Until when?").fill((today + datetime.timedelta(days=30)).isoformat())
    await visitor.press("Let them act for me")
    await expect(page.get_by_role("heading", name="may act for you")).to_contain_text(EVIL)
    assert await findings(page) == []
    await picture(visitor, "people")
    link = await page.locator(".secret").inner_text()
    login = (await page.get_by_text("Their login is").inner_text()).split()[3].rstrip(".")
    account = await site.services.accounts.find(login)
    assert account is not None
    assert "/invitation#cki_" in link
    site.clinic.accounts[login] = account
    await sign_in(site.clinic, login)
    assert (await site.clinic.ask("GET", "Observation/ada-pulse", who=login)).status == 200
    assert (await site.clinic.ask("GET", "Consent?patient=ada", who=login)).json.get("entry") is None
    assert (await page.goto(f"{PORTAL}/people")) is not None
    assert "cki_" not in await page.content(), "the link is shown once"
    mine = page.get_by_role("listitem").filter(has_text=EVIL)
    await mine.get_by_text("Change what they may see").click()
    await mine.get_by_label("Results and reports").uncheck()
    await mine.get_by_role("button", name="Save the limits").click()
    await expect(mine.locator("small")).not_to_contain_text("Results and reports")
    assert (await site.clinic.ask("GET", "Observation/ada-pulse", who=login)).status == 403
    assert (await site.clinic.ask("GET", "Condition/ada-asthma", who=login)).status == 200
    await mine.get_by_role("button", name="End it now").click()
    await expect(mine.get_by_text("Ended", exact=True)).to_be_visible()
    assert (await site.clinic.ask("GET", "Condition/ada-asthma", who=login)).status == 403


async def picture(visitor: Visitor, name: str) -> None:
    if folder := os.environ.get("PICTURES"):
        for scheme, width in (("light", 1280), ("dark", 390)):
            await visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await visitor.page.set_viewport_size({"width": width, "height": 844})
            await visitor.page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)


async def test_nobody_ends_or_changes_what_is_not_theirs_and_no_other_page_asks(site: Site, visitor: Visitor) -> None:
    await come_in(site, visitor, "/people", await site.person(kind=Kind.PATIENT, fhir_user="Patient/bob"))
    ada = (await site.clinic.ask("GET", "Consent?patient=ada", who="ada")).json.get("entry", ())
    post = "async (path) => (await fetch(path, {method: 'POST', body: new URLSearchParams({a: 'b'})})).status"
    for id_ in ("nothing", *(each["resource"]["id"] for each in ada)):
        for what in ("end", "change"):
            assert await visitor.page.evaluate(post, f"/people/{id_}/{what}") == 404
    assert await visitor.page.evaluate(post, "/people") == 422
    headers = {"origin": "https://evil.example", "host": PORTAL.removeprefix("https://")}
    headers["cookie"] = await cookie_of(visitor)
    for path in ("/people", "/people/nothing/end"):
        assert (await site.clinic.client.post(path, headers=headers)).status_code == 403


async def test_who_acts_for_a_patient_lets_nobody_else(site: Site, visitor: Visitor) -> None:
    person = await site.person(kind=Kind.PATIENT, fhir_user="RelatedPerson/nobody")
    await come_in(site, visitor, person=person)
    answer = await visitor.page.goto(f"{PORTAL}/people")
    assert answer is not None
    assert answer.status == 403

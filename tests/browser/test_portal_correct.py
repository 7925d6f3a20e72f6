"""A patient asks for a correction on a phone; the care team denies it, and the patient states why they disagree."""

import httpx
import pytest

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.conftest import NewVisitor
from tests.browser.site import CONSOLE, PORTAL, Site
from tests.browser.test_portal_appointments_messages import MARKUP, come_in
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

POST = """async ([path, body]) => (await fetch(path, {method: "POST", body: new URLSearchParams(body)})).status"""
FIELDS = """[...document.querySelectorAll("form[action='/correct'] [name]")].map((each) => [each.name, each.value])"""
GET = "async (path) => (await fetch(path)).status"
PHONE = {"width": 360, "height": 740}
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"


async def test_a_correction_is_asked_for_denied_and_disagreed_with(site: Site, new_browser: NewVisitor) -> None:
    patient, clinician, stranger = await new_browser(), await new_browser(), await new_browser()
    page = patient.page
    await come_in(patient, await site.person(kind=Kind.PATIENT), f"{PORTAL}/correct")
    found = await findings(page)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert not await page.evaluate(SIDEWAYS)
    await patient.fill("Which entry is wrong, and how is it right?", " " * 12)
    await patient.press("Ask for the correction")
    await patient.is_told("Please write what is wrong.")
    found += await findings(page)
    await patient.fill("Which entry is wrong, and how is it right?", MARKUP)
    form = await page.evaluate(FIELDS)
    await patient.press("Ask for the correction")
    await patient.sees_heading("My request for a correction")
    found += await findings(page)
    request = page.url
    path = request.removeprefix(PORTAL)
    await page.evaluate(POST, ["/correct", form])  # the form is sent twice
    await page.goto(f"{PORTAL}/correct")
    assert await page.get_by_role("link", name="Details of the request").count() == 1
    await come_in(clinician, await site.person(), f"{CONSOLE}/amendments")
    found += await findings(clinician.page)
    await clinician.page.get_by_text("60 days left").or_(clinician.page.get_by_text("59 days left")).wait_for()
    await clinician.page.get_by_role("main").get_by_role("link").first.click()
    assert MARKUP in await clinician.page.inner_text("main")
    found += await findings(clinician.page)
    await clinician.page.get_by_label("Deny it").check()
    await clinician.page.get_by_label("Why, for the patient to read").fill(f"It is accurate. {MARKUP}")
    await clinician.press("Answer")
    await clinician.page.get_by_text("No request waits.").wait_for()
    await page.goto(request)
    assert f"It is accurate. {MARKUP}" in await page.inner_text("main")
    await patient.fill("Why do you disagree?", "I was there, it was left.")
    await patient.press("Add my statement")
    await page.get_by_text("Your statement").wait_for()
    found += await findings(page)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert not await page.evaluate(SIDEWAYS)
    await come_in(stranger, await site.person(kind=Kind.PATIENT, fhir_user="Patient/bob"), f"{PORTAL}/correct")
    assert await stranger.page.evaluate(GET, path) == 404
    assert await stranger.page.evaluate(POST, [f"{path}/disagree", [["words", "It was me, it was me."]]]) == 404
    assert found == []


async def test_no_other_page_asks_and_only_own_records_are_named(site: Site, visitor: Visitor) -> None:
    await come_in(visitor, await site.person(kind=Kind.PATIENT, fhir_user="Patient/bob"), f"{PORTAL}/correct")
    assert await visitor.page.evaluate(GET, "/correct?about=Condition/none") == 404
    assert await visitor.page.evaluate(GET, "/correct?about=javascript:alert(1)") == 404
    cookies = {str(each["name"]): str(each["value"]) for each in await visitor.context.cookies(PORTAL)}
    for path in ("/correct", "/correct/x/disagree"):
        assert (await _from_elsewhere(site, path, cookies)).status_code == 403, path


async def _from_elsewhere(site: Site, path: str, cookies: dict[str, str]) -> httpx.Response:
    headers = {"origin": "https://evil.example", "host": PORTAL.removeprefix("https://")}
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await site.clinic.client.post(path, headers=headers)

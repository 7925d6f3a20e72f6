"""A patient books, moves and cancels a visit, writes to the care team with a picture, and the clinician answers."""

import struct
import zlib

import pytest

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.conftest import NewVisitor
from tests.browser.site import CONSOLE, PORTAL, Person, Site
from tests.browser.visitor import Visitor
from tests.web.booking.test_booking import SCHEDULE, slot

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = '<img src=x onerror=alert(1)>"><script>alert(2)</script>'

FETCH = """async (path) => {
  const answer = await fetch(path);
  const named = ["content-type", "content-disposition", "content-security-policy"];
  return [answer.status, ...named.map((name) => answer.headers.get(name))];
}"""


def picture() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


async def come_in(visitor: Visitor, person: Person, place: str) -> None:
    await visitor.at_home(person)
    await visitor.page.goto(place)
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(place)


async def test_a_visit_is_booked_moved_and_cancelled(site: Site, visitor: Visitor) -> None:
    for resource in (SCHEDULE, slot("page-10", 10), slot("page-11", 11)):
        await site.clinic.put(resource)
    role = {
        "resourceType": "PractitionerRole",
        "id": "okafor-role",
        "active": True,
        "practitioner": {"reference": "Practitioner/physician"},
    }
    await site.clinic.put(role)
    page = visitor.page
    await come_in(visitor, await site.person(kind=Kind.PATIENT), f"{PORTAL}/appointments")
    found = await findings(page)
    await page.goto(f"{PORTAL}/appointments/find?week=2026-11-10")
    found += await findings(page)
    await page.get_by_role("link", name="10:00").click()
    found += await findings(page)
    await page.get_by_label("What should be known before?").fill(MARKUP)
    await visitor.press("Book")
    await page.get_by_text("Your appointment is booked.").wait_for()
    assert MARKUP in await page.inner_text("main")
    await page.get_by_role("button", name="Look for another time").click()
    await page.get_by_role("button", name="11:00").click()
    await page.get_by_text("Your appointment is at this new time.").wait_for()
    found += await findings(page)
    await visitor.press("Cancel this appointment")
    await page.get_by_text("Your appointment is cancelled").wait_for()
    assert found == []


async def test_a_message_with_a_picture_is_answered(site: Site, new_browser: NewVisitor) -> None:
    patient, clinician = await new_browser(), await new_browser()
    await come_in(patient, await site.person(kind=Kind.PATIENT), f"{PORTAL}/messages")
    page = patient.page
    found = await findings(page)
    await page.goto(f"{PORTAL}/messages/new?to=physician")
    await patient.fill("What is it about?", "My knee")
    await patient.fill("Message", MARKUP)
    await patient.press("Send")
    await page.get_by_text("You have never written to Okafor before.").wait_for()
    found += await findings(page)
    await page.get_by_label("Yes, it is for Okafor").check()
    file = {"name": '../"knee.exe', "mimeType": "text/html", "buffer": picture()}
    await page.get_by_label("Picture or document").set_input_files(file)  # type: ignore[arg-type]
    await patient.press("Send")
    await patient.sees_heading("My knee")
    found += await findings(page)
    path = await page.get_by_role("link", name=".png").get_attribute("href")
    status, kind, disposition, policy = await page.evaluate(FETCH, path)
    assert (status, kind) == (200, "image/png")
    assert disposition.startswith("attachment")
    assert "sandbox" in policy
    await come_in(clinician, await site.person(), f"{CONSOLE}/messages")
    await clinician.page.get_by_role("link", name="My knee").click()
    assert MARKUP in await clinician.page.inner_text("main")
    await clinician.fill("Message", "Please come by.")
    await clinician.press("Send")
    await clinician.page.get_by_text("Please come by.").wait_for()
    found += await findings(clinician.page)
    stranger = await new_browser()
    other = await site.person(kind=Kind.PATIENT, fhir_user="Patient/bob")
    await come_in(stranger, other, f"{PORTAL}/messages")
    assert (await stranger.page.evaluate(FETCH, path))[0] in {403, 404}
    await page.reload()
    await page.get_by_text("Please come by.").wait_for()
    assert found == []

"""Sharing and taking away, by the patient's own browser; nobody but the browser sees the key of a link."""

import asyncio
import io
import json
from typing import Any

import httpx
import pypdf
import pytest
from playwright.async_api import Request, expect

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.site import PORTAL, Site
from tests.browser.visitor import Visitor
from tests.web.sharing.viewer import Viewer, from_text

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOSTILE = """<img src=x onerror=alert(1)>"><script>alert(2)</script>"""


async def at_the_portal(site: Site, visitor: Visitor, path: str) -> None:
    await visitor.at_home(await site.person(kind=Kind.PATIENT))
    await visitor.page.goto(f"{PORTAL}/{path}")
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(f"{PORTAL}/{path}")


async def test_a_link_is_made_opened_and_ended_and_its_key_never_comes_here(site: Site, visitor: Visitor) -> None:
    sent: list[bytes] = []

    def heard(request: Request) -> None:
        sent.append(f"{request.url} {request.headers}".encode() + (request.post_data_buffer or b""))

    await at_the_portal(site, visitor, "share")
    visitor.page.on("request", heard)
    page = visitor.page
    await visitor.fill("What is it for?", HOSTILE)
    await visitor.fill("Passcode (if you want one)", "a long walk")
    await visitor.press("Make the link")
    await expect(page.get_by_role("heading", name="Your link is ready")).to_be_focused()
    link = await page.get_by_label("The link", exact=True).input_value()
    payload: dict[str, Any] = json.loads(from_text(link.removeprefix("shlink:/")))
    key = from_text(payload["key"])
    everything = b" ".join(sent)
    assert b"eyJhbGciOiJkaXIi" in everything  # the ciphertext was seen by this test
    for secret in (payload["key"].encode(), key, key.hex().encode(), link.encode()):
        assert secret not in everything
    drawn = await page.evaluate("() => { const c = document.querySelector('canvas'); return c.width }")
    assert drawn > 60
    assert await findings(page) == []
    viewer = Viewer(site.clinic.client, f"Dr. Okoye {HOSTILE}")
    (document,) = await viewer.read(link, passcode="a long walk")
    assert b"Asthma" in document
    await page.get_by_role("link", name="Done").click()
    await page.get_by_text("Opened 1 time", exact=True).click()
    await expect(page.get_by_text("Dr. Okoye <img")).to_be_visible()
    assert await findings(page) == []
    await page.get_by_role("button", name=f"End the link: {HOSTILE}").click()
    await expect(page.get_by_text("You have not made a link.")).to_be_visible()
    assert (await viewer.manifest(payload["url"], passcode="a long walk")).status_code == 404


async def test_a_guest_is_invited_after_a_second_look_and_ended(site: Site, visitor: Visitor) -> None:
    await at_the_portal(site, visitor, "share")
    page = visitor.page
    await visitor.fill("Name", "Dr. L. <b>Wang</b>")
    await visitor.fill("Practice or hospital", "Riverside Clinic")
    await visitor.fill("E-mail address", "l.wang@riverside.example.org")
    await visitor.press("Invite")
    await visitor.is_told("printable characters")
    assert await findings(page) == []
    await visitor.fill("Name", "Dr. L. Wang")
    await visitor.press("Invite")
    await visitor.is_told("Please look again before this leaves")
    await visitor.press("Invite them all the same")
    await expect(page.get_by_role("heading", name="Dr. L. Wang is invited")).to_be_visible()
    assert await findings(page) == []
    await page.get_by_role("button", name="End the access: Dr. L. Wang").click()
    await expect(page.get_by_text("Nobody is invited.")).to_be_visible()


async def test_nobody_ends_what_is_not_theirs_and_no_other_page_asks(site: Site, visitor: Visitor) -> None:
    await at_the_portal(site, visitor, "share")
    post = "async (path) => (await fetch(path, {method: 'POST'})).status"
    for path in (f"/share/links/{'0' * 32}/end", f"/share/guests/{'0' * 32}/end", "/share/links/x/end"):
        assert await visitor.page.evaluate(post, path) == 404
    cookies = {str(each["name"]): str(each["value"]) for each in await visitor.context.cookies(PORTAL)}
    for path in ("/share/links", "/share/guests", "/take-away/record", "/take-away/summary"):
        answer = await _from_elsewhere(site, path, cookies)
        assert answer.status_code == 403, path


async def _from_elsewhere(site: Site, path: str, cookies: dict[str, str]) -> httpx.Response:
    headers = {"origin": "https://evil.example", "host": PORTAL.removeprefix("https://")}
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return await site.clinic.client.post(path, headers=headers)


async def test_what_is_taken_away_is_what_is_there(site: Site, visitor: Visitor) -> None:
    await at_the_portal(site, visitor, "take-away")
    assert await findings(visitor.page) == []

    async def take(button: str) -> bytes:
        async with visitor.page.expect_download() as waiting:
            await visitor.press(button)
        path = await (await waiting.value).path()
        return await asyncio.to_thread(path.read_bytes)

    lines = [json.loads(line) for line in (await take("Record for programs (FHIR, NDJSON)")).splitlines()]
    searched = await site.clinic.ask("GET", "Patient/ada/$everything", who="ada")
    assert lines == [each["resource"] for each in searched.json["entry"]]
    document = json.loads(await take("Summary for programs (FHIR)"))
    summary = _text(await take("Summary to read (PDF)"))
    for section in document["entry"][0]["resource"]["section"]:
        assert section["title"] in summary
    assert "Asthma" in summary
    assert "are left out" in summary
    record = _text(await take("Record to read (PDF)"))
    assert record.startswith("My health record")
    assert "Asthma" in record
    assert "88" in record


def _text(content: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(content))
    root: Any = reader.trailer["/Root"]
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"], "/StructTreeRoot" in root) == ("en", True, True)
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())

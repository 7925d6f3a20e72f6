"""An outside clinician takes up an invitation in a browser, reads one record, and is ended."""

import pytest

from tests.browser.accessibility import findings
from tests.browser.site import PORTAL, Site
from tests.browser.visitor import Visitor
from tests.web.clinic import Json

pytestmark = pytest.mark.asyncio(loop_scope="session")
WANG: Json = {
    "patient": "ada",
    "name": "Dr. L. Wang",
    "address": "l.wang@riverside.example.org",
    "organization": "Riverside Clinic",
    "types": ["Observation", "Condition"],
}


async def invited(site: Site) -> Json:
    asked = await site.clinic.ask("POST", "/guests", WANG, who="physician")
    again = WANG | {"confirmation": asked.json["confirmation"]}
    answer = await site.clinic.ask("POST", "/guests", again, who="physician") if asked.status == 428 else asked
    assert answer.status == 201
    return answer.json


async def test_a_guest_reads_one_record_in_a_browser(site: Site, visitor: Visitor) -> None:
    facts, page = await invited(site), visitor.page
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    await page.goto(f"{PORTAL}/guest#{facts['invitation']}")
    await visitor.fill("Code of six digits", "000000" if facts["code"] != "000000" else "111111")
    assert await findings(page) == []
    assert page.url == f"{PORTAL}/guest"
    await visitor.press("Read the record")
    await visitor.is_told("do not fit")
    await visitor.fill("Invitation", facts["invitation"])
    await visitor.fill("Code of six digits", facts["code"])
    await visitor.press("Read the record")
    await visitor.sees_heading("Robin Moreau, born 1970-02-28")
    assert "Asthma" in await page.inner_text("main")
    assert await findings(page) == []
    response = await page.reload()
    assert response is not None
    entry = await site.entry(response.headers["x-ledger-entry"])
    assert (entry.agent.role, entry.patients, entry.outcome) == ("guest", ("ada",), "permitted")
    assert (entry.recipient or "").startswith("Dr. L. Wang, Riverside Clinic <l.wang@riverside.example.org>")
    assert facts["invitation"] not in " ".join(urls)
    assert await page.evaluate("document.cookie") == ""
    await page.goto(f"{PORTAL}/share")
    await visitor.sees_heading("Your health records")  # a guest is nobody at the other pages
    assert (await site.clinic.ask("DELETE", f"/guests/{facts['id']}", who="physician")).status == 204
    await page.goto(f"{PORTAL}/guest")
    await visitor.sees_heading("Your invitation")

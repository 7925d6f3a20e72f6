"""An auditor's first look at the console, in a real browser."""

import pytest

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.site import CONSOLE, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_auditor_sees_what_happened_and_its_evidence(site: Site, visitor: Visitor) -> None:
    page = visitor.page
    await site.clinic.ask("GET", "Patient/bob", who="physician")
    await visitor.at_home(await site.person("Sam Keller", kind=Kind.AUDITOR))
    await page.goto(f"{CONSOLE}/")
    await visitor.press("Sign in")
    await visitor.sees_heading("Overview")
    found = {"overview": await findings(page)}
    await page.get_by_role("link", name="Refused requests").click()
    await visitor.sees_heading("Refused requests")
    found["events"] = await findings(page)
    await page.goto(f"{CONSOLE}/reviews")
    found["reviews"] = await findings(page)
    assert {name: said for name, said in found.items() if said} == {}

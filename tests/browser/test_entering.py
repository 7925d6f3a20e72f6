"""Coming in at the portal and the console by way of the sign-in site, and going out of all of them at once."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from carekeep.identity import Kind
from tests.browser.conftest import NewVisitor
from tests.browser.site import CONSOLE, PORTAL, SIGN_IN, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_patient_comes_in_and_finds_the_page_that_was_asked_for(site: Site, visitor: Visitor) -> None:
    person = await site.person(kind=Kind.PATIENT)
    answer = await visitor.page.goto(f"{PORTAL}/")
    assert answer is not None
    assert answer.status == 200
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(f"{SIGN_IN}/sign-in?*")
    await visitor.sign_in(person)
    await visitor.page.wait_for_url(f"{PORTAL}/")
    await visitor.sees_heading("Today")
    assert await visitor.page.evaluate("document.cookie") == ""
    domains = {each["domain"] for each in await visitor.context.cookies() if each["name"] == "__Host-session"}
    assert domains == {urlsplit(SIGN_IN).hostname, urlsplit(PORTAL).hostname}


async def test_who_is_signed_in_already_is_not_asked_again(site: Site, visitor: Visitor) -> None:
    await visitor.at_home(await site.person())
    await visitor.page.goto(f"{CONSOLE}/")
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(f"{CONSOLE}/patients")
    await visitor.sees_heading("My patients today")


async def test_signing_out_ends_the_session_everywhere(site: Site, visitor: Visitor) -> None:
    await visitor.at_home(await site.person(kind=Kind.PATIENT))
    await visitor.page.goto(f"{PORTAL}/")
    await visitor.press("Sign in")
    await visitor.page.wait_for_url(f"{PORTAL}/")
    await visitor.press("Sign out")
    await visitor.sees_heading("You are signed out")
    await visitor.open("/account")
    assert visitor.path.startswith("/sign-in")
    await visitor.page.goto(f"{PORTAL}/")
    await visitor.sees_heading("Your health records")


async def test_a_patient_finds_no_console_and_a_clinician_no_portal(site: Site, new_browser: NewVisitor) -> None:
    for origin, kind in ((CONSOLE, Kind.PATIENT), (PORTAL, Kind.PRACTITIONER)):
        visitor = await new_browser()
        await visitor.at_home(await site.person(kind=kind))
        await visitor.page.goto(f"{origin}/")
        await visitor.press("Sign in")
        await visitor.sees_heading("There is nothing here")


async def test_an_answer_to_another_browser_lets_nobody_in(site: Site, new_browser: NewVisitor) -> None:
    """Login CSRF (RFC 6749 §10.12): the attacker's own answer, opened in the victim's browser."""
    attacker, victim = await new_browser(), await new_browser()
    await attacker.at_home(await site.person(kind=Kind.PATIENT))
    answers: list[str] = []
    attacker.page.on("request", lambda request: answers.append(request.url))
    await attacker.page.route(f"{PORTAL}/entered*", lambda route: route.abort())
    await attacker.page.goto(f"{PORTAL}/")
    await attacker.press("Sign in")
    await attacker.page.wait_for_timeout(0)
    while not any(url.startswith(f"{PORTAL}/entered") for url in answers):
        await attacker.page.wait_for_event("request")
    answer = next(url for url in answers if url.startswith(f"{PORTAL}/entered"))
    assert {"code", "state", "iss"} <= dict(parse_qsl(urlsplit(answer).query)).keys()
    response = await victim.page.goto(answer)
    assert response is not None
    assert response.status == 400
    await victim.sees_heading("You are not signed in")
    entry = await site.entry(response.headers["x-ledger-entry"])
    assert (entry.outcome, entry.reason) == ("denied", "the answer is not to a question of this browser")


async def test_the_page_speaks_german_to_who_asks_for_it(visitor: Visitor) -> None:
    await visitor.page.set_extra_http_headers({"accept-language": "de-CH, de;q=0.9, en;q=0.5"})
    await visitor.page.goto(f"{PORTAL}/")
    await visitor.sees_heading("Ihre Gesundheitsakte")
    await visitor.press("English")
    await visitor.sees_heading("Your health records")

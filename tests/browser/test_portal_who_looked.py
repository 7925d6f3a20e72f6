"""Who looked: a look with its reason, one that appears by itself, a question about it, and its proof. Attacks too."""

import asyncio
import json
import os

import httpx
import pytest
from playwright.async_api import expect

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.conftest import NewVisitor
from tests.browser.site import PORTAL, Person, Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")
EVIL = "<img src=x onerror=alert(1)>"


async def come_in(site: Site, visitor: Visitor, path: str = "/", person: Person | None = None) -> Person:
    """Signed in at the portal, on this page."""
    person = person or await site.person(kind=Kind.PATIENT)
    await visitor.page.goto(f"{PORTAL}{path}")
    await visitor.press("Sign in")
    await visitor.sign_in(person)
    await visitor.page.wait_for_url(f"{PORTAL}{path}")
    return person


async def looked(site: Site, who: str = "physician", patient: str = "ada") -> str:
    """Somebody reads a record; the id of the entry, which is in the log."""
    answer = await site.clinic.ask("GET", f"Condition/{patient}-asthma", who=who)
    await site.clinic.integrate()
    return answer.headers["x-ledger-entry"]


async def test_a_patient_sees_who_looked_and_a_new_look_appears_by_itself(site: Site, visitor: Visitor) -> None:
    await looked(site)
    await come_in(site, visitor, "/who-looked")
    await visitor.sees_heading("Who looked at my record")
    looks = visitor.page.locator("#looks")
    await expect(looks).to_contain_text("Okafor")
    await expect(looks).to_contain_text("On your care team")
    before = await looks.get_by_text("Brandt").count()
    async with asyncio.timeout(4):
        await visitor.page.wait_for_function("document.querySelector('#live')._htmx?.sse?.status === 200")
    await looked(site, "emergency")  # is refused, which the patient sees as well
    await expect(looks.get_by_text("Brandt").nth(before)).to_be_visible(timeout=2_000)
    await expect(looks.get_by_text("Refused", exact=True).first).to_be_visible()
    assert await findings(visitor.page) == []
    if folder := os.environ.get("PICTURES"):
        for scheme, width in (("light", 1280), ("dark", 390)):
            await visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await visitor.page.set_viewport_size({"width": width, "height": 844})
            await visitor.page.screenshot(path=f"{folder}/who-looked-{scheme}-{width}.png", full_page=True)


async def test_a_question_is_put_once_answered_and_read(site: Site, visitor: Visitor) -> None:
    entry = await looked(site)
    await come_in(site, visitor, f"/who-looked/ask/{entry}")
    await visitor.fill("What do you want to know?", f"Why? {EVIL}")
    assert await findings(visitor.page) == []
    await visitor.press("Send the question")
    await visitor.sees_heading("My question")
    await expect(visitor.page.get_by_text(EVIL)).to_be_visible()
    id_ = visitor.page.url.rsplit("/", 1)[1]
    seen = await site.clinic.ask("GET", f"/reviews/{id_}", who="auditor")
    body = {"verdict": "justified", "text": f"It was your own doctor. {EVIL}", "revision": seen.json["revision"]}
    answered = await site.clinic.ask(
        "POST",
        f"/reviews/{id_}/answer",
        json.dumps(body).encode(),
        who="auditor",
        headers={"content-type": "application/json"},
    )
    assert answered.status == 200, answered.body
    await visitor.page.reload()
    await expect(visitor.page.get_by_text("It was in order.")).to_be_visible()
    await expect(visitor.page.get_by_text("It was your own doctor.")).to_be_visible()
    assert await findings(visitor.page) == []
    await visitor.page.goto(f"{PORTAL}/who-looked/ask/{entry}")  # once more: it is the same question
    await visitor.page.wait_for_url(f"{PORTAL}/who-looked/question/{id_}")


async def test_the_proof_is_checked_in_the_browser(site: Site, visitor: Visitor) -> None:
    entry = await looked(site)
    await come_in(site, visitor, f"/who-looked/check/{entry}")
    await visitor.press("Check now")
    await expect(visitor.page.get_by_text("Proven.", exact=True)).to_be_visible()
    assert await findings(visitor.page) == []
    await visitor.page.evaluate("document.querySelector('[data-entry]').dataset.entry = '0'.repeat(32)")
    await visitor.press("Check now")
    await expect(visitor.page.get_by_text("Not proven.", exact=True)).to_be_visible()


async def cookie_of(visitor: Visitor) -> str:
    kept = await visitor.context.cookies(PORTAL)
    return "; ".join(f"{each['name']}={each['value']}" for each in kept)


async def test_what_is_of_another_patient_is_not_there(site: Site, visitor: Visitor) -> None:
    entry = await looked(site, "engine", "bob")
    await come_in(site, visitor)
    for path in (
        f"check/{entry}",
        f"proof/{entry}",
        f"ask/{entry}",
        f"question/{entry}",
        "proof/zz",
        "check/" + "0" * 64,
    ):
        answer = await visitor.page.goto(f"{PORTAL}/who-looked/{path}")
        assert answer is not None
        assert answer.status == 404, path
        assert (await site.entry(answer.headers["x-ledger-entry"])).outcome == "failed", path


async def test_a_stream_ends_with_its_session(site: Site, new_browser: NewVisitor) -> None:
    for ends in ("signed out", "revoked"):
        visitor = await new_browser()
        person = await come_in(site, visitor)
        lines: list[str] = []
        started = asyncio.Event()
        request = await stream(site, await cookie_of(visitor), lines, started)
        async with asyncio.timeout(3):
            await started.wait()
        if ends == "signed out":
            await visitor.press("Sign out")
            await visitor.sees_heading("You are signed out")
        else:
            services = site.services
            found = await services.browser_sessions.of_account(person.account.id)
            ended = await services.browser_sessions.prepare_end(*found)
            await site.clinic.record("revoked", ended)
            services.generations.changed("accounts")
        async with asyncio.timeout(1):
            await request
        assert "event: over" in "\n".join(lines)


async def stream(site: Site, cookie: str, lines: list[str], started: asyncio.Event) -> asyncio.Task[None]:
    """Read the stream as a browser does, over HTTP."""

    async def read() -> None:
        transport = httpx.AsyncHTTPTransport(verify=False)
        async with (
            httpx.AsyncClient(transport=transport) as client,
            client.stream(
                "GET",
                f"https://127.0.0.1:{site.port}/who-looked/live",
                headers={"host": PORTAL.removeprefix("https://"), "cookie": cookie},
            ) as answer,
        ):
            assert answer.status_code == 200
            async for line in answer.aiter_lines():
                started.set()
                lines.append(line)

    return asyncio.create_task(read())

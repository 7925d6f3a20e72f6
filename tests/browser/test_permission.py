"""An app asks; a person allows it, or does not, in a real browser."""

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.async_api import Route, expect

from carekeep.identity import Kind
from carekeep.identity.apps.client import Client
from tests.browser.conftest import NewVisitor
from tests.browser.site import API, REDIRECT, SIGN_IN, Site
from tests.browser.visitor import Visitor
from tests.web.oauth.desk import CHALLENGE

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOUR_MS = 3_600_000
QUARTER_MS = 16 * 60_000


def asking(client: Client, **given: str | None) -> dict[str, str]:
    asked: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": REDIRECT,
        "scope": "openid fhirUser launch/patient patient/Observation.rs",
        "state": "the app's own & more",
        "aud": f"{API}/fhir",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (asked | given).items() if value is not None}


async def with_app(visitor: Visitor) -> Visitor:
    """The app's site, to which the browser is sent back; it only says hello."""

    async def hello(route: Route) -> None:
        await route.fulfill(
            body="<!doctype html><title>The app</title><link rel=icon href=data:,>", content_type="text/html"
        )

    await visitor.context.route("https://app.example.org/**", hello)
    return visitor


async def ask(visitor: Visitor, client: Client, **given: str | None) -> None:
    await visitor.open(f"/authorize?{urlencode(asking(client, **given))}")


async def told(visitor: Visitor) -> dict[str, str]:
    """What the app is told at the end."""
    await visitor.page.wait_for_url(f"{REDIRECT}?*")
    answer = dict(parse_qsl(urlsplit(visitor.page.url).query))
    assert answer["state"] == "the app's own & more"
    assert answer["iss"] == SIGN_IN
    return answer


async def test_a_patient_allows_an_app_and_stops_it(site: Site, visitor: Visitor) -> None:
    client = await site.app("Growth Charts")
    person = await site.person("Ada Moreau", kind=Kind.PATIENT)
    await ask(await with_app(visitor), client)
    await visitor.sign_in(person)
    await visitor.sees_heading("Allow “Growth Charts”?")
    page = await visitor.page.inner_text("main")
    assert "You are Ada Moreau." in page
    assert "See your measurements" in page
    assert "app.example.org" in page
    assert "This app cannot prove that it is what it calls itself." in page
    await visitor.press("Allow")
    assert (await told(visitor))["code"]


async def test_who_does_not_allow_it_gives_nothing(site: Site, visitor: Visitor) -> None:
    client = await site.app()
    await visitor.at_home(await site.person(kind=Kind.PATIENT))
    await ask(await with_app(visitor), client)
    await visitor.press("Do not allow")
    answer = await told(visitor)
    assert answer["error"] == "access_denied"
    assert "code" not in answer


async def test_a_clinician_chooses_among_those_whom_they_may_see(site: Site, visitor: Visitor) -> None:
    client = await site.app()
    await visitor.at_home(await site.person("Dr. Okafor"))
    await ask(await with_app(visitor), client)
    await visitor.sees_heading("Which patient?")
    await visitor.fill("Name", "lindqvist")
    await visitor.press("Search")
    await expect(visitor.page.get_by_role("status")).to_have_text("Nobody whom you may see has a name like this.")
    await visitor.fill("Name", "more")
    await visitor.page.keyboard.press("Enter")
    await visitor.press("Choose Robin Moreau")
    await visitor.sees_heading("Allow “Growth Charts”?")
    assert "It would work in the record of Robin Moreau." in await visitor.page.inner_text("main")
    await visitor.press("Allow")
    code = (await told(visitor))["code"]
    issued = await site.services.apps.codes.find(code)
    assert issued is not None
    assert issued.code.context.patient == "ada"


async def test_a_patient_whom_one_may_not_see_cannot_be_smuggled_in(site: Site, visitor: Visitor) -> None:
    client = await site.app()
    await visitor.at_home(await site.person())
    await ask(visitor, client)
    await visitor.fill("Name", "moreau")
    await visitor.press("Search")
    await visitor.page.evaluate("document.querySelector('button[name=patient]').value = 'bob'")
    await visitor.press("Choose Robin Moreau")
    await visitor.sees_heading("That is not allowed")


async def test_an_app_that_must_not_ask_is_told_what_it_would_need(site: Site, visitor: Visitor) -> None:
    client = await site.app()
    await with_app(visitor)
    await ask(visitor, client, prompt="none")
    assert (await told(visitor))["error"] == "login_required"
    await visitor.at_home(await site.person(kind=Kind.PATIENT))
    await ask(visitor, client, prompt="none")
    assert (await told(visitor))["error"] == "consent_required"
    await visitor.open("/account")
    await visitor.press("Sign out")
    await visitor.at_home(await site.person())
    await ask(visitor, client, prompt="none")
    assert (await told(visitor))["error"] == "interaction_required"


@pytest.mark.parametrize("given", [{"prompt": "login"}, {"max_age": "900"}])
async def test_an_app_may_want_a_new_sign_in(site: Site, visitor: Visitor, given: dict[str, str]) -> None:
    client = await site.app()
    person = await site.person(kind=Kind.PATIENT)
    await visitor.at_home(person)
    site.later(QUARTER_MS)
    await ask(await with_app(visitor), client, **given)
    await visitor.sees_heading("Sign in once more")
    await visitor.sign_in(person)
    await visitor.sees_heading("Allow “Growth Charts”?")
    await visitor.press("Allow")
    assert (await told(visitor))["code"]


async def test_the_moment_from_which_a_sign_in_counts_is_not_the_apps_to_say(site: Site, visitor: Visitor) -> None:
    """Else a link that wants a new sign-in could say of itself that there was one."""
    client = await site.app()
    person = await site.person(kind=Kind.PATIENT)
    await visitor.at_home(person)
    for since in ("0", "1793880000000", "AAAA"):
        await ask(visitor, client, prompt="login", signed_in_since=since)
        await visitor.sees_heading("Sign in once more")
    written = dict(parse_qsl(urlsplit(visitor.page.url).query))["next"]
    await visitor.sign_in(person)
    await visitor.sees_heading("Allow “Growth Charts”?")
    site.later()
    stamped = dict(parse_qsl(urlsplit(written).query))["signed_in_since"]
    await ask(visitor, client, prompt="login", state="of another request", signed_in_since=stamped)
    await visitor.sees_heading("Sign in once more")


async def test_an_answer_after_the_session_ended_comes_back_to_the_question(
    site: Site, visitor: Visitor, new_browser: NewVisitor
) -> None:
    client = await site.app()
    person = await site.person(kind=Kind.PATIENT)
    await visitor.at_home(person)
    await ask(await with_app(visitor), client)
    other = await new_browser()
    await other.at_home(person)
    await other.press("End all, here too")
    await other.sees_heading("Sign in")
    await visitor.press("Allow")
    await visitor.sees_heading("Sign in")
    await visitor.sign_in(person)
    await visitor.sees_heading("Allow “Growth Charts”?")


async def test_the_organizations_own_app_asks_nobody(site: Site, visitor: Visitor) -> None:
    client = await site.app("Portal", first_party=True)
    await visitor.at_home(await site.person(kind=Kind.PATIENT))
    pushed = site.services.apps.pushed.prepare_keep(client.id, list(asking(client).items()))
    await site.clinic.record("pushed", pushed)
    await with_app(visitor)
    await visitor.open(f"/authorize?{urlencode({'client_id': client.id, 'request_uri': pushed.value})}")
    assert (await told(visitor))["code"]


@pytest.mark.parametrize(
    "given",
    [
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": f"{REDIRECT}/../evil"},
        {"redirect_uri": f"{REDIRECT}?more=1"},
        {"client_id": "0" * 32},
        {"client_id": "<script>alert(1)</script>"},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_the_apps(
    site: Site, visitor: Visitor, given: dict[str, Any]
) -> None:
    client = await site.app()
    await ask(visitor, client, **given)
    await visitor.sees_heading("This app cannot be let in")
    assert visitor.page.url.startswith(SIGN_IN)
    assert await visitor.page.get_by_role("link").count() == 0

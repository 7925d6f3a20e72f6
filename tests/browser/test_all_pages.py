"""What holds for every page: it can be used by everybody, by the keyboard alone, and it runs nothing but ours."""

import pytest
from playwright.async_api import expect

from carekeep.identity import Kind
from tests.browser.accessibility import findings
from tests.browser.site import Site
from tests.browser.test_permission import ask
from tests.browser.visitor import Visitor
from tests.web.clinic import care_team

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARKUP = """<img src=x onerror=alert(1)>"><script>alert(2)</script>'`${alert(3)}{{7*7}}<svg/onload=alert(4)>"""
LINK = "javascript:alert(5)//</title></textarea></style><a href=//evil.example>"


async def test_every_page_can_be_used_by_everybody(site: Site, visitor: Visitor) -> None:
    found: dict[str, list[str]] = {}
    await visitor.has_authenticator()
    await visitor.open("/sign-in")
    found["sign-in"] = await findings(visitor.page)
    await visitor.press("Sign in with a passkey")
    person = await site.person("Robin Moreau")
    await visitor.fill("Login", person.login)
    await visitor.fill("Password", "wrong")
    await visitor.press("Sign in")
    await visitor.is_told("Login, password or code is not right.")
    found["refused"] = await findings(visitor.page)
    await visitor.sign_in(person)
    await visitor.sees_home()
    await visitor.add_passkey("my laptop")
    await visitor.page.get_by_text("my laptop", exact=True).wait_for()
    await visitor.press("Set up another app")
    await visitor.fill("New password", "password")
    await visitor.press("Change my password")
    await visitor.is_told("The password is")
    found["account"] = await findings(visitor.page)
    await visitor.press("Make new recovery codes")
    await visitor.sees_heading("Your recovery codes")
    found["codes"] = await findings(visitor.page)
    await ask(visitor, await site.app())
    await visitor.fill("Name", "moreau")
    await visitor.press("Search")
    found["patient"] = await findings(visitor.page)
    await visitor.press("Choose Robin Moreau")
    found["permission"] = await findings(visitor.page)
    await visitor.open("/invitation")
    found["link"] = await findings(visitor.page)
    await visitor.open(await site.invited(await site.person(kind=Kind.PATIENT, password=None, totp_key=None)))
    await visitor.page.get_by_role("button", name="Create a passkey").wait_for()
    found["invitation"] = await findings(visitor.page)
    await visitor.open("/ledger/check")
    found["check a proof"] = await findings(visitor.page)
    await visitor.open("/account/nothing")
    found["message"] = await findings(visitor.page)
    assert {name: said for name, said in found.items() if said} == {}


async def test_the_keyboard_alone_is_enough(site: Site, visitor: Visitor) -> None:
    """From the sign-in to an app that is allowed, without a mouse; what has the focus can be seen."""
    person = await site.person(kind=Kind.PATIENT)
    await ask(visitor, await site.app())
    await _go_to(visitor, "Login")
    await visitor.page.keyboard.type(person.login)
    await _go_to(visitor, "Password")
    await visitor.page.keyboard.type(person.password)
    await _go_to(visitor, "Code")
    await visitor.page.keyboard.type(site.code(person.key))
    await visitor.page.keyboard.press("Enter")
    await visitor.sees_heading("Allow “Growth Charts”?")
    await _go_to(visitor, "Do not allow")
    outline = await visitor.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


@pytest.mark.parametrize("hostile", [MARKUP, LINK])
async def test_names_are_never_run(site: Site, visitor: Visitor, hostile: str) -> None:
    """Whatever people, apps, passkeys and patients are called; the fixture counts dialogs and violations."""
    name = hostile[:100]
    kept = {"resourceType": "Patient", "id": "hostile", "name": [{"text": name}], "birthDate": "1970-02-28"}
    assert (await site.clinic.put(kept)).status in {200, 201}
    person = await site.person(name, kind=Kind.PATIENT, fhir_user="Patient/hostile")
    await visitor.has_authenticator()
    await visitor.at_home(person)
    await visitor.add_passkey(name[:60])
    await visitor.page.get_by_text(name[:60], exact=True).wait_for()
    await visitor.press(f"Remove {name[:60]}")
    await expect(visitor.page.get_by_text(f"A passkey was removed: {name[:60]}.")).to_be_visible()
    client = await site.app(name)
    await ask(visitor, client, state=hostile, login_hint=hostile)
    await visitor.sees_heading(f"Allow “{name}”?")
    assert f"You are {name}." in await visitor.page.inner_text("main")
    assert (await site.clinic.put(care_team("hostile"))).status in {200, 201}
    await visitor.open("/account")
    await visitor.press("Sign out")
    await visitor.at_home(await site.person())
    await ask(visitor, client, state=hostile)
    await visitor.fill("Name", name[:12])
    await visitor.press("Search")
    await visitor.press(f"Choose {name}")
    await visitor.sees_heading(f"Allow “{name}”?")
    assert f"It would work in the record of {name}." in await visitor.page.inner_text("main")
    await visitor.open(await site.invited(await site.person(name, kind=Kind.PATIENT, password=None, totp_key=None)))
    await visitor.sees_heading(f"Welcome, {name}")
    assert await visitor.page.locator("img, svg").count() == 0
    assert await visitor.page.locator("script").count() == 1


async def test_a_page_that_was_tampered_with_runs_nothing(visitor: Visitor) -> None:
    """That the policy is in force, and that its violations are counted: else no other test here says anything."""
    await visitor.open("/sign-in")
    await visitor.page.evaluate("""() => {
        const script = document.createElement("script");
        try { script.textContent = "alert(1)"; } catch { }
        document.body.append(script);
        const image = document.createElement("img");
        try { image.setAttribute("onerror", "alert(2)"); } catch { }
        image.src = "https://evil.example/x.png";
        document.body.append(image);
        try { document.body.innerHTML = "<b>x</b>"; } catch { }
    }""")
    await expect(visitor.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    told = " ".join(visitor.troubles)
    visitor.troubles.clear()
    assert "dialog: " not in told
    for directive in ("img-src", "require-trusted-types-for"):
        assert f"violation of {directive}" in told


async def _go_to(visitor: Visitor, name: str) -> None:
    """By the tabulator key, as often as it takes."""
    script = "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
    for _ in range(30):
        await visitor.page.keyboard.press("Tab")
        if await visitor.page.evaluate(script) == name:
            return
    raise AssertionError(name)

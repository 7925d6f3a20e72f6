"""Somebody at a real browser."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, CDPSession, Error, Page, async_playwright, expect

from tests.browser.site import SIGN_IN, Person, Site

CHROMIUM = Path("/usr/bin/chromium")
ANY_PATIENCE_MS = 5_000
# The browser says so of every answer that is a refusal; those are what many tests are about.
_EXPECTED = "Failed to load resource: the server responded with a status of"
_REPORT_VIOLATIONS = """
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`violation of ${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""


@dataclass(slots=True)
class Visitor:
    """One browser of one person. ``troubles``: scripts that failed, dialogs, and violations of the content policy."""

    site: Site
    context: BrowserContext
    page: Page
    troubles: list[str] = field(default_factory=list)
    _cdp: CDPSession | None = None
    _authenticator: str = ""

    async def open(self, path: str) -> None:
        """Go to a path of the sign-in host, or to a whole URL."""
        await self.page.goto(path if path.startswith("https:") else SIGN_IN + path)

    async def press(self, name: str) -> None:
        """Press the button with exactly this name."""
        await self.page.get_by_role("button", name=name, exact=True).click()

    async def fill(self, label: str, text: str) -> None:
        """Fill in the field with this label."""
        await self.page.get_by_label(label, exact=True).fill(text)

    async def sign_in(self, person: Person, *, code: str | None = None) -> None:
        """By password and code, on the page that is open."""
        await self.fill("Login", person.login)
        await self.fill("Password", person.password)
        if person.key is not None:
            await self.fill("Code", code or self.site.code(person.key))
        await self.press("Sign in")

    async def at_home(self, person: Person) -> None:
        """Sign in and see one's own page."""
        await self.open("/sign-in")
        await self.sign_in(person)
        await self.sees_home()

    async def goes_back(self) -> None:
        """By the browser's button. Where that would send a form again, the browser shows a page of its own."""
        with contextlib.suppress(Error):
            await self.page.go_back()

    async def sees_home(self) -> None:
        """The page with everything that acts for the person."""
        await self.sees_heading("My sign-ins, devices and apps")
        assert self.path == "/account"

    async def sees_heading(self, text: str) -> None:
        """The page's first heading."""
        await expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    async def is_told(self, text: str) -> None:
        """An alert says so."""
        await expect(self.page.get_by_role("alert").filter(has_text=text)).to_be_visible()

    async def section(self, heading: str) -> str:
        """What stands in a section of the page."""
        return await self.page.get_by_role("region", name=heading).inner_text()

    @property
    def path(self) -> str:
        """Where the browser is."""
        return self.page.url.removeprefix(SIGN_IN)

    async def cookies(self) -> dict[str, dict[str, Any]]:
        """What the browser keeps for the sign-in host, by name without the prefix."""
        kept = await self.context.cookies(SIGN_IN)
        return {str(each["name"]).removeprefix("__Host-"): dict(each) for each in kept}

    async def has_authenticator(self, *, verifies: bool = True) -> None:
        """From now on the browser has a virtual authenticator (WebAuthn Level 3, section 11)."""
        if self._cdp is None:
            self._cdp = await self.context.new_cdp_session(self.page)
            await self._cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        made = await self._cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._authenticator = made["authenticatorId"]

    async def is_verified(self, *, verifies: bool) -> None:
        """Whether the authenticator recognizes its owner."""
        assert self._cdp is not None
        given = {"authenticatorId": self._authenticator, "isUserVerified": verifies}
        await self._cdp.send("WebAuthn.setUserVerified", given)

    async def add_passkey(self, name: str = "my laptop") -> None:
        """On one's own page."""
        await self.fill("Name of the new passkey", name)
        await self.press("Add a passkey")


@contextlib.asynccontextmanager
async def running_chromium(site: Site) -> AsyncIterator[Browser]:
    """A browser to which names below example.org are the site, and that reaches nothing but this machine."""
    arguments = [
        f"--host-resolver-rules=MAP *.example.org 127.0.0.1:{site.port}, MAP * ~NOTFOUND, EXCLUDE localhost",
        f"--ignore-certificate-errors-spki-list={site.key_digest}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    expect.set_options(timeout=ANY_PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        yield browser
        await browser.close()


async def new_visitor(browser: Browser, site: Site, **given: Any) -> Visitor:
    """A browser without a past."""
    context = await browser.new_context(**given)
    context.set_default_timeout(ANY_PATIENCE_MS)
    await context.add_init_script(_REPORT_VIOLATIONS)
    page = await context.new_page()
    visitor = Visitor(site, context, page)
    troubles = visitor.troubles

    async def dismiss(dialog: Any) -> None:
        troubles.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def heard(message: Any) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_EXPECTED):
            troubles.append(f"{message.type}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
    page.on("dialog", dismiss)
    return visitor

"""The pictures of the papers: ``python -m tests.browser.pictures FOLDER`` visits the pages and takes them anew."""

import asyncio
import sys
import tempfile
from pathlib import Path

from carekeep.identity import Kind
from tests.browser.accessibility import NARROW
from tests.browser.site import Site, running_site
from tests.browser.test_permission import ask
from tests.browser.visitor import Visitor, new_visitor, running_chromium

_DESK = {"width": 900, "height": 640}


async def take(folder: Path) -> None:
    """Every page that is shown, light and dark, wide and narrow."""
    with tempfile.TemporaryDirectory() as home:
        async with running_site(Path(home)) as site, running_chromium(site) as browser:
            for scheme, size in (("light", _DESK), ("dark", _DESK), ("light", NARROW), ("dark", NARROW)):
                visitor = await new_visitor(browser, site, color_scheme=scheme, viewport=size)
                await _visit(site, visitor, folder, f"{scheme}-{size['width']}")
                await visitor.context.close()


async def _visit(site: Site, visitor: Visitor, folder: Path, suffix: str) -> None:
    async def shot(name: str, *, whole: bool = True) -> None:
        await visitor.page.screenshot(path=folder / f"{name}-{suffix}.png", full_page=whole)

    await visitor.has_authenticator()
    await visitor.open("/sign-in")
    await shot("sign-in")
    await visitor.at_home(await site.person("Nadia Okafor"))
    await visitor.add_passkey("Ward laptop")
    await visitor.page.get_by_text("Ward laptop", exact=True).wait_for()
    await shot("account", whole=False)
    await visitor.press("Set up another app")
    await visitor.fill("Code", "123")
    await visitor.press("Use this app")
    await shot("codes")
    await visitor.press("Make new recovery codes")
    await visitor.sees_heading("Your recovery codes")
    await shot("secrets")
    client = await site.app("Growth Charts", scopes=f"{_SCOPES} offline_access")
    await ask(visitor, client, scope=_SCOPES)
    await visitor.fill("Name", "moreau")
    await visitor.press("Search")
    await shot("patient")
    await visitor.press("Choose Robin Moreau")
    await visitor.sees_heading("Allow “Growth Charts”?")
    await shot("permission")
    link = await site.invited(await site.person("Tomas Lindqvist", kind=Kind.PATIENT, password=None, totp_key=None))
    await visitor.open(link)
    await visitor.sees_heading("Welcome, Tomas Lindqvist")
    await shot("invitation")
    await visitor.open("/account/nothing")
    await shot("message")


_SCOPES = (
    "openid fhirUser launch/patient patient/Observation.rs?category=vital-signs patient/Condition.rs patient/Patient.r"
)

if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))

"""What axe-core (WCAG 2.2 AA) and a narrow screen say of a page."""

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page

_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
NARROW, WIDE = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


async def findings(page: Page) -> list[str]:
    """Everything that is wrong with the page, light and dark, on a telephone and on a desk."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        for size in (NARROW, WIDE):
            await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await page.set_viewport_size(size)
            where = f"{scheme}, {size['width']} px"
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{where}: wider than the screen")
            said = await Axe().run(page, options=_RULES)
            found += [
                f"{where}: {each['id']}: {node['html'][:120]}"
                for each in said.response["violations"]
                for node in each["nodes"]
            ]
    return found

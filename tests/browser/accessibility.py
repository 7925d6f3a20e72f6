"""What axe-core (WCAG 2.2 AA) and a narrow screen say of a page."""

from typing import Final, Literal

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Page, ViewportSize

_RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
NARROW: Final[ViewportSize] = {"width": 360, "height": 740}
WIDE: Final[ViewportSize] = {"width": 1280, "height": 900}
_LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize], ...] = (("light", NARROW), ("dark", WIDE))


async def findings(page: Page) -> list[str]:
    """Everything that is wrong with the page: in light colours on a telephone, in dark ones on a desk."""
    found: list[str] = []
    for scheme, size in _LOOKS:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours change at once
        await page.set_viewport_size(size)
        # Colours fade into each other; what is judged is how they are then.
        await page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
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

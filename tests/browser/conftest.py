"""A real Chromium, and a real server that it visits: one of each for all tests of a process."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.site import Site, running_site
from tests.browser.visitor import ANY_PATIENCE_MS, Visitor, new_visitor

CHROMIUM = Path("/usr/bin/chromium")

NewVisitor = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(site: Site) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed here (Debian: apt-get install chromium)")
    arguments = [
        f"--host-resolver-rules=MAP *.example.org 127.0.0.1:{site.port}",
        f"--ignore-certificate-errors-spki-list={site.key_digest}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    expect.set_options(timeout=ANY_PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def new_browser(site: Site, chromium: Browser) -> AsyncIterator[NewVisitor]:
    """Makes browsers without a past. In none of them a script may fail, a dialog open, or the policy be violated."""
    visitors: list[Visitor] = []

    async def new(**given: Any) -> Visitor:
        visitor = await new_visitor(chromium, site, **given)
        visitors.append(visitor)
        return visitor

    yield new
    for visitor in visitors:
        await visitor.context.close()
    assert [trouble for visitor in visitors for trouble in visitor.troubles] == []


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(new_browser: NewVisitor) -> Visitor:
    return await new_browser()

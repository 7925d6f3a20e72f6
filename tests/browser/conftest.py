"""A real Chromium, and a real server that it visits: one of each for all tests of a process."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.site import Site, running_site
from tests.browser.visitor import CHROMIUM, Visitor, new_visitor, running_chromium

NewVisitor = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(site: Site) -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed here (Debian: apt-get install chromium)")
    async with running_chromium(site) as browser:
        yield browser


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

"""Signing in at the organization's own directory: a real provider, a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest

from carekeep.encryption import Secret
from carekeep.identity import Kind
from carekeep.identity.outside import Provider, RelyingParty, https_fetch
from carekeep.storage import system_clock
from tests.browser.conftest import NewVisitor
from tests.browser.site import SIGN_IN, Site
from tests.browser.visitor import Visitor
from tests.identity.outside.directory import Directory, running_directory

pytestmark = pytest.mark.asyncio(loop_scope="session")

PEOPLE = {
    "nurse-1": {
        "preferred_username": "nwest",
        "name": "Noor West",
        "groups": ["clinicians"],
        "fhirUser": "Practitioner/physician",
        "amr": ["mfa"],
    },
    "visitor-1": {"preferred_username": "vguest", "name": "A guest", "groups": ["guests"]},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with running_directory(tmp_path_factory.mktemp("directory"), PEOPLE) as running:
        yield running


@contextmanager
def joined(site: Site, directory: Directory, *, creates: bool) -> Iterator[None]:
    """The site as it is with ``[federation.hospital]`` in its settings."""
    provider = Provider(
        name="hospital",
        title="the directory of the hospital",
        issuer=directory.issuer,
        client_id="carekeep",
        client_secret=Secret("between us"),
        roles={"clinicians": Kind.PRACTITIONER},
        creates=creates,
    )
    services = site.services
    fetch, callback = https_fetch(directory.trust), f"{SIGN_IN}/federation-callback"
    party = RelyingParty((provider,), services.keyring, fetch, callback, system_clock)  # the directory's clock is real
    with site.with_services(relying_party=party):
        yield


async def sign_in_there(visitor: Visitor, subject: str) -> None:
    await visitor.open("/sign-in?next=/account")
    await visitor.page.get_by_role("link", name="Sign in with the directory of the hospital").click()
    await visitor.page.locator("input[name=sub]").fill(subject)
    await visitor.page.get_by_role("button").first.click()


async def test_somebody_of_the_directory_is_signed_in(
    site: Site, new_browser: NewVisitor, directory: Directory
) -> None:
    visitor = await new_browser(ignore_https_errors=True)  # of the directory, whose certificate this browser never saw
    with joined(site, directory, creates=True):
        await sign_in_there(visitor, "nurse-1")
        await visitor.sees_home()
        page = await visitor.page.inner_text("main")
        assert "You are Noor West, signed in at the organization's directory." in page
        assert (await visitor.cookies())["session"]["sameSite"] == "Lax"
        assert "federation" not in await visitor.cookies()
        visitor.troubles.clear()  # the directory's own pages are not ours to judge


async def test_somebody_whose_role_means_nothing_here_is_not(
    site: Site, new_browser: NewVisitor, directory: Directory
) -> None:
    visitor = await new_browser(ignore_https_errors=True)
    with joined(site, directory, creates=True):
        await sign_in_there(visitor, "visitor-1")
        await visitor.sees_heading("You are not signed in")
        assert "session" not in await visitor.cookies()
        assert "the provider's roles do not mean" not in await visitor.page.content()
        visitor.troubles.clear()


async def test_an_answer_is_taken_in_the_browser_that_asked(site: Site, visitor: Visitor, directory: Directory) -> None:
    """Login CSRF: a callback's link that an attacker made signs nobody else in."""
    with joined(site, directory, creates=True):
        begun = await site.services.relying_party.begin("hospital", "/account")
        answer = directory.sign_in(begun.location, "nurse-1")
        await visitor.open(f"/federation-callback/hospital?{urlencode(answer)}")
    await visitor.sees_heading("You are not signed in")
    assert "session" not in await visitor.cookies()

"""A clinic with its notification engine and a receiver, on each database."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from carekeep.web import WebApplication
from tests.web.clinic import Clinic
from tests.web.subscriptions.receiver import Receiver, running_receiver
from tests.web.subscriptions.ward import Ward, ward_of, with_hosts


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One receiver for a test process."""
    with running_receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def receiver(authority: Receiver) -> Receiver:
    """The receiver, which remembers nothing yet."""
    authority.received.clear()
    authority.answers.clear()
    authority.location = ""
    return authority


@pytest.fixture
async def ward(clinic: Clinic, receiver: Receiver) -> AsyncIterator[Ward]:
    ready = with_hosts(clinic, receiver.hosts)
    transport = httpx.ASGITransport(WebApplication(ready.system.services))
    async with httpx.AsyncClient(transport=transport, base_url="https://records.example.org") as client:
        yield ward_of(ready, receiver, client)

"""Somebody else's checks of the standard (scim2-tester), run against the application."""

import asyncio
import random
from typing import Annotated, Any

from pydantic import Field
from scim2_client import BaseSyncSCIMClient
from scim2_client.engines.asgi import ASGISCIMClient
from scim2_client.engines.inprocess import InProcessResponse
from scim2_models import AnyExtension, CaseExact, Mutability, Required, ResourceType, ScimProvider
from scim2_tester import CheckResult, Status, check_server

from carekeep.web.scim.models import Group, InRecords, User
from tests.web.clinic import on_sqlite
from tests.web.scim.directory import Directory

_BAD = {Status.DEVIATION, Status.ERROR, Status.CRITICAL}
_PEOPLE = [f"Practitioner/{number}" for number in range(100_000)]


class Auditor(User[AnyExtension]):
    """The checks fill attributes at random; a random word is no kind of account."""

    user_type: Annotated[str | None, Required.true, Mutability.immutable] = Field(None, examples=["auditor"])


class Known(InRecords):
    """Nor is a random word somebody in the records."""

    fhir_user: Annotated[str | None, CaseExact.true] = Field(None, examples=_PEOPLE)


class ThreadClient(BaseSyncSCIMClient):
    """The checks wait in a thread for answers of the application, which runs in the loop."""

    def __init__(self, asking: ASGISCIMClient, loop: asyncio.AbstractEventLoop, provider: ScimProvider | None) -> None:
        super().__init__(provider=provider)
        self._asking = asking
        self._loop = loop

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return self._asking._stays_under_base_url(endpoint)  # noqa: SLF001 - what it asks of its subclasses

    def _parse_json(self, response: Any) -> Any:
        return self._asking._parse_json(response)  # noqa: SLF001 - see above

    def request(self, method: str, url: str, **kwargs: Any) -> InProcessResponse:
        return asyncio.run_coroutine_threadsafe(self._asking.request(method, url, **kwargs), self._loop).result(30)


async def checked(
    directory: Directory, provider: ScimProvider | None, *types: str, **tags: set[str]
) -> list[CheckResult]:
    clinic = directory.clinic
    asking = ASGISCIMClient(
        clinic.application,
        "https://records.example.org/scim/v2",
        {"authorization": f"Bearer {clinic.tokens[directory.who]}"},
    )
    client = ThreadClient(asking, asyncio.get_running_loop(), provider)
    random.seed(7)
    return await asyncio.to_thread(check_server, client, resource_types=list(types), **tags)  # type: ignore[arg-type]


def failures(results: list[CheckResult]) -> list[str]:
    return [f"{each.title}: {each.reason}" for each in results if each.status in _BAD]


@on_sqlite
async def test_what_the_server_says_of_itself_holds(directory: Directory) -> None:
    """The models are made of what the server publishes."""
    results = await checked(directory, None, "User", include_tags={"discovery", "misc"})
    assert failures(results) == []
    assert len(results) > 10


@on_sqlite
async def test_users_are_as_the_standard_says(directory: Directory) -> None:
    types = [ResourceType.from_resource(Auditor[Known]), ResourceType.from_resource(Group)]
    provider = ScimProvider(models=[Auditor, Known, Group], resource_types=types)
    results = await checked(directory, provider, "User")
    assert failures(results) == []
    assert {"object_creation", "object_replacement", "object_deletion", "check_replace_attribute"} <= {
        each.title for each in results
    }

"""Promise 6: forgotten is forgotten.

``carekeep keys destroy`` on a running installation: every version answers 410, searches find nothing, the index holds
no tag of the patient. Then ``carekeep keys rotate``: with the new key file an old copy of the database does not open
the patient's key, while the others' records are read as before.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from carekeep.app import System
from carekeep.cli.installation import with_system
from carekeep.encryption import EncryptionError, KeyMissing
from carekeep.identity import Kind
from carekeep.storage import Row
from tests.promises.connection import Reply, connected
from tests.promises.installation import Installation
from tests.promises.tampering import findings, put_back, snapshot
from tests.web.clinic import chart, observation

TO_FORGET, TO_KEEP = "ada", "bob"
REASON = ("--reason", "request under GDPR Art. 17", "--yes")
PATIENCE_S = 20.0  # a worker looks four times a second (promise 4); the machine may be busy


@pytest.fixture
def token(installation: Installation) -> str:
    return installation.open_account(Kind.APP, "engine")


@pytest.fixture
def served(installation: Installation, token: str) -> Installation:
    """Two patients with records of several versions, one of which came from the other; served."""
    installation.start()

    async def fill() -> None:
        async with connected(installation, token) as engine:
            for resource in (*chart("ada", "Moreau"), *chart("bob", "Lindqvist")):
                reply = await engine.ask("PUT", f"/fhir/{resource['resourceType']}/{resource['id']}", resource)
                assert reply.status == 201
            for value in (73, 74):
                await engine.ask(
                    "PUT", "/fhir/Observation/ada-pulse", observation("ada-pulse", "ada", value, "2026-03-01")
                )
            moved = observation("ada-pulse-2", "bob", 90, "2026-04-01")
            await engine.ask("PUT", "/fhir/Observation/ada-pulse-2", moved)

    asyncio.run(fill())
    return installation


def ask(installation: Installation, token: str, *paths: str) -> list[Reply]:
    async def work() -> list[Reply]:
        async with connected(installation, token) as engine:
            return [await engine.ask("GET", f"/fhir/{path}") for path in paths]

    return asyncio.run(work())


OF_THE_FORGOTTEN = (
    "Patient/ada",
    "Patient/ada/_history",
    "Observation/ada-pulse",
    "Observation/ada-pulse/_history",
    "Observation/ada-pulse/_history/1",
    "Observation/ada-pulse/_history/2",
    "Observation/ada-pulse/_history/3",
    "Observation/ada-pulse-2/_history/1",
    "Condition/ada-asthma",
)
SEARCHES = ("Patient?family=moreau", "Patient?_id=ada", "Observation?patient=ada", "Observation?code=8867-4")


def test_everything_of_the_patient_is_gone(served: Installation, token: str) -> None:
    assert {reply.status for reply in ask(served, token, *OF_THE_FORGOTTEN)} == {200}
    run = served.run("keys", "destroy", TO_FORGET, *REASON)
    assert run.returncode == 0, run.stderr
    since = time.monotonic()
    while ask(served, token, "Patient/ada")[0].status == 200:
        assert time.monotonic() - since < PATIENCE_S, "the server still reads what was forgotten"
    for path, reply in zip(OF_THE_FORGOTTEN, ask(served, token, *OF_THE_FORGOTTEN), strict=True):
        assert (reply.status, reply.json["issue"][0]["code"]) == (410, "deleted"), path
    for query, reply in zip(SEARCHES, ask(served, token, *SEARCHES), strict=True):
        assert reply.status == 200
        found = [entry["resource"]["id"] for entry in reply.json.get("entry", [])]
        assert not [id_ for id_ in found if id_ in {"ada", "ada-pulse", "ada-asthma"}], query
    kept = ask(served, token, "Patient/bob", "Observation/bob-pulse", "Observation/ada-pulse-2")
    assert {reply.status for reply in kept} == {200}
    served.stop()
    with_system(served.home, check_nothing_is_left)


async def check_nothing_is_left(system: System) -> None:
    """No tag of the patient's scope, no shared tag of the patient's records, no key; and all else is sound."""
    scope = system.keyring.scope_of(TO_FORGET)
    for sql in (
        "SELECT 1 FROM tag WHERE scope = $1",
        "SELECT 1 FROM tag t JOIN record r ON r.seq = t.seq WHERE r.scope = $1",
        "SELECT 1 FROM patient_key WHERE scope = $1 AND wrapped IS NOT NULL",
    ):
        assert await system.database.fetch_one(sql, (scope,)) is None, sql
    assert await system.database.fetch_one("SELECT 1 FROM record WHERE scope = $1", (scope,)) is not None
    while await system.sequencer.integrate():
        pass
    assert await findings(system) == []


def test_nothing_new_is_written_for_the_forgotten(served: Installation, token: str) -> None:
    assert served.run("keys", "destroy", TO_FORGET, *REASON).returncode == 0

    async def write() -> list[Reply]:
        async with connected(served, token) as engine:
            until = time.monotonic() + PATIENCE_S
            while (await engine.ask("GET", "/fhir/Patient/ada")).status == 200:
                assert time.monotonic() < until
            new = observation("new", "ada", 60, "2026-05-01")
            old = observation("ada-pulse", "bob", 60, "2026-05-01")
            return [
                await engine.ask("PUT", "/fhir/Observation/new", new),
                await engine.ask("PUT", "/fhir/Observation/ada-pulse", old),
                await engine.ask("DELETE", "/fhir/Observation/ada-pulse"),
            ]

    assert [reply.status for reply in asyncio.run(write())] == [410, 410, 410]
    served.stop()
    assert served.run("keys", "destroy", TO_FORGET, *REASON).returncode == 3


def test_an_old_copy_of_the_database_does_not_open_after_rotation(served: Installation, token: str) -> None:
    served.stop()
    copies: dict[str, list[Row]] = {}

    async def copy(system: System) -> None:
        copies.update(await snapshot(system.database))

    with_system(served.home, copy)
    assert served.run("keys", "destroy", TO_FORGET, *REASON).returncode == 0
    with_system(served.home, check_copy_opens(copies, opens=True))  # before the epoch ends, a backup still can
    served.start()
    run = served.run("keys", "rotate")
    assert run.returncode == 0, run.stderr
    statuses = [reply.status for reply in ask(served, token, "Patient/bob", "Patient/ada")]
    assert statuses == [200, 410], "rotated under the running server"
    served.stop()
    with_system(served.home, check_nothing_is_left)
    with_system(served.home, check_copy_opens(copies, opens=False))


def check_copy_opens(copies: Mapping[str, list[Row]], *, opens: bool) -> Callable[[System], Awaitable[None]]:
    """Whether the patient's key of the old copy opens with the key file as it is now."""

    async def work(system: System) -> None:
        scope = system.keyring.scope_of(TO_FORGET)
        now = await snapshot(system.database)
        await put_back(system.database, {**now, "patient_key": copies["patient_key"]})
        system.keyring.forget_cached()
        try:
            if opens:
                assert (await system.keyring.scope(scope)).scope == scope
            else:
                with pytest.raises(KeyMissing):
                    await system.keyring.scope(scope)
        finally:
            await put_back(system.database, now)

    return work


def test_the_old_database_as_a_whole_does_not_open_with_the_new_key_file(served: Installation, tmp_path: Path) -> None:
    """Its system keys, too, were wrapped by the root key that is gone."""
    if not served.settings.database_url.startswith("sqlite"):
        return  # a copy of a PostgreSQL database is the same rows: see the test above
    served.stop()
    database = Path(served.settings.database_url.removeprefix("sqlite://"))
    shutil.copy(database, tmp_path / "stolen.db")
    assert served.run("keys", "destroy", TO_FORGET, *REASON).returncode == 0
    assert served.run("keys", "rotate").returncode == 0
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    shutil.copy(tmp_path / "stolen.db", database)

    async def read(system: System) -> None:
        await system.services.vault.read("Patient", TO_FORGET)

    with pytest.raises(EncryptionError):
        with_system(served.home, read)

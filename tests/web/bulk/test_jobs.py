"""A job's life: whose it is, what its files disclose, how it ends, and that its process may die at any point."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Never
from urllib.parse import unquote

import pytest

from carekeep.access import PolicyFile
from carekeep.access.policy_text import bundled_policies
from carekeep.encryption import Tampered
from carekeep.storage import Conflict
from carekeep.web.bulk import BulkRunner, exporting, running
from carekeep.web.bulk.exporting import SETTLE_MS
from carekeep.web.bulk.jobs import LEASE_MS, Jobs, State
from carekeep.web.bulk.opening import KEPT_MS
from tests.web.bulk.jobs import export, fetch, kick_off, lines, path_of, work
from tests.web.bulk.test_exporting import DIRECTORY, OF_BOB, OWN
from tests.web.clinic import Clinic, on_sqlite

EVERYTHING = OWN | OF_BOB | DIRECTORY


@pytest.mark.parametrize("who", ["ada", "app", "physician"])
async def test_a_job_is_nobody_elses(clinic: Clinic, who: str) -> None:
    exported = await export(clinic)
    for method, path in (("GET", exported.url), ("GET", f"{exported.url}/0.ndjson"), ("DELETE", exported.url)):
        refused = await clinic.ask(method, path, who=who)
        assert refused.status == 404
        assert refused.entry is not None
        assert (refused.entry.outcome, refused.entry.reason) == ("denied", "a job of another account")
    assert (await fetch(clinic, exported.url)).references == EVERYTHING
    assert (await clinic.ask("GET", exported.url, who=None)).status == 401


async def test_a_deleted_job_takes_its_key_along(clinic: Clinic) -> None:
    exported = await export(clinic)
    database = clinic.system.database
    ((sealed,), *_) = await database.fetch("SELECT sealed FROM bulk_chunk")
    (key,) = await database.fetch_one("SELECT key FROM bulk_job") or ()
    deleted = await clinic.ask("DELETE", exported.url)
    assert deleted.status == 202
    assert deleted.entry is not None
    assert deleted.entry.reason == "deleted; its key is destroyed"
    assert await database.fetch("SELECT 1 FROM bulk_job") == []
    assert await database.fetch("SELECT 1 FROM bulk_chunk") == []
    for path in (exported.url, *map(path_of, exported.files)):
        assert (await clinic.ask("GET", path)).status == 404
    assert (await clinic.ask("DELETE", exported.url)).status == 404
    for cipher in (clinic.system.keyring.rows, clinic.system.keyring.shared.cipher):
        with pytest.raises(Tampered):  # no key that is left opens what somebody may have copied
            cipher.open(sealed, b"")
    assert key not in await every_byte(clinic)


async def test_a_job_that_is_deleted_at_work_stops(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 2)
    monkeypatch.setattr(exporting, "STEP", 2)
    url = path_of((await kick_off(clinic, "$export")).headers["content-location"])
    clinic.time.now_ms += SETTLE_MS
    runner = BulkRunner(clinic.system.services, "worker")
    assert await runner.turn()
    assert (await clinic.ask("DELETE", url)).status == 202
    assert not await runner.turn()
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_chunk") == []


async def test_a_defect_that_one_job_meets_stops_no_other(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(exporting.ExportStep):
        async def run(self) -> Never:
            raise ZeroDivisionError("Moreau")

    url = path_of((await kick_off(clinic, "$export")).headers["content-location"])
    with monkeypatch.context() as patch:
        patch.setattr(running, "ExportStep", Broken)
        await work(clinic)
    status = await clinic.ask("GET", url)
    assert status.status == 500
    assert "Moreau" not in status.said
    assert (await export(clinic)).references == EVERYTHING


async def test_a_job_expires(clinic: Clinic) -> None:
    exported = await export(clinic)
    status = await clinic.ask("GET", exported.url)
    assert status.headers["expires"] == "Fri, 06 Nov 2026 12:00:02 GMT"
    clinic.time.now_ms += KEPT_MS - 1
    clinic.tokens["engine"] = await clinic.issue_token("engine")
    assert (await clinic.ask("GET", exported.url)).status == 200
    clinic.time.now_ms += 1
    for path in (exported.url, *map(path_of, exported.files)):
        assert (await clinic.ask("GET", path)).status == 404
    await work(clinic)
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_job") == []
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_chunk") == []


async def test_a_download_names_what_left_before_it_leaves(clinic: Clinic) -> None:
    exported = await export(clinic, "Patient/$export?_type=Observation")
    (item,) = exported.manifest["output"]
    answer = await clinic.ask("GET", path_of(item["url"]))
    assert answer.entry is not None
    assert answer.entry.action == "fhir:bulk:export"
    assert {what.reference for what in answer.entry.what} == exported.references
    assert {what.version for what in answer.entry.what} == {1}
    assert set(answer.entry.patients) == {"ada", "bob"}


async def test_who_was_forgotten_is_gone_from_files_that_wait(clinic: Clinic) -> None:
    exported = await export(clinic, "Patient/$export")
    organized = await export(clinic, "Patient/$export?organizeOutputBy=Patient")
    await clinic.record("forget", await clinic.system.services.vault.prepare_forget("ada"))
    clinic.system.generations.changed("keys")
    assert (await fetch(clinic, exported.url)).references == OF_BOB
    (item,) = organized.manifest["output"]
    left = await lines(clinic, item["url"])
    assert "ada" not in str(left)
    assert len(left) == 1 + len(OF_BOB)


async def test_a_file_is_decided_on_again_when_it_is_fetched(clinic: Clinic) -> None:
    """The purpose that the download states is another one, for which patients do not get their records."""
    exported = await export(clinic, "Patient/$export", who="ada")
    (item, *_) = exported.manifest["output"]
    refused = await clinic.ask("GET", path_of(item["url"]), who="ada", headers={"x-purpose-of-use": "HRESCH"})
    assert refused.status == 403
    assert refused.entry is not None
    assert (refused.entry.outcome, refused.entry.purpose) == ("denied", "HRESCH")


async def test_a_record_is_decided_on_again_when_it_leaves(clinic: Clinic) -> None:
    exported = await export(clinic, "Patient/$export")
    forbid = """
        @id("new") @title("New") @reason("Denied: since today.") @law("none")
        forbid (principal is App, action == Action::"fhir:record:read", resource is PatientRecord)
        when { resource.type == "Condition" };
    """
    decider = clinic.system.services.guard._decider  # noqa: SLF001 - policies change with an installation's files
    decider.reload([*bundled_policies(), PolicyFile("new.cedar", forbid)])
    left = await fetch(clinic, exported.url)
    assert left.references == {each for each in OWN | OF_BOB if not each.startswith("Condition/")}


@pytest.mark.parametrize("query", ["$export", "Patient/$export?organizeOutputBy=Patient"])
async def test_another_process_goes_on_after_any_step(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 2)
    monkeypatch.setattr(exporting, "STEP", 2)
    url = path_of((await kick_off(clinic, query)).headers["content-location"])
    clinic.time.now_ms += SETTLE_MS
    steps = 0
    while await BulkRunner(clinic.system.services, f"process {steps}").turn():
        steps += 1
        if await still_running(clinic):
            assert not await BulkRunner(clinic.system.services, "too early").turn()
        clinic.time.now_ms += LEASE_MS
    assert steps > 3
    exported = await fetch(clinic, url)
    found = [f"{each['resourceType']}/{each['id']}" for each in exported.resources if "id" in each]
    assert sorted(found) == sorted(EVERYTHING if query == "$export" else OWN | OF_BOB)
    headers = [each for each in exported.resources if "id" not in each]
    assert len(headers) == (0 if query == "$export" else 2)


async def still_running(clinic: Clinic) -> bool:
    return bool(await clinic.system.database.fetch("SELECT 1 FROM bulk_job WHERE state = 1"))


async def test_two_that_hold_one_job_move_it_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 2)
    monkeypatch.setattr(exporting, "STEP", 2)
    url = path_of((await kick_off(clinic, "$export")).headers["content-location"])
    clinic.time.now_ms += SETTLE_MS
    # The same name for both: so the lease keeps neither out, as after a clock that jumped.
    runners = [BulkRunner(clinic.system.services, "twin") for _ in range(2)]
    while any(await asyncio.gather(*(runner.turn() for runner in runners))):
        pass
    exported = await fetch(clinic, url)
    assert len(exported.resources) == len(EVERYTHING)
    assert exported.references == EVERYTHING


async def test_a_job_moves_once_from_each_step(clinic: Clinic) -> None:
    url = path_of((await kick_off(clinic, "$export")).headers["content-location"])
    services = clinic.system.services
    jobs = Jobs(services.database, services.keyring, services.clock, os.urandom, "worker")
    job = await jobs.get(bytes.fromhex(url.rpartition("/")[2]))
    assert job is not None
    await jobs.claim(job)
    steps = jobs.advance(job, job.progress, State.RUNNING).steps
    await services.database.commit(steps)
    with pytest.raises(Conflict):
        await services.database.commit(steps)


@on_sqlite
async def test_the_database_learns_nothing_from_a_job(clinic: Clinic) -> None:
    await export(clinic, "Patient/$export?organizeOutputBy=Patient&_typeFilter=Patient%3Ffamily%3DMoreau")
    await export(clinic, "Patient/$export", who="ada")
    stored = await every_byte(clinic)
    for marker in (b"Moreau", b"Patient", b"ada-pulse", b"asthma", b"Observation", b"_typeFilter", b"fhir:bulk"):
        assert marker not in stored, marker


async def every_byte(clinic: Clinic) -> bytes:
    """What the job tables hold; on SQLite, the whole file."""
    database = clinic.system.database
    rows = await database.fetch("SELECT * FROM bulk_job") + await database.fetch("SELECT * FROM bulk_chunk")
    found = b"\0".join(value for row in rows for value in row if isinstance(value, bytes))
    if database.dialect == "sqlite":
        found += whole_file(unquote(clinic.system.settings.database.removeprefix("sqlite://")))
    return found


def whole_file(path: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:  # what the log still holds goes into the file, or away
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    return Path(path).read_bytes()

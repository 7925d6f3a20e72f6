"""What an import takes, refuses, leaves alone, and where it may fetch from."""

import json
from pathlib import Path

import pytest

from carekeep.web.bulk import BulkRunner, importing
from carekeep.web.bulk.fetching import permitted_source
from carekeep.web.bulk.jobs import LEASE_MS
from tests.fhir.resources import SYNTHEA, synthea_resources
from tests.web.bulk.jobs import ASYNC, NDJSON, bring_in, export, lines, path_of, without_meta, work
from tests.web.clinic import Clinic, Json, chart, observation, on_sqlite, records_kept

COUNTS = "https://carekeep.example/fhir/bulk-import"


def ndjson(*resources: Json) -> bytes:
    return b"".join(json.dumps(resource).encode() + b"\n" for resource in resources)


def counts(report: Json) -> Json:
    found: Json = report["extension"][COUNTS]
    return found


async def test_what_is_brought_in_is_there(clinic: Clinic) -> None:
    brought = chart("cleo", "Sørensen")
    report = await bring_in(clinic, ndjson(*brought))
    assert counts(report) == {"loaded": 4, "unchanged": 0, "refused": 0}
    assert report["output"] == [{"type": "OperationOutcome", "inputUrl": "(body)", "count": 4}]
    assert report["error"] == []
    for resource in brought:
        read = await clinic.ask("GET", f"{resource['resourceType']}/{resource['id']}")
        assert without_meta(read.json) == resource
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_chunk") == []


async def test_bringing_it_in_twice_changes_nothing(clinic: Clinic) -> None:
    nameless = observation("x", "ada", 72, "2026-03-01")
    del nameless["id"]
    body = ndjson(*chart("cleo", "Sørensen"), nameless)
    await bring_in(clinic, body)
    before = await records_kept(clinic.system.database)
    assert counts(await bring_in(clinic, body)) == {"loaded": 0, "unchanged": 5, "refused": 0}
    assert await records_kept(clinic.system.database) == before


async def test_a_digit_more_is_another_version(clinic: Clinic) -> None:
    text = ndjson(observation("fine", "ada", 1.25, "2026-03-01"))
    await bring_in(clinic, text)
    assert counts(await bring_in(clinic, text.replace(b"1.25", b"1.250")))["loaded"] == 1
    assert (await clinic.ask("GET", "Observation/fine")).json["meta"]["versionId"] == "2"


async def test_what_is_refused_is_told_line_by_line(clinic: Clinic) -> None:
    body = b"\n".join(
        [
            b"not json",
            json.dumps(observation("good", "ada", 72, "2026-03-01")).encode(),
            b"",
            b'{"resourceType": "Observation", "id": "bad", "status": "secretvalue"}',
            b'{"resourceType": "AuditEvent"}',
            b'{"resourceType": "Binary", "contentType": "a/b", "securityContext": {"reference": "Observation/good"}}',
        ]
    )
    report = await bring_in(clinic, body)
    assert counts(report) == {"loaded": 1, "unchanged": 0, "refused": 4}
    (error,) = report["error"]
    found = [line["issue"][0]["diagnostics"] for line in await lines(clinic, error["url"])]
    assert [text.partition(":")[0] for text in found] == ["line 1", "line 4", "line 5", "line 6"]
    assert "secretvalue" not in str(found)


async def test_the_last_of_several_with_one_id_counts(clinic: Clinic) -> None:
    twice = [observation("twice", "ada", value, "2026-03-01") for value in (72, 88)]
    assert counts(await bring_in(clinic, ndjson(*twice))) == {"loaded": 1, "unchanged": 1, "refused": 0}
    assert (await clinic.ask("GET", "Observation/twice")).json["valueQuantity"]["value"] == 88


async def test_a_forgotten_patient_does_not_come_back(clinic: Clinic) -> None:
    await clinic.record("forget", await clinic.system.services.vault.prepare_forget("ada"))
    clinic.system.generations.changed("keys")
    body = ndjson(observation("new", "ada", 72, "2026-03-01"), observation("ada-pulse", "ada", 60, "2026-03-01"))
    assert counts(await bring_in(clinic, body))["refused"] == 2


@pytest.mark.parametrize("who", ["physician", "ada", "auditor", "administrator", "app"])
async def test_who_has_no_grant_brings_nothing_in(clinic: Clinic, who: str) -> None:
    body = ndjson(observation("new", "ada", 72, "2026-03-01"))
    refused = await clinic.ask("POST", "$import", body, who=who, headers=NDJSON)
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.action == "fhir:bulk:import"
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_job") == []


async def test_care_that_is_brought_in_counts_at_once(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "Condition/bob-asthma", who="physician")).status == 403
    team = json.dumps(
        {
            "resourceType": "CareTeam",
            "status": "active",
            "subject": {"reference": "Patient/bob"},
            "participant": [{"member": {"reference": "Practitioner/physician"}}],
        }
    )
    await bring_in(clinic, team.encode())
    assert (await clinic.ask("GET", "Condition/bob-asthma", who="physician")).status == 200


async def test_each_batch_has_its_entry(clinic: Clinic) -> None:
    await bring_in(clinic, ndjson(observation("new", "ada", 72, "2026-03-01")))
    entries = [
        clinic.system.services.ledger.open(each.leaf)[0] async for each in clinic.system.services.ledger.waiting()
    ]
    (loading,) = [entry for entry in entries if entry.action == "fhir:bulk:import" and entry.what]
    assert [what.reference for what in loading.what] == ["Observation/new"]
    assert loading.patients == ("ada",)
    assert loading.agent.account == clinic.accounts["engine"].id.hex()


async def test_another_process_goes_on_after_any_part(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LINES_OF_PART", 2)
    body = ndjson(*(observation(f"o{n}", "ada", 60 + n, "2026-03-01") for n in range(7)))
    answer = await clinic.ask("POST", "$import", body, headers=NDJSON)
    before = await records_kept(clinic.system.database)
    steps = 0
    while await BulkRunner(clinic.system.services, f"process {steps}").turn():
        steps += 1
        clinic.time.now_ms += LEASE_MS
    assert steps == 5
    report = (await clinic.ask("GET", path_of(answer.headers["content-location"]))).json
    assert counts(report) == {"loaded": 7, "unchanged": 0, "refused": 0}
    assert await records_kept(clinic.system.database) == before + 7


def written(path: str) -> bytes:
    """What an SQLite database has on the disk."""
    return Path(path).read_bytes() + Path(f"{path}-wal").read_bytes()


@on_sqlite
async def test_an_upload_lies_sealed_until_it_is_loaded(clinic: Clinic) -> None:
    await clinic.ask("POST", "$import", ndjson(*chart("cleo", "Markierung")), headers=NDJSON)
    stored = written(clinic.system.settings.database.removeprefix("sqlite://"))
    assert b"Markierung" not in stored
    assert b"cleo" not in stored


async def test_nothing_is_fetched_unless_the_settings_say_from_where(clinic: Clinic) -> None:
    where = {"inputFormat": "application/fhir+ndjson", "input": [{"type": "Patient", "url": "https://127.0.0.1/x"}]}
    refused = await clinic.ask("POST", "$import", where, headers=ASYNC)
    assert refused.status == 400
    assert "import_sources" in refused.said


SOURCES = ("https://files.example.org/exports/",)
URLS = [
    ("https://files.example.org/exports/a.ndjson", True),
    ("https://files.example.org/exports/deep/a.ndjson?sig=x", True),
    ("http://files.example.org/exports/a.ndjson", False),
    ("https://files.example.org/other/a.ndjson", False),
    ("https://files.example.org/exports/../other/a.ndjson", False),
    ("https://files.example.org/exports/%2e%2e/other/a.ndjson", False),
    ("https://files.example.org.evil.example/exports/a.ndjson", False),
    ("https://user@files.example.org/exports/a.ndjson", False),
    ("https://169.254.169.254/latest/meta-data", False),
    ("file:///etc/passwd", False),
]


@pytest.mark.parametrize(("url", "permitted"), URLS)
def test_what_may_be_fetched(url: str, permitted: bool) -> None:
    assert permitted_source(url, SOURCES) is permitted
    assert not permitted_source(url, ())


MALFORMED = [
    b"",
    b"[]",
    b"{}",
    b'{"input": []}',
    b'{"input": [{"type": "Nothing", "url": "https://a.example/"}]}',
    b'{"input": [{"type": "Patient", "url": "https://a.example/"}], "inputFormat": "text/csv"}',
    b'{"resourceType": "Parameters", "parameter": [7]}',
    b'{"resourceType": "Parameters", "parameter": [{"name": "input", "part": [{"name": "type"}]}]}',
]


@pytest.mark.parametrize("body", MALFORMED)
async def test_a_malformed_order_is_refused(clinic: Clinic, body: bytes) -> None:
    assert (await clinic.ask("POST", "$import", body, headers=ASYNC)).status == 400


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda path: path.stem)
@on_sqlite
async def test_synthea_goes_in_and_comes_out_equal(clinic: Clinic, file: Path) -> None:
    """Real records, through an import and an export: equal as they are written, but for the server's own meta."""
    resources = synthea_resources(file)
    report = await bring_in(clinic, ndjson(*resources))
    assert counts(report)["refused"] == 0, await lines(clinic, report["error"][0]["url"])
    exported = {f"{each['resourceType']}/{each['id']}": each for each in (await export(clinic)).resources}
    for resource in resources:
        found = exported[f"{resource['resourceType']}/{resource['id']}"]
        assert json.dumps(without_meta(found), sort_keys=True) == json.dumps(without_meta(resource), sort_keys=True)
    await work(clinic)

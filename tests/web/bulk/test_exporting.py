"""What an export holds, for whom, and what it says about itself."""

from dataclasses import replace

import pytest

from carekeep.web.bulk import BulkRunner
from tests.web.bulk.jobs import Exported, export, fetch, kick_off, path_of, without_meta, work
from tests.web.clinic import Clinic, Json, observation

OWN = {"Patient/ada", "Observation/ada-pulse", "Observation/ada-pulse-2", "Condition/ada-asthma", "CareTeam/ada-team"}
OF_BOB = {reference.replace("ada", "bob") for reference in OWN} - {"CareTeam/bob-team"}
DIRECTORY = {"Practitioner/physician", "Practitioner/emergency"}


async def test_a_system_export_holds_everything_once(clinic: Clinic) -> None:
    exported = await export(clinic)
    assert exported.references == OWN | OF_BOB | DIRECTORY
    assert len(exported.resources) == len(exported.references)
    manifest = exported.manifest
    assert manifest["requiresAccessToken"] is True
    assert manifest["request"] == "https://records.example.org/fhir/$export"
    assert manifest["transactionTime"] == "2026-11-05T12:00:00.000Z"
    assert manifest["error"] == []
    assert "deleted" not in manifest
    for item in manifest["output"]:
        assert {resource["resourceType"] for resource in exported.files[item["url"]]} == {item["type"]}
        assert len(exported.files[item["url"]]) == item["count"]


async def test_what_is_exported_is_what_is_read(clinic: Clinic) -> None:
    exported = await export(clinic, "Patient/$export?_type=Observation,Condition")
    for resource in exported.resources:
        read = await clinic.ask("GET", f"{resource['resourceType']}/{resource['id']}")
        assert read.json == resource


async def test_a_patient_export_leaves_out_what_belongs_to_nobody(clinic: Clinic) -> None:
    assert (await export(clinic, "Patient/$export")).references == OWN | OF_BOB


async def test_a_patient_takes_their_own_records_and_no_others(clinic: Clinic) -> None:
    exported = await export(clinic, "Patient/$export", who="ada")
    assert exported.references == OWN
    named = parameters(("patient", "Patient/bob"))
    refused = await kick_off(clinic, "Patient/$export", who="ada", method="POST", body=named)
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.outcome == "denied"
    assert (await kick_off(clinic, "$export", who="ada")).status == 403


@pytest.mark.parametrize("who", ["physician", "auditor", "administrator", "app"])
@pytest.mark.parametrize("path", ["$export", "Patient/$export", "Group/cohort/$export"])
async def test_who_has_no_grant_exports_nothing(clinic: Clinic, who: str, path: str) -> None:
    refused = await kick_off(clinic, path, who=who)
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.action == "fhir:bulk:export"


async def test_a_group_export_is_of_its_members(clinic: Clinic) -> None:
    await clinic.put(group("cohort", ("ada", False), ("bob", True)))
    assert (await export(clinic, "Group/cohort/$export")).references == OWN
    outside = parameters(("patient", "Patient/bob"))
    refused = await kick_off(clinic, "Group/cohort/$export", method="POST", body=outside)
    assert refused.status == 400
    assert (await kick_off(clinic, "Group/nobody/$export")).status == 404


async def test_records_of_others_too_are_left_out_and_counted(clinic: Clinic) -> None:
    visit = {
        "resourceType": "Appointment",
        "id": "family",
        "status": "booked",
        "start": "2026-06-01T10:00:00Z",
        "end": "2026-06-01T10:30:00Z",
        "participant": [
            {"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"} for patient in ("ada", "bob")
        ],
    }
    assert (await clinic.put(visit)).status == 201
    exported = await export(clinic, "Patient/$export", method="POST", body=parameters(("patient", "Patient/ada")))
    assert exported.references == OWN
    (message,) = exported.files[exported.manifest["error"][0]["url"]]
    assert message["issue"][0]["diagnostics"].startswith("1 records also belong to patients")
    assert (await export(clinic, "Patient/$export", who="ada")).references == OWN | {"Appointment/family"}


async def test_what_may_not_be_read_is_not_taken(clinic: Clinic) -> None:
    """A Group is in the compartment of its members; it names others too, so a patient does not read it."""
    await clinic.put(group("cohort", ("ada", False), ("bob", False)))
    own = await export(clinic, "Patient/$export", who="ada")
    assert own.references == OWN
    assert own.manifest["error"] == []
    assert "Group" not in {item["type"] for item in own.manifest["output"]}
    assert "Group/cohort" in (await export(clinic, "Patient/$export")).references


async def test_nothing_newer_than_the_transaction_time(clinic: Clinic) -> None:
    """A record that changes, dies, moves or is born after the kick-off is exported as it was, or not at all."""
    answer = await kick_off(clinic, "$export")
    clinic.time.now_ms += 1
    await clinic.put(observation("ada-pulse", "ada", 99, "2026-05-01"))
    await clinic.put(observation("ada-pulse-2", "bob", 88, "2026-04-01"))
    await clinic.ask("DELETE", "Condition/ada-asthma")
    await clinic.put(observation("newborn", "ada", 60, "2026-05-01"))
    await work(clinic)
    exported = await fetch(clinic, path_of(answer.headers["content-location"]))
    assert exported.references == OWN | OF_BOB | DIRECTORY
    by_id = {resource["id"]: resource for resource in exported.resources}
    assert by_id["ada-pulse"]["valueQuantity"]["value"] == 72
    assert by_id["ada-pulse-2"]["subject"]["reference"] == "Patient/ada"
    assert by_id["ada-asthma"]["meta"]["versionId"] == "1"


async def test_patients_are_exported_as_they_were_too(clinic: Clinic) -> None:
    answer = await kick_off(clinic, "Patient/$export", who="ada")
    clinic.time.now_ms += 1
    await clinic.put(observation("ada-pulse-2", "bob", 88, "2026-04-01"))
    await clinic.put(observation("bob-pulse", "ada", 72, "2026-03-01"))
    await work(clinic)
    exported = await fetch(clinic, path_of(answer.headers["content-location"]), who="ada")
    assert exported.references == OWN


async def test_since_gives_what_changed_and_what_was_deleted(clinic: Clinic) -> None:
    clinic.time.now_ms += 60_000
    await clinic.put(observation("ada-pulse", "ada", 99, "2026-05-01"))
    await clinic.ask("DELETE", "Condition/bob-asthma")
    exported = await export(clinic, "$export?_since=2026-11-05T12:00:00Z")
    assert exported.references == {"Observation/ada-pulse"}
    (deleted,) = exported.manifest["deleted"]
    assert deleted["type"] == "Bundle"
    (bundle,) = exported.files[deleted["url"]]
    assert bundle["type"] == "transaction"
    assert bundle["entry"] == [{"request": {"method": "DELETE", "url": "Condition/bob-asthma"}}]
    before = await export(clinic, "$export?_until=2026-11-05T12:00:00.001Z")
    assert before.references == (OWN | OF_BOB | DIRECTORY) - {"Observation/ada-pulse", "Condition/bob-asthma"}


async def test_a_type_filter_holds_for_its_type_alone(clinic: Clinic) -> None:
    query = "_typeFilter=Observation%3Fdate%3Dge2026-04-01%26patient%3Dada&_typeFilter=Observation%3F_id%3Dbob-pulse"
    exported = await export(clinic, f"$export?_type=Observation,Condition&{query}")
    assert exported.references == {
        "Observation/ada-pulse-2",
        "Observation/bob-pulse",
        "Condition/ada-asthma",
        "Condition/bob-asthma",
    }


async def test_output_organized_by_patient(clinic: Clinic) -> None:
    # The Patient record is the newest of the chart, and still comes first in its block.
    await clinic.put(observation("orphan", "zoe", 72, "2026-03-01"))
    await clinic.put({"resourceType": "Patient", "id": "zoe"})
    exported = await export(clinic, "Patient/$export?organizeOutputBy=Patient")
    assert exported.manifest["outputOrganizedBy"] == "Patient"
    (item,) = exported.manifest["output"]
    assert "type" not in item
    found: dict[str, list[str]] = {}
    block: list[str] = []
    for line in exported.files[item["url"]]:
        if line["resourceType"] == "Parameters":
            block = found.setdefault(line["parameter"][0]["valueReference"]["reference"], [])
            continue
        block.append(f"{line['resourceType']}/{line['id']}")
    assert {patient: references[0] for patient, references in found.items()} == {each: each for each in found}
    assert {patient: set(references) for patient, references in found.items()} == {
        "Patient/ada": OWN,
        "Patient/bob": OF_BOB,
        "Patient/zoe": {"Patient/zoe", "Observation/orphan"},
    }


BAD = [
    ("_since=yesterday", "_since"),
    ("_since=2026-13-01T00:00:00Z", "_since"),
    ("_type=Obervation", "_type"),
    ("_outputFormat=text/csv", "_outputFormat"),
    ("_elements=id", "_elements"),
    ("includeAssociatedData=LatestProvenanceResources", "includeAssociatedData"),
    ("_typeFilter=Observation", "_typeFilter"),
    ("_typeFilter=Observation%3Fcolour%3Dred", ""),
    ("_typeFilter=Observation%3F_sort%3Ddate", "_typeFilter"),
    ("_typeFilter=Observation%3Fsubject.name%3Dmoreau", ""),
    ("organizeOutputBy=Practitioner", "organizeOutputBy"),
    ("patient=Patient/ada", "patient"),
    ("_since=2026-11-05T12:00:00Z&_since=2026-11-05T12:00:00Z", "_since"),
    ("allowPartialManifests=perhaps", "allowPartialManifests"),
    ("colour=red", ""),
]


@pytest.mark.parametrize(("query", "expression"), BAD)
async def test_what_cannot_be_done_is_refused_by_name(clinic: Clinic, query: str, expression: str) -> None:
    refused = await kick_off(clinic, f"Patient/$export?{query}")
    assert refused.status == 400, refused.body
    assert refused.json["resourceType"] == "OperationOutcome"
    if expression:
        assert refused.json["issue"][0]["expression"] == [expression]


async def test_types_outside_of_the_compartment_alone_are_refused(clinic: Clinic) -> None:
    assert (await kick_off(clinic, "Patient/$export?_type=Practitioner")).status == 400
    assert (await kick_off(clinic, "$export?_type=Practitioner")).status == 202


async def test_a_lenient_export_says_what_it_passed_over(clinic: Clinic) -> None:
    lenient = {"prefer": "respond-async, handling=lenient"}
    exported = await export(clinic, "$export?_elements=id&colour=red", headers=lenient)
    assert exported.references == OWN | OF_BOB | DIRECTORY
    messages = [line["issue"][0]["diagnostics"] for line in error_lines(exported)]
    assert [message.split()[2] for message in messages] == ["_elements", "(unknown)"]


async def test_without_prefer_there_is_no_job(clinic: Clinic) -> None:
    refused = await clinic.ask("GET", "$export")
    assert refused.status == 400
    assert "respond-async" in refused.said


async def test_an_account_does_not_start_without_end(clinic: Clinic) -> None:
    for _ in range(4):
        assert (await kick_off(clinic, "$export")).status == 202
    refused = await kick_off(clinic, "$export")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    assert (await kick_off(clinic, "Patient/$export", who="ada")).status == 202


async def test_a_disabled_account_stops_its_export(clinic: Clinic) -> None:
    answer = await kick_off(clinic, "$export")
    accounts = clinic.system.services.accounts
    await clinic.record("disabled", accounts.prepare_change(replace(clinic.accounts["engine"], disabled=True)))
    await work(clinic)
    row = await clinic.system.database.fetch_one("SELECT state FROM bulk_job")
    assert row == (3,)
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_chunk") == []
    assert answer.status == 202


async def test_a_grant_that_is_taken_away_stops_the_export_with_its_reason(clinic: Clinic) -> None:
    answer = await kick_off(clinic, "$export")
    accounts = clinic.system.services.accounts
    await clinic.record("less", accounts.prepare_change(replace(clinic.accounts["engine"], grants=frozenset())))
    clinic.system.generations.changed("accounts")
    await work(clinic)
    status = await clinic.ask("GET", path_of(answer.headers["content-location"]))
    assert status.status == 403
    assert "no grant" in status.said


async def test_it_waits_for_what_was_being_written(clinic: Clinic) -> None:
    answer = await kick_off(clinic, "$export")
    url = path_of(answer.headers["content-location"])
    runner = BulkRunner(clinic.system.services, "worker")
    assert not await runner.turn()
    status = await clinic.ask("GET", url)
    assert status.status == 202
    assert status.headers["x-progress"] == "0 records looked at, 0 taken"
    assert int(status.headers["retry-after"]) > 0
    await work(clinic)
    assert (await clinic.ask("GET", url)).status == 200


async def test_a_relative_attachment_becomes_absolute(clinic: Clinic) -> None:
    document: Json = {
        "resourceType": "DocumentReference",
        "id": "letter",
        "status": "current",
        "subject": {"reference": "Patient/ada"},
        "content": [{"attachment": {"contentType": "text/plain", "url": "Binary/letter"}}],
    }
    await clinic.put(document)
    (exported,) = (await export(clinic, "Patient/$export?_type=DocumentReference")).resources
    attachment = exported["content"][0]["attachment"]
    assert attachment.pop("url") == "https://records.example.org/fhir/Binary/letter"
    del document["content"][0]["attachment"]["url"]
    assert without_meta(exported) == document


async def test_an_empty_export_has_no_files(clinic: Clinic) -> None:
    exported = await export(clinic, "$export?_type=Slot")
    assert exported.manifest["output"] == []
    assert await lines_of_nothing(clinic, exported) == 404


async def lines_of_nothing(clinic: Clinic, exported: Exported) -> int:
    return (await clinic.ask("GET", f"{exported.url}/0.ndjson")).status


def error_lines(exported: Exported) -> list[Json]:
    return [line for item in exported.manifest["error"] for line in exported.files[item["url"]]]


def parameters(*pairs: tuple[str, str]) -> Json:
    listed = [{"name": name, "valueReference": {"reference": reference}} for name, reference in pairs]
    return {"resourceType": "Parameters", "parameter": listed}


def group(id_: str, *members: tuple[str, bool]) -> Json:
    listed = [{"entity": {"reference": f"Patient/{patient}"}, "inactive": inactive} for patient, inactive in members]
    return {"resourceType": "Group", "id": id_, "type": "person", "actual": True, "member": listed}

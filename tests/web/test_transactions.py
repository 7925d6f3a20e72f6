"""Bundles: a transaction is one unit and one entry, a batch is many requests."""

from typing import Any

import pytest

from carekeep.audit import What
from tests.web.clinic import Clinic, Json, care_team, observation, on_sqlite, records_kept


def entry(method: str, url: str, resource: Json | None = None, **more: Any) -> Json:
    request = {"method": method, "url": url, **more.pop("request", {})}
    return {"request": request, **({"resource": resource} if resource else {}), **more}


def bundle(kind: str, *entries: Json) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


VISIT = bundle(
    "transaction",
    entry(
        "POST",
        "Encounter",
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "subject": {"reference": "Patient/ada"},
        },
        fullUrl="urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    ),
    entry(
        "POST",
        "Observation",
        observation("x", "ada", 91, "2026-07-01")
        | {"encounter": {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}},
        fullUrl="urn:uuid:4f1a2d0e-7c38-4e51-9b1a-5cf5f5b3cf11",
    ),
    entry("PUT", "Observation/ada-pulse", observation("ada-pulse", "ada", 73, "2026-03-01")),
    entry("DELETE", "Observation/ada-pulse-2"),
    entry("GET", "Condition/ada-asthma"),
    entry("GET", "Observation?patient=ada"),
)


async def test_a_transaction_is_done_as_a_whole_and_recorded_in_one_entry(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "", VISIT, who="emergency")
    assert answer.status == 403
    answer = await clinic.ask("POST", "", VISIT)
    assert answer.status == 200, answer.body
    assert answer.json["type"] == "transaction-response"
    responses = [each["response"] for each in answer.json["entry"]]
    assert [each["status"][:3] for each in responses] == ["201", "201", "200", "204", "200", "200"]
    made, pulse = (answer.json["entry"][number]["resource"] for number in (0, 1))
    assert pulse["encounter"] == {"reference": f"Encounter/{made['id']}"}
    # Reads in a transaction see what it wrote (FHIR R4, order of processing).
    found = {each["resource"]["id"] for each in answer.json["entry"][5]["resource"]["entry"]}
    assert found == {pulse["id"], "ada-pulse"}
    assert answer.entry is not None
    assert answer.entry.action == "fhir:bundle:transaction"
    assert set(answer.entry.what) == {
        What(f"Encounter/{made['id']}", 1),
        What(f"Observation/{pulse['id']}", 1),
        What("Observation/ada-pulse", 2),
        What("Observation/ada-pulse-2", 2),
    }


async def test_each_read_of_a_transaction_has_its_own_entry(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "", VISIT, headers={"x-request-id": "visit-1"})
    assert answer.status == 200
    ledger = clinic.system.services.ledger
    entries = [ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting()]
    actions = sorted(each.action for each in entries if each.request_id == "visit-1")
    assert actions == ["fhir:bundle:transaction", "fhir:record:read", "fhir:type:search"]


async def test_one_denied_entry_undoes_all(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.database)
    mixed = bundle(
        "transaction",
        entry("POST", "Observation", observation("x", "ada", 91, "2026-07-01")),
        entry("POST", "Observation", observation("x", "bob", 91, "2026-07-01")),
    )
    answer = await clinic.ask("POST", "", mixed, who="physician")
    assert answer.status == 403
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.patients) == ("denied", ("bob",))
    assert await records_kept(clinic.system.database) == before


@pytest.mark.parametrize(
    ("broken", "status", "where"),
    [
        (
            entry("POST", "Observation", {"resourceType": "Observation", "status": "final"}),
            422,
            "Bundle.entry[1].resource.code",
        ),
        (
            entry("POST", "Observation", observation("x", "ada", 1, "2026-02-30")),
            422,
            "Bundle.entry[1].resource.effective",
        ),
        (
            entry("PUT", "Observation/other", observation("x", "ada", 1, "2026-02-01")),
            400,
            "Bundle.entry[1].resource.id",
        ),
        (entry("POST", "Condition", observation("x", "ada", 1, "2026-02-01")), 400, "Bundle.entry[1].resource"),
        (entry("SEND", "Observation", observation("x", "ada", 1, "2026-02-01")), 400, "Bundle.entry[1]"),
        (
            entry("PUT", "Observation/ada-pulse", observation("ada-pulse", "ada", 1, "2026-02-01"))
            | {"request": {"method": "PUT", "url": "Observation/ada-pulse", "ifMatch": 'W/"9"'}},
            412,
            "",
        ),
        (
            entry(
                "POST",
                "Observation",
                observation("x", "ada", 1, "2026-02-01") | {"subject": {"reference": "Patient?family=nobody"}},
            ),
            412,
            "Bundle.entry[1]",
        ),
    ],
)
@on_sqlite
async def test_one_bad_entry_undoes_all_and_is_named(clinic: Clinic, broken: Json, status: int, where: str) -> None:
    before = await records_kept(clinic.system.database)
    good = entry("POST", "Observation", observation("x", "ada", 91, "2026-07-01"))
    answer = await clinic.ask("POST", "", bundle("transaction", good, broken))
    assert answer.status == status, answer.body
    places = " ".join(place for issue in answer.json["issue"] for place in issue.get("expression", []))
    assert where in places
    assert await records_kept(clinic.system.database) == before


async def test_conditional_references_are_resolved_among_what_one_may_see(clinic: Clinic) -> None:
    conditional = observation("x", "ada", 91, "2026-07-01") | {"subject": {"reference": "Patient?family=moreau"}}
    answer = await clinic.ask("POST", "", bundle("transaction", entry("POST", "Observation", conditional)))
    assert answer.status == 200, answer.body
    assert answer.json["entry"][0]["resource"]["subject"]["reference"] == "Patient/ada"
    hidden = observation("x", "ada", 91, "2026-07-01") | {"subject": {"reference": "Patient?family=lindqvist"}}
    answer = await clinic.ask("POST", "", bundle("transaction", entry("POST", "Observation", hidden)), who="physician")
    assert answer.status == 412


async def test_a_new_patient_and_their_records_in_one_transaction(clinic: Clinic) -> None:
    urn = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    admission = bundle(
        "transaction",
        entry("POST", "Patient", {"resourceType": "Patient", "name": [{"family": "Ngata"}]}, fullUrl=urn),
        entry("POST", "Observation", observation("x", "y", 90, "2026-07-01") | {"subject": {"reference": urn}}),
    )
    answer = await clinic.ask("POST", "", admission)
    assert answer.status == 200, answer.body
    patient = answer.json["entry"][0]["resource"]["id"]
    found = await clinic.ask("GET", f"Observation?patient={patient}")
    assert len(found.json["entry"]) == 1
    assert answer.entry is not None
    assert answer.entry.patients == (patient,)


async def test_a_batch_does_what_it_can(clinic: Clinic) -> None:
    mixed = bundle(
        "batch",
        entry("GET", "Observation/ada-pulse"),
        entry("GET", "Observation/bob-pulse"),
        entry("GET", "Observation/nothing"),
        entry("POST", "Observation", observation("x", "ada", 91, "2026-07-01")),
        entry("POST", "Observation", {"resourceType": "Observation"}),
        entry("DELETE", "Observation/ada-pulse-2"),
    )
    answer = await clinic.ask("POST", "", mixed, who="physician", headers={"x-request-id": "batch-1"})
    assert answer.status == 200
    assert answer.json["type"] == "batch-response"
    statuses = [each["response"]["status"][:3] for each in answer.json["entry"]]
    assert statuses == ["200", "403", "404", "201", "422", "204"]
    assert answer.json["entry"][1]["response"]["outcome"]["issue"][0]["code"] == "forbidden"
    ledger = clinic.system.services.ledger
    entries = [ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting()]
    outcomes = sorted((each.action, each.outcome) for each in entries if each.request_id == "batch-1")
    assert outcomes == [
        ("fhir:record:create", "permitted"),
        ("fhir:record:delete", "permitted"),
        ("fhir:record:read", "denied"),
        ("fhir:record:read", "failed"),
        ("fhir:record:read", "permitted"),
    ]


async def test_two_entries_for_one_record_are_refused(clinic: Clinic) -> None:
    twice = bundle(
        "transaction",
        entry("PUT", "Observation/ada-pulse", observation("ada-pulse", "ada", 1, "2026-07-01")),
        entry("DELETE", "Observation/ada-pulse"),
    )
    answer = await clinic.ask("POST", "", twice)
    assert answer.status == 400
    assert (await clinic.ask("GET", "Observation/ada-pulse")).json["valueQuantity"]["value"] == 72


@on_sqlite
@pytest.mark.parametrize("body", [{"resourceType": "Patient"}, bundle("collection"), {"resourceType": "Bundle"}])
async def test_only_transactions_and_batches_are_processed(clinic: Clinic, body: Json) -> None:
    assert (await clinic.ask("POST", "", body)).status == 400


async def test_a_clinician_cannot_make_themself_part_of_the_care_in_a_transaction(clinic: Clinic) -> None:
    grab = bundle(
        "transaction",
        entry("PUT", "CareTeam/bob-team", care_team("bob")),
        entry("GET", "Patient/bob"),
    )
    assert (await clinic.ask("POST", "", grab, who="physician")).status == 403
    assert (await clinic.ask("GET", "Patient/bob", who="physician")).status == 403

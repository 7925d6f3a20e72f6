"""Promise 5: care never waits for security. A known clinician always gets in, and answers for it afterwards."""

import pytest

from tests.web.clinic import MINUTE_MS, Answer, Clinic, care_team, observation, on_sqlite

WHY = "Brought in unconscious, no relatives reached"
EMERGENCY = {"x-purpose-of-use": "ETREAT"}


async def break_glass(clinic: Clinic, patient: str, why: str = WHY, who: str = "emergency") -> Answer:
    body = {"resourceType": "Parameters", "parameter": [{"name": "reason", "valueString": why}]}
    return await clinic.ask("POST", f"Patient/{patient}/$break-glass", body, who=who)


@pytest.mark.parametrize("patient", ["ada", "bob"])
async def test_a_known_clinician_gets_in_at_once(clinic: Clinic, patient: str) -> None:
    path = f"Observation/{patient}-pulse"
    assert (await clinic.ask("GET", path, who="emergency", headers=EMERGENCY)).status == 403
    opened = await break_glass(clinic, patient)
    assert opened.status == 200
    assert {parameter["name"] for parameter in opened.json["parameter"]} == {"expires", "notice"}
    read = await clinic.ask("GET", path, who="emergency", headers=EMERGENCY)
    assert read.status == 200
    assert read.entry is not None
    assert read.entry.policies == ("emergency.care",)
    found = await clinic.ask("GET", f"Observation?patient={patient}", who="emergency", headers=EMERGENCY)
    assert len(found.json["entry"]) == 2
    added = await clinic.ask(
        "POST", "Observation", observation("x", patient, 140, "2026-11-05"), who="emergency", headers=EMERGENCY
    )
    assert added.status == 201


async def test_it_is_in_the_ledger_and_the_reason_is_kept_with_the_patient(clinic: Clinic) -> None:
    opened = await break_glass(clinic, "bob")
    assert opened.entry is not None
    assert opened.entry.action == "fhir:patient:break-glass"
    assert (opened.entry.purpose, opened.entry.patients, opened.entry.outcome) == ("ETREAT", ("bob",), "permitted")
    assert opened.entry.agent.who == "Practitioner/emergency"
    assert WHY not in repr(opened.entry)
    (grant,) = await clinic.system.services.break_glass.recent(0)
    assert (grant.reason, grant.patient) == (WHY, "bob")
    assert grant.id in (opened.entry.query or "")


async def test_the_door_opens_to_one_patient_for_one_person_and_one_purpose(clinic: Clinic) -> None:
    await break_glass(clinic, "bob")
    for path, who, headers in (
        ("Observation/ada-pulse", "emergency", EMERGENCY),
        ("Observation/bob-pulse", "physician", EMERGENCY),
        ("Observation/bob-pulse", "emergency", {}),
        ("Observation/bob-pulse", "emergency", {"x-purpose-of-use": "HRESCH"}),
    ):
        assert (await clinic.ask("GET", path, who=who, headers=headers)).status == 403, (path, who)


async def test_it_ends_by_itself(clinic: Clinic) -> None:
    await break_glass(clinic, "bob")
    clinic.time.now_ms += 60 * MINUTE_MS - 1
    assert (await clinic.ask("GET", "Patient/bob", who="emergency", headers=EMERGENCY)).status == 200
    clinic.time.now_ms += 2
    assert (await clinic.ask("GET", "Patient/bob", who="emergency", headers=EMERGENCY)).status == 403


async def test_it_neither_changes_nor_deletes_nor_lasts(clinic: Clinic) -> None:
    await break_glass(clinic, "bob")
    changed = observation("bob-pulse", "bob", 1, "2026-03-01")
    attempts = [
        await clinic.ask("PUT", "Observation/bob-pulse", changed, who="emergency", headers=EMERGENCY),
        await clinic.ask("DELETE", "Observation/bob-pulse", who="emergency", headers=EMERGENCY),
        await clinic.ask("POST", "CareTeam", care_team("bob"), who="emergency", headers=EMERGENCY),
    ]
    assert [answer.status for answer in attempts] == [403] * 3
    assert {policy for answer in attempts if answer.entry for policy in answer.entry.policies} == {
        "emergency.changes-nothing",
        "emergency.ends",
    }


@on_sqlite
@pytest.mark.parametrize("who", ["ada", "bob", "administrator", "auditor", "engine", "app"])
async def test_nobody_but_a_clinician_breaks_the_glass(clinic: Clinic, who: str) -> None:
    answer = await break_glass(clinic, "bob", who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"


@on_sqlite
@pytest.mark.parametrize(
    ("why", "status"), [("", 422), ("short", 422), ("x" * 20, 422), ("y" * 1001, 422), ("\u0001" * 12, 422)]
)
async def test_the_reason_is_written_out(clinic: Clinic, why: str, status: int) -> None:
    assert (await break_glass(clinic, "bob", why)).status == status
    assert await clinic.system.services.break_glass.recent(0) == ()


async def test_a_restricted_record_is_there_in_an_emergency(clinic: Clinic) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
    secret = observation("secret", "bob", 1, "2026-03-01") | {"meta": {"security": [label]}}
    await clinic.put(secret)
    await break_glass(clinic, "bob")
    assert (await clinic.ask("GET", "Observation/secret", who="emergency", headers=EMERGENCY)).status == 200


async def test_it_can_be_opened_again_and_again(clinic: Clinic) -> None:
    for _ in range(5):
        assert (await break_glass(clinic, "bob")).status == 200
        clinic.time.now_ms += 61 * MINUTE_MS
    assert (await break_glass(clinic, "bob")).status == 200

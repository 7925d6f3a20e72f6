"""Patient/$everything: the whole chart, what it refers to, page by page, decided one by one."""

import pytest

from carekeep.audit import What
from tests.fhir.documents.charts import condition, labelled, result
from tests.web.clinic import MINUTE_MS, Clinic, observation, on_sqlite
from tests.web.operations.charts import KEPT, disclosed, found, link
from tests.web.operations.hiding import labels_count, secret

CHART = {
    "Patient/ada",
    "Observation/ada-pulse",
    "Observation/ada-pulse-2",
    "Condition/ada-asthma",
    "CareTeam/ada-team",
    *(f"{each['resourceType']}/{each['id']}" for each in KEPT if "ada-" in each["id"]),
}
DIRECTORY = {"Practitioner/physician", "Medication/metformin", "Device/pacemaker"}


@pytest.mark.parametrize("who", ["physician", "ada", "engine"])
async def test_it_is_the_whole_chart_and_what_it_refers_to(clinic: Clinic, who: str) -> None:
    answer = await clinic.ask("GET", "Patient/ada/$everything", who=who)
    assert answer.status == 200
    assert set(found(answer.json, "match")) == CHART
    assert set(found(answer.json, "include")) == DIRECTORY
    assert found(answer.json)[0] == "Patient/ada"
    assert answer.json["total"] == len(CHART)
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("fhir:record:read", "permitted")
    assert answer.entry.query == "Patient/ada/$everything"
    assert disclosed(answer.entry) == CHART | DIRECTORY
    assert "ada" in answer.entry.patients


async def test_by_post_it_is_the_same(clinic: Clinic) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Condition"}]}
    answer = await clinic.ask("POST", "Patient/ada/$everything", body, who="ada")
    assert found(answer.json) == ["Condition/ada-asthma"]
    assert (await clinic.ask("POST", "Patient/ada/$everything", who="ada")).json["total"] == len(CHART)


@pytest.mark.parametrize("who", ["physician", "ada"])
async def test_of_a_patient_without_relation_it_is_denied_and_that_is_recorded(clinic: Clinic, who: str) -> None:
    answer = await clinic.ask("GET", "Patient/bob/$everything", who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.patients) == ("denied", ("bob",))
    assert answer.entry.what == (What("Patient/bob", 1),)
    assert answer.entry.reason in answer.said


async def test_what_belongs_to_another_patient_first_has_its_place_too(clinic: Clinic) -> None:
    """An appointment of two is in the compartments of both; a stranger who only shares it is not told more."""
    people = [{"actor": {"reference": f"Patient/{id_}"}, "status": "accepted"} for id_ in ("bob", "ada")]
    shared = {"resourceType": "Appointment", "id": "shared", "status": "proposed", "participant": people}
    clinic.time.now_ms += MINUTE_MS
    assert (await clinic.put(shared)).status == 201
    clinic.time.now_ms += MINUTE_MS
    await clinic.put(observation("ada-late", "ada", 60, "2026-05-01"))
    for who in ("ada", "bob", "physician"):
        patient = "bob" if who == "bob" else "ada"
        matches = found((await clinic.ask("GET", f"Patient/{patient}/$everything", who=who)).json, "match")
        assert matches.count("Appointment/shared") == 1
        if patient == "ada":
            assert matches[-2:] == ["Appointment/shared", "Observation/ada-late"]
            assert "Patient/bob" not in matches


@on_sqlite
async def test_of_nobody_it_is_not_found(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Patient/nobody/$everything", who="physician")
    assert (answer.status, answer.entry.outcome if answer.entry else "") == (404, "failed")
    assert (await clinic.ask("GET", "Patient/nobody/$everything", who="auditor")).status == 403


async def test_of_a_deleted_patient_it_is_gone(clinic: Clinic) -> None:
    assert (await clinic.ask("DELETE", "Patient/bob")).status == 204
    assert (await clinic.ask("GET", "Patient/bob/$everything")).status == 410


@pytest.mark.parametrize("size", [1, 4, 50])
async def test_pages_hold_each_record_once_and_what_it_refers_to(clinic: Clinic, size: int) -> None:
    seen: list[str] = []
    path: str | None = f"/fhir/Patient/ada/$everything?_count={size}"
    while path is not None and len(seen) <= len(CHART):
        answer = await clinic.ask("GET", path, who="physician")
        matches = found(answer.json, "match")
        assert 0 < len(matches) <= size
        assert disclosed(answer.entry) == set(found(answer.json))
        seen += matches
        path = link(answer.json, "next")
        # A record that is made meanwhile comes at the end and moves nothing.
        await clinic.put(observation("ada-late", "ada", 60, "2026-05-01"))
    assert len(seen) == len(set(seen))
    assert CHART <= set(seen) <= CHART | {"Observation/ada-late"}


@on_sqlite
async def test_since_leaves_out_what_did_not_change(clinic: Clinic) -> None:
    clinic.time.now_ms += MINUTE_MS
    await clinic.put(observation("ada-pulse", "ada", 60, "2026-05-01"))
    answer = await clinic.ask("GET", "Patient/ada/$everything?_since=2026-11-05T12:01:00Z", who="ada")
    assert set(found(answer.json, "match")) == {"Patient/ada", "Observation/ada-pulse"}
    zoned = await clinic.ask("GET", "Patient/ada/$everything?_since=2026-11-05T13:01:00%2B01:00", who="ada")
    assert found(zoned.json, "match") == found(answer.json, "match")


@on_sqlite
async def test_start_and_end_are_dates_of_care(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Patient/ada/$everything?start=2026-03-15&_type=Observation,Condition", who="ada")
    assert set(found(answer.json)) == {"Observation/ada-pulse-2", "Condition/ada-asthma"}


async def test_types_narrow_both_matches_and_what_they_refer_to(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Patient/ada/$everything?_type=MedicationRequest,Medication", who="ada")
    assert found(answer.json, "match") == ["MedicationRequest/ada-rx"]
    assert found(answer.json, "include") == ["Medication/metformin"]


async def test_what_one_may_not_see_is_not_there(clinic: Clinic) -> None:
    await clinic.put(secret(condition("ada-hidden")))
    with labels_count():
        answer = await clinic.ask("GET", "Patient/ada/$everything", who="physician")
        assert set(found(answer.json, "match")) == CHART
        assert answer.json["total"] == len(CHART)
        paged = await clinic.ask("GET", f"Patient/ada/$everything?_count={len(CHART)}", who="physician")
        assert link(paged.json, "next") is None
    assert "Condition/ada-hidden" in found((await clinic.ask("GET", "Patient/ada/$everything")).json)


@on_sqlite
async def test_the_bundle_carries_the_highest_label(clinic: Clinic) -> None:
    assert "meta" not in (await clinic.ask("GET", "Patient/ada/$everything")).json
    await clinic.put(labelled(result("ada-x", "1-1", 1, "2026-01-01"), "R"))
    answer = await clinic.ask("GET", "Patient/ada/$everything")
    assert [label["code"] for label in answer.json["meta"]["security"]] == ["R"]


@on_sqlite
@pytest.mark.parametrize(
    "query",
    ["_type=Vibration", "start=yesterday", "_since=1", "_count=-1", "_cursor=x", "_cursor=__________8", "_elements=id"],
)
async def test_bad_arguments_are_refused(clinic: Clinic, query: str) -> None:
    answer = await clinic.ask("GET", f"Patient/ada/$everything?{query}", who="ada")
    assert answer.status == 400

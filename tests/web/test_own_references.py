"""References that name this server by its URL: they mean the same as relative ones, for search and for whose it is."""

from typing import Any

import pytest

from carekeep.fhir import relative_references
from tests.fhir.patch.fhirpath_patch_cases import operation, parameters
from tests.web.clinic import Answer, Clinic, Json, observation, on_sqlite
from tests.web.test_transaction_rules import entry, statuses, transact

ELSEWHERE = "https://elsewhere.example/fhir"


def about(reference: str, **more: Any) -> Json:
    return {**observation("sent", "ada", 61, "2026-06-01"), "subject": {"reference": reference}, **more}


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["resource"]["id"] for each in answer.json["entry"]]


async def subject_of(clinic: Clinic) -> str:
    answer = await clinic.ask("GET", "Observation/sent", who="physician")
    assert answer.status == 200, answer.body
    return str(answer.json["subject"]["reference"])


async def test_it_is_kept_relative_and_belongs_to_the_patient(clinic: Clinic) -> None:
    base = clinic.system.services.fhir_url
    answer = await clinic.ask("PUT", "Observation/sent", about(f"{base}/Patient/ada"), who="physician")
    assert answer.status == 201
    assert answer.entry is not None
    assert answer.entry.patients == ("ada",)
    assert await subject_of(clinic) == "Patient/ada"
    for sought in ("Patient/ada", "ada", f"{base}/Patient/ada"):
        assert "sent" in ids(await clinic.ask("GET", f"Observation?subject={sought}", who="physician"))
    assert "sent" in ids(await clinic.ask("GET", "Patient/ada/Observation", who="physician"))


async def test_whoever_may_not_write_for_a_patient_cannot_do_it_by_url(clinic: Clinic) -> None:
    base = clinic.system.services.fhir_url
    refused = await clinic.ask("PUT", "Observation/sent", about(f"{base}/Patient/bob"), who="physician")
    assert refused.status == 403
    assert refused.entry is not None
    assert refused.entry.patients == ("bob",)


async def test_every_way_of_writing_makes_it_relative(clinic: Clinic) -> None:
    base = clinic.system.services.fhir_url
    mine = f"{base}/Patient/ada"
    assert statuses(await transact(clinic, entry("PUT", "Observation/sent", about(mine)))) == ["201"]
    assert await subject_of(clinic) == "Patient/ada"
    assert statuses(await transact(clinic, entry("PUT", "Observation/sent", about(mine)), kind="batch")) == ["200"]
    assert await subject_of(clinic) == "Patient/ada"
    patch = parameters(
        operation("replace", "Observation.subject.reference", value={"valueString": f"{mine}/_history/1"})
    )
    assert (await clinic.ask("PATCH", "Observation/sent", patch, who="engine")).status == 200
    assert await subject_of(clinic) == "Patient/ada/_history/1"


async def test_conditions_mean_the_same_by_url(clinic: Clinic) -> None:
    base = clinic.system.services.fhir_url
    await clinic.put(about("Patient/ada", identifier=[{"system": "urn:lab", "value": "7"}]))
    sought = f"identifier=urn:lab|7&subject={base}/Patient/ada"
    found = await clinic.ask("POST", "Observation", about("Patient/ada"), headers={"if-none-exist": sought})
    assert found.status == 200
    assert found.json["id"] == "sent"


@on_sqlite
async def test_chains_and_reverse_chains_follow_it(clinic: Clinic) -> None:
    base = clinic.system.services.fhir_url
    await clinic.put(about(f"{base}/Patient/ada", status="amended"))
    assert ids(await clinic.ask("GET", "Patient?_has:Observation:patient:status=amended", who="engine")) == ["ada"]
    included = await clinic.ask("GET", "Observation?_id=sent&_include=Observation:subject", who="engine")
    assert ids(included) == ["sent", "ada"]


BASE = "https://here.example/fhir"
KEPT: list[Json] = [
    about(f"{ELSEWHERE}/Patient/ada"),
    about(f"{BASE}/Nothing"),
    about(f"{BASE}/Patient/ada/extra"),
    about(f"{BASE}x/Patient/ada"),
    {"resourceType": "StructureDefinition", "url": f"{BASE}/StructureDefinition/x"},
    {"resourceType": "Basic", "extension": [{"url": f"{BASE}/Patient/ada", "valueUri": f"{BASE}/Patient/ada"}]},
    {"resourceType": "Bundle", "type": "document", "entry": [{"resource": about(f"{BASE}/Patient/ada")}]},
    {"resourceType": "Basic", "identifier": [{"value": f"{BASE}/Patient/ada"}]},
]


@pytest.mark.parametrize("resource", KEPT, ids=range(len(KEPT)))
def test_everything_else_stays_as_it_was_written(resource: Json) -> None:
    assert relative_references(resource, BASE) is resource


def test_references_at_every_depth() -> None:
    resource = {
        "resourceType": "Basic",
        "contained": [{"resourceType": "Basic", "subject": {"reference": f"{BASE}/Patient/a"}}],
        "extension": [{"url": "urn:x", "valueReference": {"reference": f"{BASE}/Group/b/_history/2", "display": "B"}}],
        "author": {"identifier": {"assigner": {"reference": f"{BASE}/Organization/c"}}},
    }
    relative = relative_references(resource, BASE)
    assert relative["contained"][0]["subject"] == {"reference": "Patient/a"}
    assert relative["extension"][0]["valueReference"] == {"reference": "Group/b/_history/2", "display": "B"}
    assert relative["author"]["identifier"]["assigner"] == {"reference": "Organization/c"}
    assert resource["contained"] == [{"resourceType": "Basic", "subject": {"reference": f"{BASE}/Patient/a"}}]

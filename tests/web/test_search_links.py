"""Chains, reverse chains, lists and code sets over HTTP: what they find, what they refuse, and what they keep quiet."""

import pytest

from tests.web.clinic import Answer, Clinic, Json, care_team, observation, on_sqlite

LOINC = "http://loinc.org"
V = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V"}
PULSE = {"coding": [{"system": LOINC, "code": "8867-4"}]}
ADA, BOB = {"reference": "Patient/ada"}, {"reference": "Patient/bob"}

RECORDS: tuple[Json, ...] = (
    {"resourceType": "Organization", "id": "trust", "name": "North Trust"},
    {"resourceType": "Organization", "id": "ward", "name": "Ward Nine", "partOf": {"reference": "Organization/trust"}},
    {
        "resourceType": "Patient",
        "id": "ada",
        "name": [{"family": "Moreau", "given": ["Robin"]}],
        "birthDate": "1970-02-28",
        "managingOrganization": {"reference": "Organization/ward"},
        "generalPractitioner": [{"reference": "Practitioner/physician"}],
    },
    {"resourceType": "Encounter", "id": "visit", "status": "finished", "class": {"code": "AMB"}, "subject": ADA},
    {**observation("in-visit", "ada", 60, "2026-05-01"), "encounter": {"reference": "Encounter/visit"}},
    # A record of nobody, which only a system may read, in the middle of what the physician may read.
    {"resourceType": "Observation", "id": "nobodys", "status": "final", "code": PULSE, "focus": [ADA]},
    {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "final",
        "code": PULSE,
        "subject": ADA,
        "result": [{"reference": "Observation/nobodys"}],
    },
    {"resourceType": "List", "id": "chosen", "status": "current", "mode": "changes", "subject": ADA,
     "entry": [{"item": {"reference": "Observation/ada-pulse"}}, {"item": {"reference": "Observation/bob-pulse"}},
               {"item": {"reference": "Observation/in-visit"}, "deleted": True}]},
    {"resourceType": "List", "id": "bobs", "status": "current", "mode": "working", "subject": BOB,
     "entry": [{"item": {"reference": "Observation/ada-pulse"}}]},
    {"resourceType": "ValueSet", "id": "rates", "url": "http://x.org/rates", "status": "active",
     "compose": {"include": [{"system": LOINC, "concept": [{"code": "8867-4"}]}]}},
    {"resourceType": "CodeSystem", "id": "kinds", "url": "http://x.org/kinds", "status": "active",
     "content": "complete", "hierarchyMeaning": "is-a",
     "concept": [{"code": "animal", "concept": [{"code": "cat"}, {"code": "dog"}]}]},
    {"resourceType": "Device", "id": "cat", "type": {"coding": [{"system": "http://x.org/kinds", "code": "cat"}]}},
)  # fmt: skip


@pytest.fixture
async def linked(clinic: Clinic) -> Clinic:
    """The clinic with records that refer to each other."""
    for resource in RECORDS:
        answer = await clinic.put(resource)
        assert answer.status in {200, 201}, answer.body
    return clinic


def found(answer: Answer) -> set[str]:
    assert answer.status == 200, answer.body
    return {entry["resource"]["id"] for entry in answer.json.get("entry", [])}


PULSES = {"ada-pulse", "ada-pulse-2", "in-visit"}


@on_sqlite
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("Observation?patient.family=moreau", PULSES),
        ("Observation?patient.family:exact=Moreau&value-quantity=gt80", {"ada-pulse-2"}),
        ("Observation?subject:Patient.family=mor", PULSES),
        ("Observation?subject.family=mor", PULSES),
        ("Observation?patient.family=lindqvist", set()),
        ("Observation?patient.birthdate=1970", PULSES),
        ("Observation?encounter.class=AMB", {"in-visit"}),
        ("Observation?patient.organization.name=ward", PULSES),
        ("Observation?patient.organization.partof:Organization.name=north", PULSES),
        ("Observation?patient.organization.name=north", set()),
        ("Observation?patient.general-practitioner:Practitioner.family=okafor&date=2026-05", {"in-visit"}),
        ("Patient?organization.partof.name=north", {"ada"}),
        ("Patient?_has:Observation:patient:code=8867-4", {"ada"}),
        ("Patient?_has:Observation:patient:code=1-1", set()),
        ("Patient?_has:Observation:patient:encounter.class=AMB", {"ada"}),
        ("Encounter?_has:Observation:encounter:value-quantity=lt70", {"visit"}),
        ("Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=8867-4", {"physician"}),
        ("Organization?_has:Patient:organization:family=moreau", {"ward"}),
        ("Observation?patient._has:Encounter:patient:class=AMB&date=2026-05", {"in-visit"}),
        ("Observation?_list=chosen", {"ada-pulse"}),
        ("Observation?_list=List/chosen", {"ada-pulse"}),
        ("Observation?_list=bobs", set()),
        ("Observation?_list=nothing", set()),
        ("Observation?code:in=http://x.org/rates", PULSES),
        ("Observation?code:not-in=http://x.org/rates", set()),
        ("Condition?code:not-in=http://x.org/rates", {"ada-asthma"}),
        ("Device?type:below=http://x.org/kinds|animal", {"cat"}),
        ("Device?type:above=http://x.org/kinds|animal", set()),
        ("Device?type:above=http://x.org/kinds|cat", {"cat"}),
        ("Condition?_content=asth", {"ada-asthma"}),
        ("Condition?_content=asthma moon", set()),
        ("Condition?_text=asthma", set()),
    ],
)
async def test_a_clinician_finds(linked: Clinic, query: str, ids: set[str]) -> None:
    assert found(await linked.ask("GET", query, who="physician")) == ids


@on_sqlite
@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("DiagnosticReport?result.code=8867-4", {"report"}),
        ("Patient?_has:Observation:focus:code=8867-4", {"ada"}),
        ("Observation?_list=bobs", {"ada-pulse"}),
        ("Patient?_has:Observation:focus:_has:DiagnosticReport:result:code=8867-4", {"ada"}),
    ],
)
async def test_what_one_may_not_see_changes_no_answer(linked: Clinic, query: str, seen: set[str]) -> None:
    assert found(await linked.ask("GET", query, who="engine")) == seen
    mine = await linked.ask("GET", query, who="physician")
    assert found(mine) == set()
    for reference in ("Observation/nobodys", "List/bobs"):
        assert (await linked.ask("DELETE", reference)).status == 204
    after = await linked.ask("GET", query, who="physician")
    assert after.body == mine.body


@on_sqlite
async def test_a_label_hides_a_record_from_chains_too(linked: Clinic) -> None:
    """The emergency physician met ada in an encounter, and is not on the care team: very restricted is not for them."""
    meeting = {
        "resourceType": "Encounter",
        "id": "met",
        "status": "in-progress",
        "class": {"code": "EMER"},
        "subject": ADA,
        "participant": [{"individual": {"reference": "Practitioner/emergency"}}],
    }
    await linked.put(meeting)
    query = "Observation?encounter.class=AMB"
    assert found(await linked.ask("GET", query, who="emergency")) == {"in-visit"}
    await linked.put({**RECORDS[3], "meta": {"security": [V]}})
    assert found(await linked.ask("GET", query, who="emergency")) == set()


@on_sqlite
@pytest.mark.parametrize(
    ("query", "code", "says"),
    [
        ("Observation?code:in=http://x.org/unknown", "not-supported", "value set is not loaded"),
        ("Observation?code:below=http://x.org/unknown|1", "not-supported", "hierarchy"),
        ("Observation?patient.nothing=1", "not-supported", "no search parameter"),
        ("Observation?patient._sort=1", "not-supported", "no search parameter"),
        ("Observation?code.text=1", "not-supported", "no reference"),
        ("Observation?patient:Group.name=x", "not-supported", "does not refer"),
        ("Observation?_filter=code eq 1", "not-supported", "_filter"),
        ("Observation?subject:above=Patient/ada", "not-supported", "modifier"),
        ("QuestionnaireResponse?questionnaire.name=x", "not-supported", "no reference"),
    ],
)
async def test_refuses_with_the_reason(linked: Clinic, query: str, code: str, says: str) -> None:
    answer = await linked.ask("GET", query, who="engine")
    assert (answer.status, answer.json["issue"][0]["code"]) == (400, code), answer.body
    assert says in answer.said


@on_sqlite
async def test_a_chain_that_leads_too_far_is_refused(linked: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.web.fhir.resolving.MOST_REFERENCES", 1)
    await linked.put(care_team("bob"))
    answer = await linked.ask("GET", "Observation?patient.birthdate=1970", who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (400, "too-costly")
    narrower = await linked.ask("GET", "Observation?patient.family=moreau", who="physician")
    assert found(narrower) == PULSES


@on_sqlite
async def test_whoever_may_search_nothing_is_refused_before_any_chain(linked: Clinic) -> None:
    answer = await linked.ask("GET", "Observation?patient.family=moreau", who="auditor")
    assert answer.status == 403

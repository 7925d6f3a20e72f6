"""Minimum necessary in every answer: what is left out is nowhere, and no search tells it."""

from carekeep.access import PolicyFile
from carekeep.access.policy_text import bundled_policies
from tests.web.clinic import Clinic, Json, observation, on_sqlite

DESK = """
@id("desk.read") @title("t") @reason("The desk may see who it is.") @law("l")
@obligation("omit Patient.name, Patient.telecom; only-labels N")
permit (
  principal is Practitioner,
  action in [Action::"fhir:record:read", Action::"fhir:record:vread", Action::"fhir:record:history"],
  resource is PatientRecord
) when { context.purpose == Purpose::"PATADMIN" && context.relations.contains(Relation::"care-team") };

@id("desk.change") @title("t") @reason("The desk may change it.") @law("l")
permit (principal is Practitioner, action == Action::"fhir:record:update", resource is PatientRecord)
when { context.purpose == Purpose::"PATADMIN" && context.relations.contains(Relation::"care-team") };
"""
AT_THE_DESK = {"x-purpose-of-use": "PATADMIN"}
RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
ADA: Json = {
    "resourceType": "Patient",
    "id": "ada",
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Ada Zebedee</div>'},
    "name": [{"family": "Zebedee", "given": ["Ada"]}],
    "birthDate": "1970-01-01",
    "telecom": [{"system": "phone", "value": "+1 555 Zebedee"}],
    "managingOrganization": {"display": "Zebedee's"},
}

# Asked at the desk, and how many matches there are (None: the answer is no Bundle of matches).
SHOWN = (
    ("Patient/ada", None),
    ("Patient/ada/_history/2", None),
    ("Patient/ada/_history", None),
    ("Patient?_id=ada", 1),
    ("Patient?birthdate=1970-01-01", 1),
    ("Patient?_id=ada&_sort=family", 1),
    ("Patient?_id=ada&_elements=name,birthDate", 1),
    ("Patient?_id=ada&_summary=true", 1),
    ("Observation?_id=desk-1&_include=Observation:subject", 1),
    ("Observation?patient=ada&_id=desk-1", 1),
    ("Observation?patient.birthdate=1970-01-01&_id=desk-1", 1),
    ("Patient/ada/$everything", None),
    ("Patient/ada/$summary", None),
)
# What asks about what is left out finds nothing, whichever answer would be true.
ASKING = (
    "Patient?family=Zebedee",
    "Patient?family=Somebody",
    "Patient?family:exact=Zebedee",
    "Patient?name:missing=false",
    "Patient?name:missing=true",
    "Patient?phone=555",
    "Patient?telecom:not=x",
    "Patient?_text=Zebedee",
    "Patient?_content=Zebedee",
    "Observation?patient.family=Zebedee&_id=desk-1",
    "Observation?subject:Patient.name=Zebedee&_id=desk-1",
    "Patient?_has:Observation:patient:_id=desk-1&given=Ada",
)


async def furnished(clinic: Clinic) -> None:
    clinic.system.services.policies.decider.reload([*bundled_policies(), PolicyFile("desk.cedar", DESK)])
    assert (await clinic.put(ADA)).status == 200
    measured = observation("desk-1", "ada", 60, "2026-11-01")
    measured["subject"]["display"] = "Ada Zebedee"
    assert (await clinic.put(measured)).status == 201
    assert (
        await clinic.put(observation("desk-2", "ada", 61, "2026-11-02") | {"meta": {"security": [RESTRICTED]}})
    ).status == 201


@on_sqlite
async def test_what_is_left_out_is_in_no_answer(clinic: Clinic) -> None:
    await furnished(clinic)
    for path, count in SHOWN:
        whole = await clinic.ask("GET", path, who="physician")
        answer = await clinic.ask("GET", path, who="physician", headers=AT_THE_DESK)
        assert answer.status == 200, (path, answer.body)
        assert b"Zebedee" in whole.body, path
        assert b"Zebedee" not in answer.body, path
        assert b"1970-01-01" in answer.body or path.startswith("Observation"), path
        if count is not None:
            assert [each["search"]["mode"] for each in answer.json.get("entry", ())].count("match") == count, path


@on_sqlite
async def test_no_search_tells_what_is_left_out(clinic: Clinic) -> None:
    await furnished(clinic)
    for path in ASKING:
        answer = await clinic.ask("GET", f"{path}&_total=accurate", who="physician", headers=AT_THE_DESK)
        assert answer.status == 200, (path, answer.body)
        assert answer.json["total"] == 0, path
        assert "entry" not in answer.json, path


@on_sqlite
async def test_the_ledger_says_what_was_left_out_and_the_record_is_marked(clinic: Clinic) -> None:
    await furnished(clinic)
    answer = await clinic.ask("GET", "Patient/ada", who="physician", headers=AT_THE_DESK)
    assert [tag["code"] for tag in answer.json["meta"]["tag"]] == ["SUBSETTED"]
    assert answer.entry is not None
    assert answer.entry.policies == ("desk.read",)
    assert "left out: Patient.name, Patient.telecom" in answer.entry.reason
    assert '"PATADMIN"' in answer.entry.seen[0]


@on_sqlite
async def test_other_labels_are_not_shown(clinic: Clinic) -> None:
    await furnished(clinic)
    denied = await clinic.ask("GET", "Observation/desk-2", who="physician", headers=AT_THE_DESK)
    assert (denied.status, "labels other than" in denied.said) == (403, True)
    found = await clinic.ask("GET", "Observation?patient=ada", who="physician", headers=AT_THE_DESK)
    assert "desk-2" not in [each["resource"]["id"] for each in found.json["entry"]]


@on_sqlite
async def test_who_sees_a_part_changes_nothing(clinic: Clinic) -> None:
    await furnished(clinic)
    for method, body in (("PUT", ADA), ("PATCH", b'[{"op":"test","path":"/name/0/family","value":"Zebedee"}]')):
        headers = AT_THE_DESK | ({"content-type": "application/json-patch+json"} if method == "PATCH" else {})
        answer = await clinic.ask(method, "Patient/ada", body, who="physician", headers=headers)
        assert answer.status == 403, method
        assert "but a part" in answer.said
        assert answer.entry is not None
        assert answer.entry.outcome == "denied"

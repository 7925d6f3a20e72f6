"""Labels where they are written and read: assigned at every way in, and a trace of nothing where they hide.

The physician is on ada's care team. ``emergency`` has an appointment with ada here, which is not enough for what is
sensitive, or an encounter, which is not enough for substance use.
"""

import json
from typing import Any
from urllib.parse import quote

import pytest

from carekeep.access.labelling import ACT_CODE
from carekeep.fhir import labels_of
from carekeep.fhir.documents import high_water_mark
from tests.web.clinic import Answer, Clinic, Json, observation, on_sqlite
from tests.web.test_narrowed_apps import connect

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
PART2 = {"OPIOIDUD", "R", "NORDSCLCD"}
EMERGENCY = {"x-purpose-of-use": "ETREAT"}


def short(resource: Json) -> set[str]:
    return {label.partition("|")[2] for label in labels_of(resource)}


def condition(id_: str, code: str, patient: str = "ada") -> Json:
    return {
        "resourceType": "Condition",
        "id": id_,
        "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": ICD, "code": code}]},
        "onsetDateTime": "2026-01-01",
    }


def encounter(id_: str = "visit", **more: Any) -> Json:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": "Patient/ada"},
        "participant": [{"individual": {"reference": "Practitioner/emergency"}}],
        "period": {"start": "2026-11-05T11:00:00Z"},
        **more,
    }


def appointment() -> Json:
    return {
        "resourceType": "Appointment",
        "id": "later",
        "status": "booked",
        "start": "2026-11-05T13:00:00Z",
        "end": "2026-11-05T13:30:00Z",
        "participant": [
            {"actor": {"reference": "Patient/ada"}, "status": "accepted"},
            {"actor": {"reference": "Practitioner/emergency"}, "status": "accepted"},
        ],
    }


def bundle(*resources: Json) -> Json:
    entries = [
        {
            "fullUrl": f"https://records.example.org/fhir/{each['resourceType']}/{each['id']}",
            "resource": each,
            "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"},
        }
        for each in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


async def security_of(clinic: Clinic, reference: str) -> Json:
    answer = await clinic.ask("GET", reference)
    assert answer.status == 200
    return answer.json


# ---------------------------------------------------------------------------------------------------- at every way in


async def created(clinic: Clinic) -> Answer:
    return await clinic.ask("POST", "Condition", condition("x", "F11.20"), who="physician")


async def updated(clinic: Clinic) -> Answer:
    return await clinic.ask("PUT", "Condition/ada-asthma", condition("ada-asthma", "F11.20"), who="physician")


async def patched(clinic: Clinic) -> Answer:
    await clinic.put(condition("c", "I10"))
    change = [{"op": "replace", "path": "/code/coding/0/code", "value": "F11.20"}]
    headers = {"content-type": "application/json-patch+json"}
    return await clinic.ask("PATCH", "Condition/c", json.dumps(change).encode(), who="physician", headers=headers)


async def unlabelled(clinic: Clinic) -> Answer:
    await clinic.put(condition("c", "F11.20"))
    labels = {"security": [{"system": ACT_CODE, "code": code} for code in ("OPIOIDUD", "NORDSCLCD")]}
    sent = {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": labels}]}
    await clinic.ask("POST", "Condition/c/$meta-delete", sent, who="physician")
    return await clinic.ask("GET", "Condition/c", who="physician")


@on_sqlite
@pytest.mark.parametrize("way", [created, updated, patched, unlabelled])
async def test_the_rules_hold_whichever_way_a_record_comes_in(clinic: Clinic, way: Any) -> None:
    answer = await way(clinic)
    assert short(answer.json) == PART2, answer.body
    assert answer.json["meta"]["security"][0]["extension"][0]["valueCoding"]["code"] == "42CFRPart2"


@on_sqlite
async def test_a_transaction_and_what_refers_to_each_other_in_it(clinic: Clinic) -> None:
    await clinic.put(condition("before", "B20"))
    told = {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "final",
        "code": {"text": "report"},
        "subject": {"reference": "Patient/ada"},
        "result": [{"reference": "Observation/viral-load"}],
    }
    load = observation("viral-load", "ada", 1, "2026-03-01")
    load["code"]["coding"][0]["code"] = "20447-9"
    reasons = [{"reference": "Condition/opioid"}, {"reference": "Condition/before"}]
    sent = bundle(told, load, condition("opioid", "F11.20"), encounter(reasonReference=reasons))
    answer = await clinic.ask("POST", "", sent)
    assert answer.status == 200, answer.body
    assert short(await security_of(clinic, "Condition/opioid")) == PART2
    assert short(await security_of(clinic, "Observation/viral-load")) == {"HIV", "R"}
    assert short(await security_of(clinic, "DiagnosticReport/report")) == {"HIV", "R"}
    assert short(await security_of(clinic, "Encounter/visit")) == PART2 | {"HIV"}


@on_sqlite
async def test_creates_of_a_transaction_refer_to_each_other_by_uuid(clinic: Clinic) -> None:
    uuid = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
    visit = encounter(reasonReference=[{"reference": uuid}])
    entries: list[Json] = [
        {"resource": visit, "request": {"method": "PUT", "url": "Encounter/visit"}},
        {"fullUrl": uuid, "resource": condition("x", "F11.20"), "request": {"method": "POST", "url": "Condition"}},
    ]
    del entries[1]["resource"]["id"]
    answer = await clinic.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status == 200, answer.body
    assert short(await security_of(clinic, "Encounter/visit")) == PART2


@on_sqlite
async def test_a_medication_in_the_catalogue_labels_its_prescription(clinic: Clinic) -> None:
    rxnorm = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "351267"}
    await clinic.put({"resourceType": "Medication", "id": "drug", "code": {"coding": [rxnorm]}})
    request = {
        "resourceType": "MedicationRequest",
        "id": "order",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/ada"},
        "medicationReference": {"reference": "Medication/drug"},
    }
    assert short((await clinic.put(request)).json) == PART2
    assert (await clinic.put(await security_of(clinic, "MedicationRequest/order"))).status == 200
    assert short(await security_of(clinic, "MedicationRequest/order")) == PART2


@on_sqlite
async def test_a_reference_is_no_way_to_ask_what_a_hidden_record_is_about(clinic: Clinic) -> None:
    """Who may not read it gets no label of it in the answer."""
    await clinic.put(condition("hidden", "F11.20"))
    await clinic.put(encounter())
    guess = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/ada"},
        "reasonReference": [{"reference": "Condition/hidden"}],
    }
    answer = await clinic.ask("POST", "ServiceRequest", guess, who="emergency")
    assert answer.status == 201, answer.body
    assert short(answer.json) == set()
    assert short((await clinic.ask("POST", "ServiceRequest", guess, who="physician")).json) == PART2


@on_sqlite
async def test_a_writer_adds_labels_and_takes_only_those_away(clinic: Clinic) -> None:
    own = {"meta": {"security": [{"system": ACT_CODE, "code": "SDV"}]}}
    assert short((await clinic.ask("PUT", "Condition/c", condition("c", "B20") | own)).json) == {"SDV", "HIV", "R"}
    assert short((await clinic.ask("PUT", "Condition/c", condition("c", "B20"))).json) == {"HIV", "R"}
    assert short((await clinic.ask("PUT", "Condition/c", condition("c", "I10"))).json) == set()


@on_sqlite
async def test_a_binary_has_the_labels_of_what_stands_in_for_it(clinic: Clinic) -> None:
    scan = {
        "resourceType": "Binary",
        "id": "scan",
        "contentType": "text/plain",
        "securityContext": {"reference": "Condition/opioid"},
        "data": "YQ==",
    }
    assert (await clinic.ask("POST", "", bundle(scan, condition("opioid", "F11.20")))).status == 200
    kept = json.loads((await clinic.ask("GET", "Binary/scan")).body)
    assert short(kept) == PART2
    assert short((await clinic.put(kept)).json) == PART2


# ------------------------------------------------------------------------------------------ who does not see it

# Sensitive code, what makes ``emergency`` one of those who may see ada's records, what may be seen all the same.
HIDDEN = [
    pytest.param("F11.20", encounter(), id="substance use, in an encounter"),
    pytest.param("F11.20", appointment(), id="substance use, with an appointment"),
    pytest.param("B20", appointment(), id="HIV, with an appointment"),
    pytest.param("T74.21XA", appointment(), id="violence, with an appointment"),
]


def fingerprint(answer: Answer) -> Any:
    """All of an answer that a client could compare, without what is of this very request."""
    told = json.loads(answer.body) if answer.body else None
    if isinstance(told, dict):
        told.pop("id", None)
        told.get("meta", {}).pop("lastUpdated", None)
    return answer.status, told


TRACES = [
    "Condition?patient=ada&_total=accurate",
    "Condition?patient=ada&_summary=count",
    "Condition?patient=ada&_sort=onset-date",
    "Condition?patient=ada&_count=1",
    "Condition?_id=hidden",
    f"Condition?patient=ada&_security={quote(ACT_CODE + '|OPIOIDUD,' + ACT_CODE + '|HIV,' + ACT_CODE + '|SDV')}",
    "Condition?patient=ada&_security=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R&_summary=count",
    "Condition?patient=ada&_security:not=http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R&_total=accurate",
    "Patient?_id=ada&_revinclude=Condition:patient",
    "Patient?_id=ada&_has:Condition:patient:code=F11.20,B20,T74.21XA",
    "ServiceRequest?patient=ada&_include=*",
    "Condition/_history",
    "_history",
    "Patient/ada/$everything",
    "Patient/ada/$summary",
    "Observation/$lastn?patient=ada&code=8867-4",
]


def without_its_own(told: Any) -> Any:
    """Without the ids and times that every summary has of its own."""
    text = json.dumps(told)
    return len(text) if "Composition" in text else told


@on_sqlite
@pytest.mark.parametrize(("code", "bond"), HIDDEN)
async def test_who_has_no_clearance_finds_no_trace(clinic: Clinic, code: str, bond: Json) -> None:
    """Everything that can be asked is answered as if the record were not there: byte by byte."""
    await clinic.put(bond)
    before = [fingerprint(await clinic.ask("GET", path, who="emergency")) for path in TRACES]
    await clinic.put(condition("hidden", code))
    for path, (status, told) in zip(TRACES, before, strict=True):
        answer = await clinic.ask("GET", path, who="emergency")
        now = fingerprint(answer)
        assert (now[0], without_its_own(now[1])) == (status, without_its_own(told)), path
        assert status == 200, path
        assert b'"id":"hidden"' not in answer.body
        assert answer.entry is not None
        assert "Condition/hidden" not in {what.reference for what in answer.entry.what}
    assert (await clinic.ask("GET", "Condition?_id=hidden&patient=ada", who="physician")).json["total"] == 1


@on_sqlite
@pytest.mark.parametrize(("code", "bond"), HIDDEN)
async def test_a_denial_does_not_say_what_the_record_is_about(clinic: Clinic, code: str, bond: Json) -> None:
    await clinic.put(bond)
    await clinic.put(condition("hidden", code))
    for path in (
        "Condition/hidden",
        "Condition/hidden/_history/1",
        "Condition/hidden/_history",
        "Condition/hidden/$meta",
    ):
        denied = await clinic.ask("GET", path, who="emergency")
        assert denied.status == 403
        said = denied.said.lower()
        assert "policies: label)" in said
        assert not any(word in said for word in ("substance", "sensitive", "hiv", "opioid", code.lower()))
        assert denied.entry is not None
        assert denied.entry.policies[0].startswith("label.")


@on_sqlite
async def test_who_has_clearance_sees_it(clinic: Clinic) -> None:
    await clinic.put(condition("hidden", "F11.20"))
    await clinic.put(encounter())
    for who in ("physician", "ada", "engine"):
        assert (await clinic.ask("GET", "Condition/hidden", who=who)).status == 200
    assert (await clinic.ask("GET", "Condition/hidden", who="emergency")).status == 403
    assert (await clinic.ask("GET", "Condition/hidden", who="bob")).status == 403


@on_sqlite
async def test_a_corrected_record_does_not_hide_what_it_was(clinic: Clinic) -> None:
    """Nor does a version from before a rule show what the record is now: versions are judged by the rules of today."""
    await clinic.put(encounter())
    await clinic.put(condition("c", "F11.20"))
    await clinic.put(condition("c", "I10"))
    assert (await clinic.ask("GET", "Condition/c", who="emergency")).status == 200
    assert (await clinic.ask("GET", "Condition/c/_history/1", who="emergency")).status == 403
    history = (await clinic.ask("GET", "Condition/c/_history", who="emergency")).json
    assert [each["resource"]["meta"]["versionId"] for each in history["entry"]] == ["2"]


# ----------------------------------------------------------------------------------------- high-water mark, what leaves

BUNDLES = [
    "Condition?patient=ada",
    "Patient?_id=ada&_revinclude=Condition:patient",
    "Condition/_history",
    "Condition/hiv/_history",
    "Patient/ada/$everything",
    "Patient/ada/$summary",
]


@on_sqlite
async def test_every_bundle_bears_the_highest_of_its_entries(clinic: Clinic) -> None:
    await clinic.ask(
        "POST", "", bundle(condition("hiv", "B20"), condition("plain", "I10"), condition("opioid", "F11.2"))
    )
    for path in BUNDLES:
        told = (await clinic.ask("GET", path, who="physician")).json
        entries = [entry["resource"] for entry in told["entry"] if entry["resource"]["resourceType"] != "Composition"]
        expected = short({"meta": {"security": high_water_mark(entries)}})
        assert "R" in expected, path
        assert short(told) - {"RedisclosureProhibitionMark"} == expected, path
    read = {"request": {"method": "GET", "url": "Condition/hiv"}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [read]}
    assert short((await clinic.ask("POST", "", batch, who="physician")).json) == {"HIV", "R"}


@on_sqlite
async def test_a_summary_with_substance_use_bears_the_notice(clinic: Clinic) -> None:
    text = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
    await clinic.put(condition("hiv", "B20"))
    assert text not in (await clinic.ask("GET", "Patient/ada/$summary", who="ada")).body.decode()
    await clinic.put(condition("opioid", "F11.20"))
    told = (await clinic.ask("GET", "Patient/ada/$summary", who="ada")).json
    assert text in told["entry"][0]["resource"]["text"]["div"]
    for labelled in (told, told["entry"][0]["resource"]):
        assert {"NORDSCLCD", "RedisclosureProhibitionMark", "R"} <= short(labelled)
    await clinic.put(encounter())
    assert text not in (await clinic.ask("GET", "Patient/ada/$summary", who="emergency")).body.decode()


@on_sqlite
async def test_an_app_that_takes_substance_use_along_is_told(clinic: Clinic) -> None:
    text = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
    app = await connect(clinic, "ada", "patient/Condition.rs")
    await clinic.put(condition("hiv", "B20"))
    assert text not in (await clinic.ask("GET", "Condition", who=app)).body.decode()
    await clinic.put(condition("opioid", "F11.20"))
    told = (await clinic.ask("GET", "Condition", who=app)).json
    assert told["entry"][-1]["search"] == {"mode": "outcome"}
    assert told["entry"][-1]["resource"]["issue"][0]["diagnostics"].startswith(text)
    assert text not in (await clinic.ask("GET", "Condition", who="ada")).body.decode()

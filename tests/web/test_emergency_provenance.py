"""What is added in an emergency says so, in the record and in the ledger."""

from carekeep.fhir import validate
from tests.web.clinic import Clinic, on_sqlite
from tests.web.test_labels import EMERGENCY, condition, short


async def open_emergency(clinic: Clinic) -> None:
    reason = {"name": "reason", "valueString": "Unconscious in the street, no relatives"}
    body = {"resourceType": "Parameters", "parameter": [reason]}
    answer = await clinic.ask("POST", "Patient/bob/$break-glass", body, who="emergency", headers=EMERGENCY)
    assert answer.status in {200, 201}, answer.body


@on_sqlite
async def test_what_is_added_in_an_emergency_has_its_provenance(clinic: Clinic) -> None:
    await open_emergency(clinic)
    made = await clinic.ask("POST", "Condition", condition("x", "F11.20", "bob"), who="emergency", headers=EMERGENCY)
    assert made.status == 201, made.body
    reference = f"Condition/{made.json['id']}"
    (entry,) = (await clinic.ask("GET", f"Provenance?target={reference}")).json["entry"]
    told = entry["resource"]
    assert [issue for issue in validate(told) if issue.severity == "error"] == []
    assert told["target"] == [{"reference": f"{reference}/_history/1"}]
    assert told["agent"][0]["who"] == {"reference": "Practitioner/emergency"}
    assert told["reason"][0]["coding"][0]["code"] == "ETREAT"
    assert short(told) == short(made.json)
    assert made.entry is not None
    assert {what.reference for what in made.entry.what} == {reference, f"Provenance/{told['id']}"}
    seen = {who: (await clinic.ask("GET", f"Provenance/{told['id']}", who=who)).status for who in ("bob", "physician")}
    assert seen == {"bob": 200, "physician": 403}
    assert short((await clinic.put(told)).json) == short(made.json)  # whoever writes it again, it stays labelled


@on_sqlite
async def test_what_is_added_otherwise_has_none(clinic: Clinic) -> None:
    await clinic.ask("POST", "Condition", condition("x", "I10"), who="physician")
    assert (await clinic.ask("GET", "Provenance?_summary=count")).json["total"] == 0

"""Document Bundles and the references that they are made along."""

from uuid import UUID

from carekeep.fhir import validate
from carekeep.fhir.documents import Part, document_bundle, local_references
from tests.fhir.documents.charts import BASE, PATIENT, condition, labelled

COMPOSITION = {
    "resourceType": "Composition",
    "id": "letter",
    "status": "final",
    "type": {"text": "Letter"},
    "subject": {"reference": "Patient/ada"},
    "date": "2026-01-01",
    "author": [{"reference": "Practitioner/physician/_history/3"}],
    "title": "A letter",
    "section": [{"title": "One", "entry": [{"reference": "Condition/asthma"}, {"reference": "#inside"}]}],
    "relatesTo": [
        {"code": "replaces", "targetReference": {"reference": "https://elsewhere.example.org/Composition/1"}}
    ],
}


def test_a_document_is_valid_and_carries_the_highest_label() -> None:
    parts = [Part(f"{BASE}/Patient/ada", PATIENT), Part(f"{BASE}/Condition/a", labelled(condition("a"), "V"))]
    plain = {name: value for name, value in COMPOSITION.items() if name != "section"}
    bundle = document_bundle(
        Part(f"{BASE}/Composition/letter", plain), parts, identifier=UUID(int=1), timestamp="2026-01-01T00:00:00Z"
    )
    assert validate(bundle) == ()
    assert [label["code"] for label in bundle["meta"]["security"]] == ["V"]
    assert [entry["resource"]["resourceType"] for entry in bundle["entry"]] == ["Composition", "Patient", "Condition"]


def test_references_to_this_server_are_found_wherever_they_are() -> None:
    assert set(local_references(COMPOSITION)) == {"Patient/ada", "Practitioner/physician", "Condition/asthma"}


def test_types_that_do_not_exist_are_no_references() -> None:
    assert local_references({"x": {"reference": "Nothing/1"}, "y": [{"reference": 7}]}) == ()

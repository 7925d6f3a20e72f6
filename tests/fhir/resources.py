"""Valid resources that the tests of the room start from: made up, short, but with every kind of part."""

import copy
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

SYNTHEA = sorted((Path(__file__).parents[3] / "shared" / "data" / "synthea").glob("*.json"))

_DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>A <b>short</b> text&nbsp;here</p></div>'

_EXAMPLES: tuple[Json, ...] = (
    {
        "resourceType": "Patient",
        "id": "p1",
        "meta": {"lastUpdated": "2026-01-02T03:04:05.678+01:00", "security": [{"system": "urn:s", "code": "R"}]},
        "text": {"status": "generated", "div": _DIV},
        "extension": [{"url": "urn:example:note", "valueString": "text"}],
        "identifier": [{"system": "urn:oid:1.2.3", "value": "42", "period": {"start": "2020", "end": "2020-03"}}],
        "name": [
            {
                "family": "Example",
                "given": ["Anna", None],
                "_given": [None, {"id": "g2", "extension": [{"url": "urn:example:absent", "valueCode": "unknown"}]}],
            }
        ],
        "birthDate": "1970-02-28",
        "_birthDate": {"extension": [{"url": "urn:example:time", "valueDateTime": "1970-02-28T10:00:00Z"}]},
        "deceasedBoolean": False,
        "multipleBirthInteger": 2,
        "contact": [{"name": {"text": "A friend"}}],
        "link": [{"other": {"reference": "Patient/p2"}, "type": "seealso"}],
        "generalPractitioner": [{"reference": "Practitioner/d1/_history/3"}],
    },
    {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2024-02-29",
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6"}]},
                "valueQuantity": {
                    "value": 120,
                    "unit": "mmHg",
                    "system": "http://unitsofmeasure.org",
                    "code": "mm[Hg]",
                },
                "referenceRange": [{"high": {"value": 140.5}}],
            }
        ],
        "performer": [{"reference": "Practitioner/d1"}, {"reference": "Patient/p3"}],
    },
    {
        "resourceType": "Condition",
        "id": "c1",
        "contained": [{"resourceType": "Practitioner", "id": "d", "name": [{"text": "A doctor"}]}],
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "subject": {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
        "recorder": {"reference": "#d"},
        "asserter": {"reference": "https://example.org/fhir/Practitioner/9"},
    },
    {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"text": "a drug"},
        "subject": {"reference": "Patient/p1"},
        "dosageInstruction": [{"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}}],
    },
    {
        "resourceType": "Questionnaire",
        "id": "q1",
        "status": "draft",
        "item": [
            {
                "linkId": "1",
                "type": "group",
                "item": [{"linkId": "1.1", "type": "decimal", "initial": [{"valueDecimal": 1.5}]}],
            }
        ],
    },
    {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 1,
        "entry": [{"resource": {"resourceType": "Basic", "code": {"text": "x"}}, "search": {"mode": "match"}}],
    },
    {
        "resourceType": "Parameters",
        "parameter": [{"name": "n", "resource": {"resourceType": "Patient", "active": True}}],
    },
)


def examples() -> list[Json]:
    """Fresh copies of all examples."""
    return copy.deepcopy(list(_EXAMPLES))


def example(kind: str) -> Json:
    """A fresh copy of the example of a type."""
    return copy.deepcopy(next(one for one in _EXAMPLES if one["resourceType"] == kind))


def synthea_resources(file: Path) -> list[Json]:
    """The resources of a Synthea Bundle."""
    return [entry["resource"] for entry in json.loads(file.read_bytes())["entry"]]

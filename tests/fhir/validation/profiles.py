"""Small profiles, made up, with every kind of part that is checked."""

from typing import Any

from carekeep.fhir.validation.profiles import Library, Profile

Json = dict[str, Any]
BASE = "https://example.org/StructureDefinition/"
CORE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM = "https://example.org/CodeSystem/panel"


def profile(name: str, type_: str, *elements: Json, base: str = "", snapshot: bool = True) -> Json:
    """A StructureDefinition; its root element is added."""
    root = {"id": type_, "path": type_}
    told = [root, *({"path": each["id"].replace(":", "_"), **each} for each in elements)]
    return {
        "resourceType": "StructureDefinition",
        "url": BASE + name,
        "name": name,
        "status": "active",
        "kind": "complex-type" if type_ == "Extension" else "resource",
        "abstract": False,
        "type": type_,
        "baseDefinition": base or CORE + type_,
        "derivation": "constraint",
        "snapshot" if snapshot else "differential": {"element": told},
    }


def by(kind: str, path: str, rules: str = "open") -> Json:
    """A slicing."""
    return {"discriminator": [{"type": kind, "path": path}], "rules": rules}


PRESSURE = profile(
    "pressure",
    "Observation",
    {"id": "Observation.status", "binding": {"strength": "required", "valueSet": "https://example.org/ValueSet/done"}},
    {
        "id": "Observation.category",
        "min": 1,
        "max": "1",
        "patternCodeableConcept": {"coding": [{"code": "vital-signs"}]},
    },
    {"id": "Observation.code.coding.system", "min": 1, "fixedUri": SYSTEM},
    {"id": "Observation.subject", "min": 1, "type": [{"code": "Reference", "targetProfile": [CORE + "Patient"]}]},
    {"id": "Observation.effective[x]", "min": 1, "type": [{"code": "dateTime"}, {"code": "Period"}]},
    {"id": "Observation.value[x]", "max": "0"},
    {"id": "Observation.note", "max": "1"},
    {"id": "Observation.note.text", "maxLength": 20},
    {"id": "Observation.component", "slicing": by("value", "code", "closed"), "min": 1},
    {"id": "Observation.component:systolic", "sliceName": "systolic", "min": 1, "max": "1"},
    {
        "id": "Observation.component:systolic.code",
        "patternCodeableConcept": {"coding": [{"system": SYSTEM, "code": "sys"}]},
    },
    {"id": "Observation.component:systolic.value[x]", "min": 1, "type": [{"code": "Quantity"}]},
    {"id": "Observation.component:systolic.value[x].unit", "min": 1, "fixedString": "mmHg"},
    {"id": "Observation.component:diastolic", "sliceName": "diastolic", "min": 0, "max": "1"},
    {
        "id": "Observation.component:diastolic.code",
        "patternCodeableConcept": {"coding": [{"system": SYSTEM, "code": "dia"}]},
    },
    {
        "id": "Observation.component.value[x]",
        "constraint": [
            {
                "key": "p-1",
                "severity": "error",
                "human": "Must be above zero",
                "expression": "($this as Quantity).value > 0",
            },
            {
                "key": "p-2",
                "severity": "warning",
                "human": "Is rarely that high",
                "expression": "($this as Quantity).value < 300",
            },
            {"key": "p-3", "severity": "error", "human": "Needs terminology", "expression": "code.memberOf('urn:x')"},
        ],
    },
    {"id": "Observation.extension", "slicing": by("value", "url")},
    {
        "id": "Observation.extension:position",
        "sliceName": "position",
        "max": "1",
        "type": [{"code": "Extension", "profile": [BASE + "position"]}],
    },
)
POSITION = profile(
    "position",
    "Extension",
    {"id": "Extension.url", "fixedUri": BASE + "position"},
    {"id": "Extension.value[x]", "min": 1, "type": [{"code": "code"}]},
)
DONE = {
    "resourceType": "ValueSet",
    "url": "https://example.org/ValueSet/done",
    "status": "active",
    "compose": {
        "include": [
            {"system": "http://hl7.org/fhir/observation-status", "concept": [{"code": "final"}, {"code": "amended"}]}
        ]
    },
}
DEFINITIONS = (PRESSURE, POSITION, DONE)


def pressure() -> Json:
    """An Observation that follows the profile."""
    return {
        "resourceType": "Observation",
        "extension": [{"url": BASE + "position", "valueCode": "sitting"}],
        "status": "final",
        "category": [{"coding": [{"system": "urn:c", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": SYSTEM, "code": "panel"}]},
        "subject": {"reference": "Patient/ada"},
        "effectiveDateTime": "2026-03-01T08:00:00Z",
        "component": [_component("sys", 120), _component("dia", 80)],
    }


def _component(code: str, value: int) -> Json:
    return {"code": {"coding": [{"system": SYSTEM, "code": code}]}, "valueQuantity": {"value": value, "unit": "mmHg"}}


def library(*definitions: Json) -> Library:
    """A library of these."""
    return Library({(each["resourceType"], each["url"]): each for each in definitions})


def compiled(definition: Json, *others: Json) -> tuple[Profile, Library]:
    """A profile that can be used, and where it is from."""
    shelf = library(definition, *others)
    found = shelf.profile(definition["url"])
    assert isinstance(found, Profile), found
    return found, shelf

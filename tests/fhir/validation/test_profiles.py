"""Profiles: one change makes a resource break its profile, and the issue says where. What cannot be checked is told."""

from collections.abc import Callable
from typing import Any

import pytest

from carekeep.fhir import validate
from carekeep.fhir.validation.profiles import ProfileRefused, conformance
from tests.fhir.validation.profiles import (
    BASE,
    CORE,
    DEFINITIONS,
    PRESSURE,
    Json,
    by,
    compiled,
    library,
    pressure,
    profile,
)

Edit = Callable[[Json], Any]


def put(*path: str | int) -> Callable[[Any], Edit]:
    """``put("code", "text")(value)`` is the edit that sets it."""

    def to(value: Any) -> Edit:
        def edit(resource: Json) -> None:
            at: Any = resource
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = value

        return edit

    return to


def drop(*path: str | int) -> Edit:
    def edit(resource: Json) -> None:
        at: Any = resource
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return edit


def broken(resource: Json, definition: Json = PRESSURE, *others: Json) -> list[tuple[str, str, str]]:
    found, shelf = compiled(definition, *(others or DEFINITIONS))
    issues = conformance(resource, found, shelf)
    return [(i.severity, i.code, i.expression) for i in issues if i.severity != "information"]


def test_what_follows_the_profile_has_no_issue() -> None:
    assert broken(pressure()) == []


COMPONENT = {"code": {"text": "other"}, "valueQuantity": {"value": 1, "unit": "mmHg"}}
CASES: list[tuple[str, Edit, str, str]] = [
    ("a required code", put("status")("preliminary"), "code-invalid", "Observation.status"),
    ("a minimum", drop("category"), "required", "Observation.category"),
    ("a maximum", put("category")([{"coding": [{"code": "vital-signs"}]}] * 2), "structure", "Observation.category"),
    ("a pattern", put("category", 0)({"coding": [{"code": "exam"}]}), "value", "Observation.category[0]"),
    ("a fixed value", put("code", "coding", 0, "system")("urn:x"), "value", "Observation.code.coding[0].system"),
    ("a minimum inside", drop("code", "coding", 0, "system"), "required", "Observation.code.coding[0].system"),
    ("a target", put("subject", "reference")("Group/1"), "value", "Observation.subject"),
    ("a missing choice", drop("effectiveDateTime"), "required", "Observation.effective"),
    ("what must not be there", put("valueString")("x"), "structure", "Observation.value"),
    ("a length", put("note")([{"text": "x" * 21}]), "too-long", "Observation.note[0].text"),
    ("a slice that must be there", drop("component", 0), "required", "Observation.component"),
    ("a slice twice", put("component", 1, "code", "coding", 0, "code")("sys"), "structure", "Observation.component"),
    ("no slice where it is closed", put("component", 1)(COMPONENT), "structure", "Observation.component[1]"),
    (
        "an element of a slice",
        put("component", 0, "valueQuantity", "unit")("kPa"),
        "value",
        "Observation.component[0].value.ofType(Quantity).unit",
    ),
    (
        "a missing element of a slice",
        drop("component", 0, "valueQuantity"),
        "required",
        "Observation.component[0].value",
    ),
    (
        "a constraint",
        put("component", 1, "valueQuantity", "value")(-1),
        "invariant",
        "Observation.component[1].value.ofType(Quantity)",
    ),
    (
        "a profile of an extension",
        put("extension", 0)({"url": BASE + "position", "valueString": "sitting"}),
        "structure",
        "Observation.extension[0].value.ofType(string)",
    ),
]


@pytest.mark.parametrize(("edit", "code", "place"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_breach_is_found_where_it_is(edit: Edit, code: str, place: str) -> None:
    resource = pressure()
    edit(resource)
    assert not [issue for issue in validate(resource) if issue.severity == "error"]  # the base standard has no word
    assert ("error", code, place) in broken(resource)


def test_another_type_of_a_choice_is_found() -> None:
    resource = pressure()
    resource["effectiveInstant"] = "2026-03-01T08:00:00Z"
    del resource["effectiveDateTime"]
    assert broken(resource) == [("error", "structure", "Observation.effective.ofType(instant)")]


def test_a_constraint_that_warns_is_no_error() -> None:
    resource = pressure()
    resource["component"][0]["valueQuantity"]["value"] = 400
    assert broken(resource) == [("warning", "invariant", "Observation.component[0].value.ofType(Quantity)")]


def test_lenient_makes_warnings() -> None:
    resource = pressure()
    resource["status"] = "preliminary"
    found, shelf = compiled(PRESSURE, *DEFINITIONS)
    severities = {issue.severity for issue in conformance(resource, found, shelf, lenient=True)}
    assert severities == {"warning", "information"}


def test_issues_tell_no_value() -> None:
    resource = pressure()
    resource["category"] = [{"coding": [{"code": "marked-value"}]}]
    resource["subject"]["reference"] = "Group/marked-value"
    found, shelf = compiled(PRESSURE, *DEFINITIONS)
    assert "marked" not in str(conformance(resource, found, shelf))


def test_a_resource_of_another_type_breaks_it() -> None:
    assert broken({"resourceType": "Patient"}) == [("error", "structure", "Patient")]


def test_what_is_not_evaluated_is_told() -> None:
    found, shelf = compiled(PRESSURE)  # without its value set
    told = [i.diagnostics for i in conformance(pressure(), found, shelf) if i.severity == "information"]
    assert len(told) == 2
    assert "https://example.org/ValueSet/done" in told[0]
    assert "p-3" in told[1]


SLICINGS: list[tuple[str, Json, Json, Json]] = [
    # what it is told apart by, an element of the slice, an item that is in it, one that is not
    ("exists", {"id": "{}.period", "min": 1}, {"period": {"start": "2020"}}, {"value": "x"}),
    ("absent", {"id": "{}.period", "max": "0"}, {"value": "x"}, {"period": {"start": "2020"}}),
    ("value", {"id": "{}.type.coding.code", "fixedCode": "MR"}, {"type": {"coding": [{"code": "MR"}]}}, {"value": "x"}),
    (
        "pattern",
        {"id": "{}.type", "patternCodeableConcept": {"coding": [{"code": "MR"}]}},
        {"type": {"coding": [{"code": "x"}, {"code": "MR"}]}},
        {"type": {"coding": [{"code": "x"}]}},
    ),
    (
        "type",
        {"id": "{}.assigner", "type": [{"code": "Reference", "targetProfile": [CORE + "Organization"]}]},
        {"assigner": {"reference": "Organization/1"}},
        {"assigner": {"reference": "Organization"}},
    ),
]
PATHS = {
    "exists": ("exists", "period"),
    "absent": ("exists", "period"),
    "value": ("value", "type.coding.code"),
    "pattern": ("value", "type"),
    "type": ("type", "assigner.resolve()"),
}


@pytest.mark.parametrize(("name", "element", "inside", "outside"), SLICINGS, ids=[case[0] for case in SLICINGS])
def test_a_slice_takes_what_belongs_to_it(name: str, element: Json, inside: Json, outside: Json) -> None:
    slice_ = "Patient.identifier:mine"
    definition = profile(
        "sliced",
        "Patient",
        {"id": "Patient.identifier", "slicing": by(*PATHS[name])},
        {"id": slice_, "sliceName": "mine", "min": 1, "max": "1"},
        element | {"id": element["id"].format(slice_)},
    )
    assert broken({"resourceType": "Patient", "identifier": [outside, inside]}, definition) == []
    assert broken({"resourceType": "Patient", "identifier": [outside]}, definition) == [
        ("error", "required", "Patient.identifier")
    ]
    assert broken({"resourceType": "Patient", "identifier": [inside, inside]}, definition) == [
        ("error", "structure", "Patient.identifier")
    ]


def test_a_choice_is_sliced_by_its_type() -> None:
    definition = profile(
        "choice",
        "Observation",
        {"id": "Observation.value[x]", "slicing": by("type", "$this")},
        {"id": "Observation.value[x]:valueQuantity", "sliceName": "valueQuantity", "type": [{"code": "Quantity"}]},
        {"id": "Observation.value[x]:valueQuantity.code", "min": 1},
    )
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert broken({**observation, "valueString": "x"}, definition) == []
    assert broken({**observation, "valueQuantity": {"value": 1}}, definition) == [
        ("error", "required", "Observation.value.ofType(Quantity).code")
    ]


def test_the_short_name_of_a_choice_is_understood() -> None:
    definition = profile(
        "short",
        "Observation",
        {"id": "Observation.valueQuantity", "min": 1},
        {"id": "Observation.valueQuantity.code", "min": 1},
    )
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert broken({**observation, "valueQuantity": {"value": 1, "code": "x"}}, definition) == []
    assert len(broken({**observation, "valueQuantity": {"value": 1}}, definition)) == 1
    assert len(broken({**observation, "valueString": "x"}, definition)) == 1


def test_slices_that_cannot_be_told_apart_are_left_out() -> None:
    definition = profile(
        "vague",
        "Patient",
        {"id": "Patient.identifier", "slicing": by("value", "resolve().x", "closed")},
        {"id": "Patient.identifier:mine", "sliceName": "mine", "min": 1},
    )
    found, shelf = compiled(definition)
    assert broken({"resourceType": "Patient"}, definition) == []
    assert "Patient.identifier" in conformance({"resourceType": "Patient"}, found, shelf)[0].diagnostics


def test_a_differential_holds_together_with_its_base() -> None:
    named = profile("named", "Patient", {"id": "Patient.name", "min": 1}, snapshot=False)
    born = profile("born", "Patient", {"id": "Patient.birthDate", "min": 1}, base=BASE + "named", snapshot=False)
    places = [place for _, _, place in broken({"resourceType": "Patient"}, born, named)]
    assert places == ["Patient.name", "Patient.birthDate"]


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (profile("p", "Patient", base=BASE + "unknown", snapshot=False), "not loaded"),
        (profile("p", "Patient", base=BASE + "p", snapshot=False), "based on itself"),
        (profile("p", "Patien"), "no type"),
        (profile("p", "Patient", {"id": "Patient.nickname", "min": 1}), "no element of R4"),
        (profile("p", "Patient") | {"derivation": "specialization"}, "constrains neither"),
        (profile("p", "Patient") | {"kind": "logical"}, "constrains neither"),
        (profile("p", "Patient", {"id": "Observation.code"}), "no id"),
        (profile("p", "Patient", {"id": "Patient.a-b"}), "not a path"),
        (profile("p", "Patient", {"id": "Patient" + ".extension" * 30}), "too deeply"),
        (profile("p", "Patient", *({"id": "Patient.name"},) * 5001), "more than"),
    ],
)
def test_a_definition_that_cannot_be_used_says_why(definition: Json, why: str) -> None:
    found = library(definition).profile(definition["url"])
    assert isinstance(found, ProfileRefused)
    assert why in str(found)


def test_profiles_that_name_each_other_come_to_an_end() -> None:
    """Two profiles that each ask for either of the two would take forever to try."""
    pair = [f"{BASE}a", f"{BASE}b"]
    type_ = [{"code": "Extension", "profile": pair}]
    definitions = [
        profile(name, "Extension", {"id": "Extension.extension", "type": type_}, {"id": "Extension.url", "min": 1})
        for name in ("a", "b")
    ]
    for definition in definitions:
        definition["snapshot"]["element"][0]["type"] = type_
    holder = profile("holder", "Patient", {"id": "Patient.extension", "type": type_})
    patient = {"resourceType": "Patient", "extension": [{"url": "urn:x", "valueString": "x"}]}
    found, shelf = compiled(holder, *definitions)
    assert {issue.code for issue in conformance(patient, found, shelf)} <= {"too-costly"}

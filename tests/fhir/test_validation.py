"""Validation, one rule at a time: one change makes an example invalid, and the issue says where and what."""

from collections.abc import Callable
from typing import Any

import pytest

from carekeep.fhir import operation_outcome, validate
from carekeep.fhir.validation import MAX_ISSUES
from tests.fhir.resources import Json, example, examples

Edit = Callable[[Json], Any]


def put(*path: str | int) -> Callable[[Any], Edit]:
    """``put("name", 0, "family")(value)`` is the edit that sets it."""

    def to(value: Any) -> Edit:
        def edit(resource: Json) -> None:
            at: Any = resource
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = value

        return edit

    return to


def drop(name: str) -> Edit:
    return lambda resource: resource.pop(name)


def merge(**elements: Any) -> Edit:
    return lambda resource: resource.update(elements)


@pytest.mark.parametrize("resource", examples(), ids=lambda resource: resource["resourceType"])
def test_examples_are_valid(resource: Json) -> None:
    assert validate(resource) == ()


CASES: list[tuple[str, Edit, str, str]] = [
    # the resource, and elements that are not there
    ("Patient", drop("resourceType"), "required", "Resource.resourceType"),
    ("Patient", merge(resourceType="Patien"), "structure", "Resource.resourceType"),
    ("Patient", merge(resourceType="DomainResource"), "structure", "Resource.resourceType"),
    ("Patient", merge(resourceType=["Patient"]), "structure", "Resource.resourceType"),
    ("Patient", merge(nickname="x"), "structure", "Patient.nickname"),
    ("Patient", merge(_name=[{"id": "x"}]), "structure", "Patient._name"),
    ("Patient", merge(_id={"id": "x"}), "structure", "Patient._id"),
    ("Patient", put("name", 0, "middle")("x"), "structure", "Patient.name[0].middle"),
    ("Patient", merge(**{"J. Doe": 1}), "structure", "Patient"),
    # types and cardinalities
    ("Patient", merge(active="true"), "structure", "Patient.active"),
    ("Patient", merge(active=1), "structure", "Patient.active"),
    ("Patient", merge(active=None), "structure", "Patient.active"),
    ("Patient", merge(active=[True]), "structure", "Patient.active"),
    ("Patient", merge(name={"text": "x"}), "structure", "Patient.name"),
    ("Patient", merge(name=[]), "structure", "Patient.name"),
    ("Patient", merge(name=[{}]), "invariant", "Patient.name[0]"),
    ("Patient", merge(name=[None]), "structure", "Patient.name[0]"),
    ("Patient", merge(name=[{"id": "x"}]), "invariant", "Patient.name[0]"),
    ("Patient", merge(maritalStatus=[{"text": "x"}]), "structure", "Patient.maritalStatus"),
    ("Patient", merge(multipleBirthInteger=True), "structure", "Patient.multipleBirth.ofType(integer)"),
    ("Patient", merge(multipleBirthInteger=1.5), "structure", "Patient.multipleBirth.ofType(integer)"),
    ("Patient", merge(multipleBirthInteger=2**31), "value", "Patient.multipleBirth.ofType(integer)"),
    ("Observation", drop("status"), "required", "Observation.status"),
    ("Observation", drop("code"), "required", "Observation.code"),
    ("Observation", put("component", 0, "code")({}), "invariant", "Observation.component[0].code"),
    ("MedicationRequest", drop("medicationCodeableConcept"), "required", "MedicationRequest.medication"),
    ("Questionnaire", put("item", 0, "item", 0)({"type": "group"}), "required", "Questionnaire.item[0].item[0].linkId"),
    # formats
    ("Patient", merge(id="a_b"), "value", "Patient.id"),
    ("Patient", merge(birthDate="2023-02-30"), "value", "Patient.birthDate"),
    ("Patient", merge(birthDate="0000"), "value", "Patient.birthDate"),
    ("Patient", merge(birthDate=""), "value", "Patient.birthDate"),
    ("Patient", put("name", 0, "given")(["", "b"]), "value", "Patient.name[0].given[0]"),
    ("Patient", put("name", 0, "family")("a\x00b"), "value", "Patient.name[0].family"),
    ("Patient", put("meta", "lastUpdated")("2026-01-02"), "value", "Patient.meta.lastUpdated"),
    ("Patient", put("text", "div")("<script>x</script>"), "value", "Patient.text.div"),
    # choices
    ("Patient", merge(deceasedDateTime="2020"), "structure", "Patient.deceased"),
    ("Patient", merge(_deceasedDateTime={"id": "x"}), "structure", "Patient.deceased"),
    ("Observation", merge(valueString="x", valueInteger=1), "structure", "Observation.value"),
    ("Observation", merge(valueMoney={"value": 1}), "structure", "Observation.valueMoney"),
    # primitives and their other halves
    ("Patient", put("name", 0, "_given")([None]), "structure", "Patient.name[0].given"),
    ("Patient", put("name", 0, "_given")([{"id": "x"}, None]), "structure", "Patient.name[0].given[1]"),
    ("Patient", put("name", 0, "_given")("x"), "structure", "Patient.name[0].given"),
    ("Patient", merge(_birthDate={}), "invariant", "Patient.birthDate"),
    ("Patient", merge(_birthDate={"value": 1}), "structure", "Patient.birthDate.value"),
    ("Patient", merge(_birthDate=None), "structure", "Patient.birthDate"),
    # codes
    ("Patient", merge(gender="man"), "code-invalid", "Patient.gender"),
    ("Patient", merge(gender=1), "structure", "Patient.gender"),
    ("Patient", put("text", "status")("new"), "code-invalid", "Patient.text.status"),
    ("Condition", merge(clinicalStatus={"text": "active"}), "code-invalid", "Condition.clinicalStatus"),
    (
        "Condition",
        merge(clinicalStatus={"coding": [{"system": "urn:x", "code": "active"}]}),
        "code-invalid",
        "Condition.clinicalStatus",
    ),
    # references
    ("Observation", merge(subject={"reference": "Patient"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Patien/1"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Medication/1"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Patient/a b"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Patient/1/2"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "/Patient/1"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Patient/" + "x" * 65}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "Patient?name=x"}), "value", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "urn:uuid:1"}), "value", "Observation.subject.reference"),
    (
        "Observation",
        merge(subject={"reference": "http://x.org/Medication/1"}),
        "value",
        "Observation.subject.reference",
    ),
    ("Observation", merge(subject={"reference": 5}), "structure", "Observation.subject.reference"),
    ("Observation", merge(subject={"reference": "#p"}), "invariant", "Observation.subject.reference"),
    ("Condition", merge(recorder={"reference": "#x"}), "invariant", "Condition.recorder.reference"),
    ("Condition", merge(encounter={"reference": "#d"}), "value", "Condition.encounter.reference"),
    # contained resources
    ("Condition", merge(recorder={"display": "x"}), "invariant", "Condition.contained[0]"),
    (
        "Condition",
        put("contained", 0, "contained")([{"resourceType": "Basic", "id": "b", "code": {"text": "x"}}]),
        "invariant",
        "Condition.contained[0].contained",
    ),
    ("Condition", put("contained", 0, "meta")({"versionId": "1"}), "invariant", "Condition.contained[0].meta"),
    (
        "Condition",
        put("contained", 0, "meta")({"security": [{"code": "R"}]}),
        "invariant",
        "Condition.contained[0].meta",
    ),
    ("Condition", put("contained", 0, "active")("x"), "structure", "Condition.contained[0].active"),
    ("Condition", put("contained", 0)({"id": "d"}), "required", "Condition.contained[0].resourceType"),
    (
        "Condition",
        put("contained", 0)({"resourceType": "Practitioner", "active": True}),
        "structure",
        "Condition.contained",
    ),
    ("Condition", put("contained", 0)("x"), "structure", "Condition.contained[0]"),
    # nested resources
    ("Bundle", put("entry", 0, "resource")({"resourceType": "Basic"}), "required", "Bundle.entry[0].resource.code"),
    ("Bundle", put("entry", 0, "resource")({"x": 1}), "required", "Bundle.entry[0].resource.resourceType"),
    (
        "Parameters",
        put("parameter", 0, "resource", "active")("x"),
        "structure",
        "Parameters.parameter[0].resource.active",
    ),
    # invariants
    ("Patient", put("extension", 0)({"url": "urn:x"}), "invariant", "Patient.extension[0]"),
    (
        "Patient",
        put("extension", 0, "extension")([{"url": "urn:y", "valueCode": "x"}]),
        "invariant",
        "Patient.extension[0]",
    ),
    ("Patient", put("extension", 0)({"valueCode": "x"}), "required", "Patient.extension[0].url"),
    ("Patient", put("identifier", 0, "period", "end")("2019-12-31"), "invariant", "Patient.identifier[0].period"),
    ("Patient", merge(contact=[{"gender": "male"}]), "invariant", "Patient.contact[0]"),
    ("Patient", merge(telecom=[{"value": "1"}]), "invariant", "Patient.telecom[0]"),
    ("Patient", merge(photo=[{"data": "YQ=="}]), "invariant", "Patient.photo[0]"),
    ("Observation", merge(valueString="x", dataAbsentReason={"text": "x"}), "invariant", "Observation"),
    (
        "Observation",
        merge(valueString="x", code={"coding": [{"system": "http://loinc.org", "code": "8480-6"}]}),
        "invariant",
        "Observation",
    ),
    (
        "Observation",
        put("component", 0, "referenceRange")([{"age": {"low": {"value": 1}}}]),
        "invariant",
        "Observation.component[0].referenceRange[0]",
    ),
    (
        "Observation",
        put("component", 0, "valueQuantity")({"code": "mg"}),
        "invariant",
        "Observation.component[0].value.ofType(Quantity)",
    ),
    (
        "Observation",
        merge(valueRange={"low": {"value": 5}, "high": {"value": 4}}),
        "invariant",
        "Observation.value.ofType(Range)",
    ),
    ("Observation", merge(valueRatio={"numerator": {"value": 5}}), "invariant", "Observation.value.ofType(Ratio)"),
    ("Condition", merge(abatementString="x"), "invariant", "Condition"),
    (
        "MedicationRequest",
        put("dosageInstruction", 0, "timing", "repeat")({"period": 1}),
        "invariant",
        "MedicationRequest.dosageInstruction[0].timing.repeat",
    ),
    ("Bundle", merge(type="collection"), "invariant", "Bundle"),
    ("Bundle", put("entry", 0, "request")({"method": "GET", "url": "x"}), "invariant", "Bundle"),
    ("Bundle", put("entry", 0)({"fullUrl": "urn:x"}), "invariant", "Bundle.entry[0]"),
    ("Parameters", put("parameter", 0, "valueString")("x"), "invariant", "Parameters.parameter[0]"),
]


@pytest.mark.parametrize(
    ("kind", "edit", "code", "where"), [pytest.param(*case, id=f"{n}-{case[3]}") for n, case in enumerate(CASES)]
)
def test_one_change_is_found(kind: str, edit: Edit, code: str, where: str) -> None:
    resource = example(kind)
    edit(resource)
    assert (code, where) in [(issue.code, issue.expression) for issue in validate(resource)]


STILL_VALID: list[tuple[str, Edit]] = [
    ("Patient", merge(birthDate="1970", deceasedBoolean=True)),
    ("Patient", lambda resource: (resource.pop("birthDate"), resource.pop("deceasedBoolean"))),
    ("Patient", put("name", 0)({"given": ["a", "b"]})),
    (
        "Observation",
        lambda resource: (
            resource.pop("status"),
            resource.update(_status={"extension": [{"url": "urn:example:absent", "valueCode": "unknown"}]}),
        ),
    ),
    ("Observation", merge(valueQuantity={"value": 1})),
    ("Observation", merge(valueQuantity={"value": 1.5})),
    ("Observation", merge(subject={"display": "somebody"})),
    ("Observation", merge(subject={"reference": "http://example.org/anything?at=all#x"})),
    ("Observation", merge(valuePeriod={"start": "2020-01-01", "end": "2020-01-01T00:00:00+14:00"})),
    ("Observation", merge(valuePeriod={"start": "2020-06-01T10:00:00+02:00", "end": "2020-06-01T08:00:00Z"})),
    (
        "Condition",
        merge(
            subject={"reference": "Patient/1"},
            abatementString="x",
            clinicalStatus={
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]
            },
        ),
    ),
    (
        "Condition",
        lambda resource: (
            resource.pop("recorder"),
            resource["contained"].__setitem__(
                0,
                {
                    "resourceType": "Provenance",
                    "id": "d",
                    "target": [{"reference": "#"}],
                    "recorded": "2026-01-01T00:00:00Z",
                    "agent": [{"who": {"display": "x"}}],
                },
            ),
        ),
    ),
]


@pytest.mark.parametrize(
    ("kind", "edit"), [pytest.param(*case, id=f"{n}-{case[0]}") for n, case in enumerate(STILL_VALID)]
)
def test_what_fhir_allows_stays_allowed(kind: str, edit: Edit) -> None:
    resource = example(kind)
    edit(resource)
    assert validate(resource) == ()


def test_a_full_report_ends_the_walk() -> None:
    patient = {"resourceType": "Patient", **{f"unknown{n}": n for n in range(1000)}}
    assert len(validate(patient)) == MAX_ISSUES


def test_deep_extensions_are_an_issue() -> None:
    resource: Json = {"url": "urn:x", "valueCode": "x"}
    for _ in range(5_000):
        resource = {"url": "urn:x", "extension": [resource]}
    issues = validate({"resourceType": "Patient", "extension": [resource]})
    assert [(issue.severity, issue.code) for issue in issues] == [("fatal", "structure")]


def test_words_tell_nothing_of_the_values() -> None:
    told = "Very-Private_2"
    patient = {
        "resourceType": "Patient",
        "id": told,
        "birthDate": told,
        "gender": told,
        "active": told,
        "name": told,
        "link": [{"type": told, "other": {"reference": told}}],
    }
    issues = validate(patient)
    assert len(issues) == 7
    assert told not in repr(issues)
    assert "14 characters" in repr(issues)


def test_issues_become_a_valid_outcome() -> None:
    outcome = operation_outcome(validate({"resourceType": "Patient", "active": "x"}))
    assert outcome["issue"][0]["expression"] == ["Patient.active"]
    assert validate(outcome) == ()
    with pytest.raises(ValueError, match="needs an issue"):
        operation_outcome([])

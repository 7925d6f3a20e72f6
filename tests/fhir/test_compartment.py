"""Whose record a resource is."""

from pathlib import Path

import pytest

from carekeep.fhir import RESOURCE_TYPES, labels_of, patient_compartment, patients_of
from carekeep.fhir.definitions import type_facts
from tests.fhir.resources import SYNTHEA, Json, example, examples, synthea_resources


def test_a_patient_is_in_their_own_compartment_first() -> None:
    assert patients_of(example("Patient")) == ("p1", "p2")
    assert patients_of({"resourceType": "Patient"}) == ()


def test_parameters_in_their_order_and_each_patient_once() -> None:
    observation = example("Observation")
    assert patients_of(observation) == ("p1", "p3")
    observation["performer"].append({"reference": "Patient/p1"})
    assert patients_of(observation) == ("p1", "p3")


@pytest.mark.parametrize(
    ("subject", "patients"),
    [
        ({"reference": "Patient/a"}, ("a",)),
        ({"reference": "Patient/a/_history/2"}, ("a",)),
        ({"reference": "Group/a"}, ()),
        ({"reference": "Patient/"}, ()),
        ({"reference": "#Patient/a"}, ()),
        ({"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, ()),
        ({"reference": "https://elsewhere.example/fhir/Patient/a"}, ()),
        ({"identifier": {"value": "a"}}, ()),
    ],
)
def test_only_literal_references_on_this_server_count(subject: Json, patients: tuple[str, ...]) -> None:
    assert patients_of({"resourceType": "Condition", "subject": subject}) == patients


def test_lists_on_the_way() -> None:
    event = {
        "resourceType": "AuditEvent",
        "agent": [{"requestor": True}, {"who": {"reference": "Patient/a"}}],
        "entity": [{"what": {"reference": "Patient/b"}}, {"what": {"reference": "Observation/c"}}],
    }
    assert patients_of(event) == ("a", "b")


def test_types_outside_of_the_compartment() -> None:
    assert patients_of({"resourceType": "Medication", "manufacturer": {"reference": "Patient/a"}}) == ()
    assert patients_of({"resourceType": "Practitioner", "id": "a"}) == ()


@pytest.mark.parametrize("kind", sorted(kind for kind in RESOURCE_TYPES if patient_compartment(kind)))
def test_each_path_leads_to_a_reference_to_patients(kind: str) -> None:
    elements = {element.path.removesuffix("[x]"): element for element in type_facts(kind).elements}
    for parameter in patient_compartment(kind):
        for path in parameter.paths:
            types = elements[".".join(path)].types
            assert any(
                t.name == "Reference" and {"Patient", "Resource"} & set(t.targets or ["Resource"]) for t in types
            )


def test_labels() -> None:
    assert labels_of(example("Patient")) == ("urn:s|R",)
    assert labels_of(example("Observation")) == ()
    assert labels_of({"resourceType": "Basic", "meta": {"security": [{"code": "V"}]}}) == ("|V",)


def test_examples_are_not_changed() -> None:
    for resource in examples():
        before = repr(resource)
        patients_of(resource)
        assert repr(resource) == before


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda file: file.stem)
def test_synthea_patients(file: Path) -> None:
    patients = [resource for resource in synthea_resources(file) if resource["resourceType"] == "Patient"]
    assert [patients_of(patient) for patient in patients] == [(patient["id"],) for patient in patients]


@pytest.mark.parametrize(
    ("resource", "patients"),
    [
        ({"resourceType": "Device", "patient": {"reference": "Patient/p1"}}, ("p1",)),
        ({"resourceType": "Device"}, ()),
        ({"resourceType": "GuidanceResponse", "subject": {"reference": "Patient/p2"}}, ("p2",)),
        (
            {"resourceType": "BiologicallyDerivedProduct", "collection": {"source": {"reference": "Patient/p3"}}},
            ("p3",),
        ),
    ],
)
def test_what_names_its_patient_beside_the_compartment_is_theirs(resource: Json, patients: tuple[str, ...]) -> None:
    assert patients_of(resource) == patients

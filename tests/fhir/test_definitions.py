"""The facts about R4: right in known places, and what the script makes of the definitions."""

import gzip
import os
from importlib.resources import files
from pathlib import Path

import pytest

from carekeep.fhir.definitions import (
    DATATYPES,
    PRIMITIVES,
    RESOURCE_TYPES,
    Element,
    patient_compartment,
    type_facts,
    value_set,
)
from scripts.definitions.structure import build
from scripts.definitions.table import table_bytes

# Where the npm package with HL7's definitions is unpacked, on machines that have it.
PACKAGES = [Path(folder) for folder in [os.environ.get("FHIR_DEFINITIONS_PACKAGE")] if folder]


def element(kind: str, path: str) -> Element:
    return next(e for e in type_facts(kind).elements if e.path == path)


def test_r4_has_146_resource_types_and_20_primitives() -> None:
    assert len(RESOURCE_TYPES) == 146
    assert len(PRIMITIVES) == 20
    assert {"Patient", "Bundle", "Parameters"} < RESOURCE_TYPES
    assert not RESOURCE_TYPES & {"Resource", "DomainResource", "SubscriptionStatus"}
    assert "Period" in DATATYPES


def test_element_facts() -> None:
    status = element("Observation", "status")
    assert (status.minimum, status.maximum, status.modifier, status.summary) == (1, 1, True, True)
    assert "final" in (value_set(status.value_set or "") or {})["http://hl7.org/fhir/observation-status"]
    subject = element("Observation", "subject")
    assert subject.types[0].targets == ("Patient", "Group", "Device", "Location")
    value = element("Observation", "value[x]")
    assert value.choice
    assert "valueCodeableConcept" in value.json_names()
    assert element("Observation", "component.referenceRange").content == "Observation.referenceRange"
    assert element("Patient", "id").types[0].name == "id"
    assert element("Patient", "name").maximum is None


def test_children_are_those_directly_below() -> None:
    assert "Observation" not in {e.name for e in type_facts("Observation").children()}
    below = {e.name for e in type_facts("Patient").children("contact")}
    assert {"relationship", "name", "organization"} < below
    assert "contact" not in below


def test_open_value_sets_are_not_expanded() -> None:
    assert value_set("http://hl7.org/fhir/ValueSet/mimetypes") is None
    assert value_set("urn:no-such-value-set") is None


def test_invariants_are_kept() -> None:
    rules = {rule.key: rule for rule in type_facts("Observation").invariants}
    assert rules["obs-6"].severity == "error"
    assert rules["obs-3"].path == "Observation.referenceRange"
    assert "dataAbsentReason" in rules["obs-6"].expression


def test_patient_compartment() -> None:
    paths = {p.name: p.paths for p in patient_compartment("Observation")}
    assert paths == {"subject": (("subject",),), "performer": (("performer",),)}
    assert patient_compartment("Medication") == ()


@pytest.mark.parametrize("name", ["Patien", "string", "Observation.component", ""])
def test_other_names_have_no_facts(name: str) -> None:
    with pytest.raises(KeyError):
        type_facts(name)


def test_table_is_small() -> None:
    assert len(files("carekeep.fhir").joinpath("tables/structure.json.gz").read_bytes()) < 100_000


@pytest.mark.parametrize("package", PACKAGES)
def test_running_the_script_again_changes_nothing(package: Path) -> None:
    kept = files("carekeep.fhir").joinpath("tables/structure.json.gz").read_bytes()
    made = table_bytes(build(package))
    assert table_bytes(build(package)) == made
    # Another zlib may compress in another way; the facts are what counts.
    assert gzip.decompress(made) == gzip.decompress(kept)


def test_meta_is_r4s_and_nobody_elses() -> None:
    names = {element.name for element in type_facts("Meta").elements}
    assert names == {"id", "extension", "versionId", "lastUpdated", "source", "profile", "security", "tag"}

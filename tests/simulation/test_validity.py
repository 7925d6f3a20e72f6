"""Every resource is valid FHIR R4, stands once, and refers only to what is there."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from carekeep.fhir import patients_of, validate
from tests.simulation.worlds import charts, directory

PATIENTS = 60


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "reference" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_every_resource_is_valid() -> None:
    resources = [*directory(PATIENTS), *(item for chart in charts(PATIENTS) for item in chart.resources)]
    found = Counter(
        (resource["resourceType"], issue.expression, issue.diagnostics)
        for resource in resources
        for issue in validate(resource)
    )
    assert not found


def test_every_reference_resolves() -> None:
    known = {f"{item['resourceType']}/{item['id']}" for item in directory(400)}
    for item in directory(400):
        assert set(references(item)) <= known
    for chart in charts(400):
        here = {f"{item['resourceType']}/{item['id']}" for item in chart.resources}
        assert set(references(chart.resources)) <= known | here


def test_ids_are_unique() -> None:
    everything = [*directory(400), *(item for chart in charts(400) for item in chart.resources)]
    ids = Counter(item["id"] for item in everything)
    assert not [one for one, times in ids.items() if times > 1]


def test_directory_refers_backwards_only() -> None:
    seen: set[str] = set()
    for item in directory(400):
        assert set(references(item)) <= seen, item["resourceType"]
        seen.add(f"{item['resourceType']}/{item['id']}")


def test_a_chart_is_its_patients_compartment() -> None:
    for chart in charts(PATIENTS):
        assert chart.resources[0]["id"] == chart.patient_id
        assert {patients_of(item) for item in chart.resources} == {(chart.patient_id,)}


def test_directory_belongs_to_no_patient() -> None:
    assert not [item["resourceType"] for item in directory(PATIENTS) if patients_of(item)]

"""What a transaction is about to write is searched as the store would be."""

from collections.abc import Sequence

import pytest

from carekeep.fhir import NewContent, parse_query
from tests.fhir.resources import example

PATIENTS = {
    f"Patient/p{number}": {
        "resourceType": "Patient",
        "id": f"p{number}",
        "identifier": [{"system": "urn:mrn", "value": str(number)}],
        "name": [{"family": family}],
        "active": number % 2 == 0,
    }
    for number, family in enumerate(["Moreau", "Okafor", "Ngata", "Moreau-Strand"])
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([("identifier", "urn:mrn|2")], ["Patient/p2"]),
        ([("identifier", "urn:mrn|2,urn:mrn|0")], ["Patient/p0", "Patient/p2"]),
        ([("identifier", "urn:mrn|2"), ("active", "false")], []),
        ([("family", "moreau")], ["Patient/p0", "Patient/p3"]),
        ([("family", "moreau"), ("active", "true")], ["Patient/p0"]),
        ([("_id", "p1")], ["Patient/p1"]),
        ([("active:not", "true")], ["Patient/p1", "Patient/p3"]),
        ([("gender:missing", "true")], list(PATIENTS)),
    ],
)
def test_what_a_query_matches(query: Sequence[tuple[str, str]], expected: list[str]) -> None:
    content = NewContent()
    for reference, resource in PATIENTS.items():
        content.add(reference, resource)
    content.add("Observation/o1", example("Observation"))
    assert sorted(content.matches(parse_query("Patient", query, lenient=False))) == sorted(expected)


def test_what_comes_later_is_found_too() -> None:
    content = NewContent()
    query = parse_query("Patient", [("family", "moreau")], lenient=False)
    assert content.matches(query) == []
    for reference, resource in PATIENTS.items():
        content.add(reference, resource)
        assert content.matches(query)[-1:] == (["Patient/p3"] if reference == "Patient/p3" else ["Patient/p0"])

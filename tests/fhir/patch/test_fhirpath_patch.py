"""FHIRPath Patch: the standard's operations on simple paths, and what is refused."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir import validate
from carekeep.fhir.patch import PatchRefused, read_fhirpath_patch
from tests.fhir.patch.fhirpath_patch_cases import (
    BAD_PATHS,
    CASES,
    MALFORMED,
    OBSERVATION,
    PATIENT,
    REFUSED,
    Json,
    operation,
    parameters,
)


@pytest.mark.parametrize(("name", "resource", "operations", "changes"), CASES, ids=[case[0] for case in CASES])
def test_an_operation_changes_one_place(name: str, resource: Json, operations: list[Json], changes: Any) -> None:
    del name
    before = copy.deepcopy(resource)
    patch = read_fhirpath_patch(parameters(*operations))
    if changes is REFUSED:
        with pytest.raises(PatchRefused) as refused:
            patch.apply(resource)
        assert not refused.value.malformed
        assert refused.value.issue.expression.startswith("Parameters")
    else:
        expected = {key: value for key, value in {**resource, **changes}.items() if value is not None}
        after = patch.apply(resource)
        assert after == expected
        assert validate(after) == ()
    assert resource == before


@pytest.mark.parametrize(("name", "patch"), MALFORMED, ids=[case[0] for case in MALFORMED])
def test_what_is_no_patch_is_refused_before_it_meets_a_record(name: str, patch: Json) -> None:
    del name
    with pytest.raises(PatchRefused) as refused:
        read_fhirpath_patch(patch)
    assert refused.value.malformed
    assert refused.value.issue.expression.startswith("Parameters.parameter")


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_names_no_place_is_refused(path: str) -> None:
    with pytest.raises(PatchRefused) as refused:
        read_fhirpath_patch(parameters(operation("delete", path)))
    assert refused.value.malformed
    assert refused.value.issue.expression.startswith("Parameters.parameter[0]")


def test_a_patch_shows_no_values_in_its_repr() -> None:
    patch = read_fhirpath_patch(
        parameters(
            operation("replace", "Patient.name.where(family = 'Moreau')", value={"valueHumanName": {"text": "Moreau"}})
        )
    )
    assert "Moreau" not in repr(patch)


steps = st.sampled_from(
    ["name", "given", "[0]", "[1]", "first()", "last()", "deceased", "component", "value", "code", "coding",
     "where(use = 'official')", "where(code = 'a')", "ofType(Quantity)", "extension('urn:a')", "id",
     "meta", "birthDate"]
)  # fmt: skip
paths = st.lists(steps, max_size=4).map(lambda found: ".".join(["Patient", *found]).replace(".[", "["))
values = st.sampled_from(
    [
        {"valueString": "x"},
        {"valueInteger": 3},
        {"valueHumanName": {"text": "n"}},
        {"valueQuantity": {"value": 1.5}},
        {"part": [{"name": "code", "valueCodeableConcept": {"text": "t"}}]},
        {"part": []},
    ]
)
small = st.integers(0, 3)


@given(
    st.lists(st.tuples(st.sampled_from(["add", "insert", "delete", "replace", "move"]), paths, values, small, small))
)
def test_what_comes_of_a_patch_can_be_validated_and_is_the_same_record(
    chosen: list[tuple[str, str, Json, int, int]],
) -> None:
    operations = [
        operation(kind, path, name="name", value=value, index=one, source=one, destination=other)
        for kind, path, value, one, other in chosen
    ]
    for resource in (PATIENT, OBSERVATION):
        before = copy.deepcopy(resource)
        try:
            after = read_fhirpath_patch(parameters(*operations)).apply(resource)
        except PatchRefused:
            pass
        else:
            validate(after)
            assert (after["resourceType"], after["id"]) == (resource["resourceType"], resource["id"])
        assert resource == before

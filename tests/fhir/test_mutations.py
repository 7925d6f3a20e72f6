"""Mutations of valid resources: each is found, at its place. And nothing that is JSON makes validation fail."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir import RESOURCE_TYPES, validate
from carekeep.fhir.definitions import type_facts
from carekeep.fhir.validation import MAX_ISSUES
from carekeep.fhir.validation.shapes import Shape, shape_of
from tests.fhir.resources import SYNTHEA, Json, examples, synthea_resources

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)

# An object inside of a resource: where it is (as in an issue), what it is, and the object itself.
Part = tuple[str, Shape, Json]


def parts(resource: Json, where: str) -> Iterator[Part]:
    """All objects of a resource whose shape is known."""
    yield from _parts(resource, shape_of(resource["resourceType"]), where)


def _parts(value: Json, shape: Shape, where: str) -> Iterator[Part]:
    yield where, shape, value
    for name, item in value.items():
        member = shape.members[name]
        if not member.shape:
            continue
        several = [(f"{where}.{member.step}[{n}]", one) for n, one in enumerate(item)] if member.many else []
        for at, one in several or [(f"{where}.{member.step}", item)]:
            if member.shape == "Resource":
                yield from parts(one, at)
            elif one is not None:
                yield from _parts(one, shape_of(member.shape), at)


SOURCES = [*examples(), *(r for file in SYNTHEA for r in synthea_resources(file)[:40])]
TEXTS = [json.dumps(source) for source in SOURCES]


@st.composite
def part_of_a_resource(draw: st.DrawFn) -> tuple[Json, Part]:
    resource = json.loads(draw(st.sampled_from(TEXTS)))
    return resource, draw(st.sampled_from(list(parts(resource, resource["resourceType"]))))


def places(resource: Any) -> set[str]:
    return {issue.expression for issue in validate(resource)}


def below(where: str, step: str, found: set[str]) -> bool:
    """Whether an issue is at the element or inside of it."""
    return any(
        place == f"{where}.{step}" or place.startswith((f"{where}.{step}.", f"{where}.{step}[")) for place in found
    )


@given(part_of_a_resource())
def test_a_required_element_that_is_dropped_is_missed(drawn: tuple[Json, Part]) -> None:
    resource, (where, shape, value) = drawn
    for required in shape.required:
        kept = {name: item for name, item in value.items() if name not in required.names}
        before = dict(value)
        value.clear()
        value.update(kept)
        assert f"{where}.{required.step}" in places(resource)
        value.update(before)


@given(part_of_a_resource(), st.data())
def test_a_value_of_another_type_is_found(drawn: tuple[Json, Part], data: st.DataObject) -> None:
    resource, (where, shape, value) = drawn
    name = data.draw(st.sampled_from(sorted(value)))
    member = shape.members[name]
    wrong: list[Any] = [None, [], {}, [[]], "", [None], {"?": 1}]
    value[name] = data.draw(st.sampled_from(wrong))
    if name == "resourceType":
        assert any(place.endswith("resourceType") for place in places(resource))
    else:
        assert below(where, member.step, places(resource))


@given(part_of_a_resource(), st.sampled_from(["unknown", "_unknown", "Value", "extensions", "resourcetype"]))
def test_an_unknown_element_is_found(drawn: tuple[Json, Part], name: str) -> None:
    resource, (where, _, value) = drawn
    value[name] = "x"
    assert f"{where}.{name}" in places(resource)


@given(part_of_a_resource(), st.data())
def test_two_of_a_choice_are_found(drawn: tuple[Json, Part], data: st.DataObject) -> None:
    resource, (where, shape, value) = drawn
    chosen = [(name, m.alternative) for name, m in shape.members.items() if m.alternative and name in value]
    for name, (element, _) in chosen:
        others = [n for n, m in shape.members.items() if m.alternative and m.alternative[0] == element and n != name]
        other = data.draw(st.sampled_from([n for n in others if n.lstrip("_") != name.lstrip("_")]))
        value[other] = "x"
        assert f"{where}.{element}" in places(resource)
        del value[other]


@given(JSON)
def test_any_json_is_answered(value: Any) -> None:
    assert 1 <= len(validate(value)) <= MAX_ISSUES


@given(st.sampled_from(sorted(RESOURCE_TYPES)), st.data())
def test_any_json_in_any_element_is_answered(kind: str, data: st.DataObject) -> None:
    names = sorted(shape_of(kind).members)
    resource = data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=6))
    assert len(validate({**resource, "resourceType": kind})) <= MAX_ISSUES


@given(part_of_a_resource(), st.data())
def test_any_json_deep_inside_is_answered(drawn: tuple[Json, Part], data: st.DataObject) -> None:
    resource, (_, shape, value) = drawn
    for name in data.draw(st.lists(st.sampled_from(sorted(shape.members)), max_size=3)):
        value[name] = data.draw(JSON)
    assert len(validate(resource)) <= MAX_ISSUES


@pytest.mark.parametrize("kind", sorted(RESOURCE_TYPES))
def test_every_shape_of_a_type_can_be_made(kind: str) -> None:
    waiting, seen = [kind], set()
    while waiting:
        shape = shape_of(waiting.pop())
        seen.add(shape.name)
        inner = {m.shape for m in shape.members.values() if m.shape and m.shape != "Resource"}
        waiting.extend(inner - seen)
    backbones = {e.path for e in type_facts(kind).elements if any(t.name == "BackboneElement" for t in e.types)}
    assert {f"{kind}.{path}" for path in backbones} <= seen


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda file: file.stem)
def test_synthea_is_valid(file: Path) -> None:
    resources = synthea_resources(file)
    assert len(resources) > 1
    assert [(r["resourceType"], issue) for r in resources for issue in validate(r)] == []

"""Compiled expressions find what a FHIRPath engine finds (fhirpathpy is the oracle)."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models

from carekeep.fhir.search.expressions import Element, compile_part, resolves_to
from carekeep.fhir.search.grammar import Equals, ExpressionError, Part, ResolvesTo, Step, parse_expression
from carekeep.fhir.search.parameters import elements, parts_about, search_parameters, searchable_types
from tests.fhir.resources import SYNTHEA, Json, synthea_resources

# Of each type in a file: Synthea repeats itself.
FEW = 5


@cache
def oracle(expression: str) -> Any:
    """The expression as fhirpathpy runs it: it has no ``resolve()``, and its ``as`` takes single items only."""
    text = re.sub(r"\((\S+) as (\w+)\)", r"\1.ofType(\2)", expression)
    text = re.sub(r"\.as\((\w+)\)", r".ofType(\1)", text)
    text = re.sub(r"where\(resolve\(\) is (\w+)\)", r"where(reference.startsWith('\1/'))", text)
    return fhirpathpy.compile(text, models["r4"])


def canonical(values: list[Any]) -> set[str]:
    # A union drops duplicates, so values are compared as a set; the oracle makes decimals of numbers.
    return {json.dumps(value, sort_keys=True, default=float) for value in values}


def written_parts(expression: str, type_: str) -> list[str]:
    parts = [part.strip() for part in expression.split("|")]
    return [part for part in parts if re.match(rf"\(?{type_}\b", part)]


def test_every_parameter_of_every_type_compiles() -> None:
    count = 0
    for type_ in searchable_types():
        for parameter in search_parameters(type_).values():
            parts = parts_about(parameter.expression, type_)
            assert bool(parameter.paths) == bool(parts) == (parameter.code not in {"_text", "_content", "_query"})
            for component in parameter.components:
                assert len(component.paths) == len(parameter.paths)
                assert all(component.paths)
            count += 1
    assert len(searchable_types()) == 146
    assert count == 3010


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda file: file.stem)
def test_finds_what_the_oracle_finds_in_synthea(file: Path) -> None:
    compared = 0
    seen: Counter[str] = Counter()
    for resource in synthea_resources(file):
        type_ = resource["resourceType"]
        seen[type_] += 1
        for parameter in search_parameters(type_).values() if seen[type_] <= FEW else ():
            written = written_parts(parameter.expression, type_)
            mine = [value for path in parameter.paths for value in path.find(resource)] if written else []
            theirs = [value for part in written for value in oracle(part)(resource)]
            assert canonical(mine) == canonical(theirs), (type_, parameter.code)
            compared += bool(mine)
    assert compared > 50


SAMPLES: dict[str, Any] = {
    "boolean": True,
    "integer": 3,
    "decimal": 1.5,
    "date": "2020-02-03",
    "dateTime": "2020-02-03T04:05:06Z",
    "instant": "2020-02-03T04:05:06.007Z",
    "Reference": {"reference": "Patient/1"},
}


def sample(part: Part, type_: str) -> Iterator[Json]:
    """One small resource for each way through the part, with lists wherever the definitions have them."""
    yield from (
        {"resourceType": type_, **body}
        for body in _bodies(type_ if part.root in {"", type_} else part.root, part.steps)
    )


def _bodies(place: str, steps: tuple[Step, ...]) -> Iterator[Json]:
    step, rest = steps[0], steps[1:]
    element: Element = elements()[f"{place}.{step.name}"]
    for kind in element.types:
        name = step.name + (kind[:1].upper() + kind[1:] if element.choice else "")
        below = kind.removeprefix("#")
        below = f"{place}.{step.name}" if below in {"BackboneElement", "Element"} else below
        try:
            insides = (
                list(_bodies(below, rest)) if rest else [SAMPLES.get(kind, {"id": "x"} if kind[:1].isupper() else "x")]
            )
        except KeyError:
            continue  # another type of the choice, without that child
        for inside in insides:
            value = dict(inside) if isinstance(inside, dict) else inside
            if isinstance(step.where, Equals):
                value[step.where.name] = step.where.literal
            if isinstance(step.where, ResolvesTo):
                value = {"reference": f"{step.where.type}/1"}
            other = {"id": "other"} if isinstance(value, dict) else value
            yield {name: [value, other] if element.many else value}


def test_finds_what_the_oracle_finds_in_made_up_resources() -> None:
    compared = 0
    for type_, text in _all_parts():
        (part,) = parse_expression(text)
        paths = compile_part(part, type_, elements())
        for resource in sample(part, type_):
            mine = [value for path in paths for value in path.find(resource)]
            assert canonical(mine) == canonical(oracle(text)(resource)), (text, resource)
            compared += bool(mine)
    assert compared > 1500


def _all_parts() -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for type_ in sorted(searchable_types()):
        for parameter in search_parameters(type_).values():
            # "Observation" alone is the root of a composite: there is nothing to find below it.
            for text in set(written_parts(parameter.expression, type_)) - {type_}:
                found.setdefault(text, type_)
    return [(type_, text) for text, type_ in found.items()]


def paths(expression: str, type_: str) -> list[Any]:
    return [path for part in parse_expression(expression) for path in compile_part(part, type_, elements())]


def test_a_choice_becomes_one_path_for_each_type() -> None:
    found = paths("Observation.effective", "Observation")
    assert [(path.members, path.type, path.name) for path in found] == [
        (("effectiveDateTime",), "dateTime", "effective"),
        (("effectivePeriod",), "Period", "effective"),
        (("effectiveTiming",), "Timing", "effective"),
        (("effectiveInstant",), "instant", "effective"),
    ]


def test_knows_what_may_be_there_several_times_and_which_system_a_code_has() -> None:
    (family,) = paths("Patient.name.family", "Patient")
    assert family.many
    assert family.inside.name == "name"
    (gender,) = paths("Patient.gender", "Patient")
    assert (gender.many, gender.system) == (False, "http://hl7.org/fhir/administrative-gender")


@pytest.mark.parametrize(
    ("reference", "type_", "expected"),
    [
        ({"reference": "Patient/1"}, "Patient", True),
        ({"reference": "Patient/1/_history/2"}, "Patient", True),
        ({"reference": "https://example.org/fhir/Patient/1"}, "Patient", True),
        ({"reference": "Group/1"}, "Patient", False),
        ({"reference": "#p"}, "Patient", True),
        ({"reference": "#p"}, "Group", False),
        ({"reference": "#q"}, "Patient", False),
        ({"type": "Patient", "identifier": {"value": "1"}}, "Patient", True),
        ({"reference": "urn:uuid:1", "type": "Patient"}, "Patient", True),
        ({"reference": "urn:uuid:1"}, "Patient", False),
        ("Patient/1", "Patient", False),
    ],
)
def test_tells_what_a_reference_points_to(reference: Any, type_: str, expected: bool) -> None:
    resource = {"contained": [{"resourceType": "Patient", "id": "p"}, None]}
    assert resolves_to(reference, type_, resource) is expected


@pytest.mark.parametrize("odd", [{"name": "x"}, {"name": [None, 3, ["x"]]}, {"name": {"family": None}}, {}])
def test_walks_over_what_has_the_wrong_shape(odd: Json) -> None:
    (family,) = paths("Patient.name.family", "Patient")
    assert family.find(odd) == []


@pytest.mark.parametrize(
    "expression",
    ["", "Patient.", "Patient.name(", "Patient.name.first()", "Patient.name & x", "(Patient.name", "Patient.name[x]",
     "Patient.where(a=b)", "Patient.a.exists() and Patient.b != false", "Patient.name.as(string).as(code)"],
)  # fmt: skip
def test_refuses_forms_it_does_not_know(expression: str) -> None:
    with pytest.raises((ExpressionError, ValueError)):
        parse_expression(expression)


def test_refuses_elements_that_do_not_exist() -> None:
    with pytest.raises(ExpressionError, match=r"Patient\.nothing"):
        paths("Patient.nothing", "Patient")

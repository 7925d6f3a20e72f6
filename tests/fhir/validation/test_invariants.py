"""Every invariant of R4 that is checked: on random objects it answers as another implementation of FHIRPath does."""

import copy
from collections.abc import Iterator
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.engine.nodes import TypeInfo
from fhirpathpy.models import models
from hypothesis import given, settings
from hypothesis import strategies as st

from carekeep.fhir import validate
from carekeep.fhir.definitions import DATATYPES, RESOURCE_TYPES, type_facts
from carekeep.fhir.fhirpath import Node, Work, compile_predicate
from carekeep.fhir.validation.expressions import BY_THE_WALK, LEFT_OUT, hosted
from carekeep.fhir.validation.invariants import FUNCTIONS, rules_of
from tests.fhir.validation.made_objects import Json, objects

UCUM = "http://unitsofmeasure.org"
R4 = models["r4"]
NO_ORACLE = {
    "rng-2"
}  # it compares quantities, which FHIRPath cannot without knowing units; tested in test_validation.py
TYPES = sorted(RESOURCE_TYPES | DATATYPES)


@pytest.fixture(autouse=True)
def oracle_left_as_found() -> Iterator[None]:
    """The library remembers the model of its last evaluation for the whole process: other tests shall not see it."""
    yield
    TypeInfo.model = None


def invariants() -> Iterator[Any]:
    """The shape that asks, the key, the path where the standard states it, and the FHIRPath from the shape."""
    for type_ in TYPES:
        for invariant in type_facts(type_).invariants:
            if invariant.key not in BY_THE_WALK | LEFT_OUT.keys() | NO_ORACLE:
                shape, expression = hosted(invariant, type_)
                yield pytest.param(
                    shape, invariant.key, invariant.path, expression, id=f"{invariant.path} {invariant.key}"
                )


def oracle(value: Json, shape: str, expression: str) -> list[Any]:
    """What fhirpathpy says.

    It has no hasValue(), which is exists() where no value is only a half; and to it FHIR's boolean is no Boolean.
    """
    text = expression.replace("hasValue()", "exists()").replace("is Boolean", "is boolean")
    asked = text if shape in RESOURCE_TYPES else {"base": shape, "expression": text}
    answer: list[Any] = fhirpathpy.evaluate(copy.deepcopy(value), asked, {"resource": value, "ucum": UCUM}, R4)
    return answer


@pytest.mark.parametrize(("shape", "key", "path", "expression"), list(invariants()))
@given(data=st.data())
@settings(max_examples=20)
def test_an_invariant_holds_where_it_should(
    shape: str, key: str, path: str, expression: str, data: st.DataObject
) -> None:
    value = data.draw(objects(shape, expression))
    (rule,) = [rule for rule in rules_of(shape) if rule.key == key and rule.path == path]
    answer = oracle(value, shape, expression)
    node = Node(value, shape)
    assert (compile_predicate(expression).answer(node, node, node, Work(10_000)) is True) == (answer == [True])
    # An empty answer is not true; but functions give dates that leave it open the benefit of the doubt, as do warnings.
    doubted = answer == [] and ((path, key) in FUNCTIONS or rule.severity == "warning")
    assert rule.holds(value) == (answer == [True]) or doubted


def test_every_function_belongs_to_an_invariant() -> None:
    known = {(invariant.path, invariant.key) for type_ in TYPES for invariant in type_facts(type_).invariants}
    assert known >= FUNCTIONS.keys()


def test_what_is_left_out_exists() -> None:
    known = {invariant.key for type_ in TYPES for invariant in type_facts(type_).invariants}
    assert known >= LEFT_OUT.keys()


def test_a_rule_that_warns_is_no_error() -> None:
    named = {"resourceType": "ValueSet", "status": "draft", "name": "lower case"}
    assert [(issue.severity, issue.code) for issue in validate(named)] == [("warning", "invariant")]

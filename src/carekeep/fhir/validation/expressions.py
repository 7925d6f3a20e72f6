"""The invariants of R4 that are asked seldom enough to be taken from the standard as they are written, in FHIRPath.

What is asked of nearly every resource is in :mod:`carekeep.fhir.validation.invariants`, as functions: an expression
takes 3 to 10 µs, a function a tenth of that.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from carekeep.fhir.definitions import Invariant, type_facts
from carekeep.fhir.fhirpath import Node, Predicate, Undecided, Work, compile_predicate
from carekeep.fhir.validation.rule import Rule, severity_of

# Linear in the resource, whose size is bounded where it is read.
_MOST = 50_000_000
_BACKBONES = frozenset({"BackboneElement", "Element"})

BY_THE_WALK: Final = frozenset({"ele-1", "ext-1", "ref-1", "txt-1", "txt-2", "dom-2", "dom-3", "dom-4", "dom-5"})
"""Invariants that the walk over the resource checks itself, with its narratives, references and contained resources."""

LEFT_OUT: Final[Mapping[str, str]] = {
    "con-3": "R4 compares a CodeableConcept with a string, so that it warns of every condition with a category",
    "ctm-1": "it needs the resource that a reference points to",
    "dom-6": "a best practice: data without a narrative is not wrong",
    "eld-19": "its pattern is not anchored, so that nothing fails it",
    "eld-20": "as eld-19",
}


def expression_rules(shape: str) -> Iterator[Rule]:
    """The rules of a shape, in the order of the standard."""
    facts = type_facts(shape.partition(".")[0])
    for invariant in facts.invariants:
        if invariant.key in BY_THE_WALK or invariant.key in LEFT_OUT:
            continue
        host, text = hosted(invariant, facts.name)
        if host == shape:
            yield _rule(shape, invariant, text)


@cache
def _backbones(type_: str) -> frozenset[str]:
    facts = type_facts(type_)
    paths = (e.path for e in facts.elements if any(kind.name in _BACKBONES for kind in e.types))
    return frozenset({facts.name, *(f"{facts.name}.{path}" for path in paths)})


def hosted(invariant: Invariant, type_: str) -> tuple[str, str]:
    """The shape that asks a rule, and the expression from there: its own shape, or the one around a plain element.

    Rules that speak of the whole resource are asked from its top.
    """
    host = type_ if "%resource" in invariant.expression else invariant.path
    while host not in _backbones(type_):
        host = host.rpartition(".")[0]
    below = invariant.path[len(host) + 1 :].removesuffix("[x]")
    return host, f"{below}.all({invariant.expression})" if below else invariant.expression


def _rule(shape: str, invariant: Invariant, text: str) -> Rule:
    predicate = compile_predicate(text)
    severity = severity_of(invariant.severity)
    # An empty answer is not true. Those of warnings come from names that are not there, which nobody need be told of.
    unknown = severity == "warning"
    return Rule(
        invariant.path,
        invariant.key,
        _holds(predicate, shape, unknown=unknown),
        f"{invariant.human} ({invariant.key})",
        severity,
    )


def _holds(predicate: Predicate, shape: str, *, unknown: bool) -> Callable[[dict[str, Any]], bool]:
    def holds(value: dict[str, Any]) -> bool:
        node = Node(value, shape)
        try:
            answer = predicate.answer(node, node, node, Work(_MOST))
        except Undecided:
            return True
        return unknown if answer is None else answer

    return holds

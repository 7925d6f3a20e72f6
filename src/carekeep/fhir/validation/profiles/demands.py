"""What a profile can demand of one item: a fixed value, a pattern, codes, a length, targets, a constraint."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from carekeep.fhir.definitions import PRIMITIVES
from carekeep.fhir.fhirpath import Node, Predicate, Undecided
from carekeep.fhir.outcome import Severity
from carekeep.fhir.validation.profiles.rules import Breach, Demand
from carekeep.fhir.validation.references import check_reference

if TYPE_CHECKING:
    from carekeep.fhir.validation.profiles.checking import Checking

Codes = Mapping[str, frozenset[str]]


def equals(value: Any, wanted: Any) -> bool:
    """Whether two JSON values are the same; numbers by what they are worth."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def fits(value: Any, pattern: Any) -> bool:
    """Whether a value has at least what a pattern has (ElementDefinition.pattern[x])."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(fits(value.get(name), part) for name, part in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(fits(one, part) for one in value) for part in pattern)
    return equals(value, pattern)


def has_code(node: Node, codes: Codes) -> bool:
    """Whether a coded item has one of the codes: a code, a Coding or Quantity, or one coding of a CodeableConcept."""
    if node.kind in PRIMITIVES:
        return any(node.value in some for some in codes.values())
    codings = node.value.get("coding", ()) if node.kind == "CodeableConcept" else (node.value,)
    return any(coding.get("code") in codes.get(coding.get("system", ""), ()) for coding in codings)


def fixed(value: Any) -> Demand:
    """``fixed[x]``."""

    def demand(node: Node, _: "Checking") -> Breach | None:
        return None if equals(node.value, value) else Breach("value", "Must have exactly the value that is fixed here")

    return demand


def pattern(value: Any) -> Demand:
    """``pattern[x]``."""

    def demand(node: Node, _: "Checking") -> Breach | None:
        return None if fits(node.value, value) else Breach("value", "Must have the content that is asked here")

    return demand


def bound(codes: Codes, value_set: str) -> Demand:
    """A required binding."""

    def demand(node: Node, _: "Checking") -> Breach | None:
        if node.value is None or has_code(node, codes):  # a half alone says why the value is not there
            return None
        return Breach("code-invalid", f"Must be of the value set {value_set}")

    return demand


def longest(length: int) -> Demand:
    """``maxLength``."""

    def demand(node: Node, _: "Checking") -> Breach | None:
        if not isinstance(node.value, str) or len(node.value) <= length:
            return None
        return Breach("too-long", f"May have at most {length} characters")

    return demand


def targets(types: frozenset[str]) -> Demand:
    """The types that a Reference may point to."""

    def demand(node: Node, checking: "Checking") -> Breach | None:
        if node.kind != "Reference":
            return None
        reference = node.value.get("reference", "")
        named = checking.contained_type(reference[1:]) if reference.startswith("#") else node.value.get("type")
        if reference and not reference.startswith("#"):
            wrong = check_reference(reference, types) is not None
        else:
            wrong = named is not None and named not in types
        return Breach("value", f"May point to {', '.join(sorted(types))} only") if wrong else None

    return demand


def constraint(predicate: Predicate, key: str, human: str, severity: Severity) -> Demand:
    """A FHIRPath constraint. One that cannot be decided on this item is told as such, and refuses nothing."""

    def demand(node: Node, checking: "Checking") -> Breach | None:
        try:
            answer = predicate.answer(node, checking.resource, checking.root, checking.work)
        except Undecided:
            return Breach("incomplete", f"The constraint {key} cannot be decided here", "information")
        return None if answer else Breach("invariant", f"{human} ({key})", severity)

    return demand

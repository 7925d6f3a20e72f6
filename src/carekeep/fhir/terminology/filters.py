"""The filters of ``ValueSet.compose`` that are answered, over a loaded code system (FHIR R4)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from carekeep.fhir.terminology.code_system import CodeSystem, Concept
from carekeep.fhir.terminology.library import TerminologyRefused

Json = dict[str, Any]
Holds = Callable[[Concept], bool]
_ITSELF = frozenset({"concept", "code"})


def filtered(system: CodeSystem, filters: Sequence[Json]) -> list[Concept]:
    """The concepts for which all filters hold, in the order of the code system. Raises TerminologyRefused."""
    tests = [_test(system, each) for each in filters]
    return [concept for concept in system.concepts.values() if all(test(concept) for test in tests)]


def _test(system: CodeSystem, filter_: Json) -> Holds:
    name, operator, value = filter_["property"], filter_["op"], filter_["value"]
    make = (_HIERARCHY if name in _ITSELF and operator in _HIERARCHY else _PLAIN).get(operator)
    if make is None:
        # Regular expressions of others can be made to run for hours; they are refused on purpose.
        raise TerminologyRefused("The value set has a filter whose operator is not supported.")
    return make(system, name, value)


def _known(system: CodeSystem, value: str) -> str:
    """The code that a filter starts from."""
    if system.hierarchy != "is-a":
        raise TerminologyRefused("The hierarchy of the code system does not say that one code is a kind of another.")
    concept = system.find(value)
    if concept is None:
        raise TerminologyRefused("The value set has a filter on a code that its code system does not have.", "invalid")
    return concept.code


def _is_a(system: CodeSystem, _: str, value: str) -> Holds:
    code = _known(system, value)
    codes = system.below(code) | {code}
    return lambda concept: concept.code in codes


def _descendent_of(system: CodeSystem, _: str, value: str) -> Holds:
    codes = system.below(_known(system, value))
    return lambda concept: concept.code in codes


def _is_not_a(system: CodeSystem, name: str, value: str) -> Holds:
    inside = _is_a(system, name, value)
    return lambda concept: not inside(concept)


def _generalizes(system: CodeSystem, _: str, value: str) -> Holds:
    code = _known(system, value)
    codes = system.above(code) | {code}
    return lambda concept: concept.code in codes


def _equal(_: CodeSystem, name: str, value: str) -> Holds:
    return lambda concept: value in _values(concept, name)


def _in(_: CodeSystem, name: str, value: str) -> Holds:
    wanted = {each.strip() for each in value.split(",")}
    return lambda concept: not wanted.isdisjoint(_values(concept, name))


def _not_in(system: CodeSystem, name: str, value: str) -> Holds:
    inside = _in(system, name, value)
    return lambda concept: not inside(concept)


def _exists(_: CodeSystem, name: str, value: str) -> Holds:
    return lambda concept: bool(list(_values(concept, name))) == (value == "true")


def _values(concept: Concept, name: str) -> Iterable[str]:
    if name in _ITSELF:
        return (concept.code,)
    if name == "parent":
        return concept.parents
    return list(concept.values(name))


_Make = Callable[[CodeSystem, str, str], Holds]
_HIERARCHY: Final[Mapping[str, _Make]] = MappingProxyType(
    {"is-a": _is_a, "descendent-of": _descendent_of, "is-not-a": _is_not_a, "generalizes": _generalizes}
)
_PLAIN: Final[Mapping[str, _Make]] = MappingProxyType({"=": _equal, "in": _in, "not-in": _not_in, "exists": _exists})

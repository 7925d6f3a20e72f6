"""What the blind index stores of a resource.

A term is a place in the resource with the kind of its value ("subject:reference", "name:string") and a value there.
Places are shared by all parameters that search them (``patient`` and ``subject``, ``code`` and ``combo-code``,
``family`` and ``name``), so that a resource costs as few tags as it has values. Whoever stores terms makes keyed tags
of them; they are health data in plaintext here.

``_id`` has no terms (records are found by id), nor ``_lastUpdated`` (it is known only when the record is written, and
is in order of storage). Composite parameters use the terms of their components.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from carekeep.fhir.search.expressions import Json, Path, Walk, compile_part
from carekeep.fhir.search.parameters import elements, parts_about, search_parameters
from carekeep.fhir.search.values import dates, numbers, references, strings, tokens, uris

# One place may hold this many terms (a Group may have thousands of members); then only OVERFLOW stands for it, which
# every question about the place also asks for.
TERMS_OF_A_PLACE = 128
OVERFLOW = b"\x00overflow"
_UNINDEXED = frozenset({"_id", "_lastUpdated"})
_INDEX: Mapping[str, Callable[[Path, Any], Iterable[bytes]]] = {
    "date": dates.index,
    "number": numbers.index,
    "quantity": numbers.index,
    "reference": references.index,
    "string": strings.index,
    "token": tokens.index,
    "uri": uris.index,
}


class Term(NamedTuple):
    """A place with the kind of its value, and a value. A tuple: thousands are made a second."""

    parameter: str
    value: bytes


def type_term(type_: str) -> Term:
    """The term that every resource of a type has, so that a type can be listed by its tag."""
    return Term("_type", type_.encode())


def place_of(path: Path, kind: str) -> str:
    """The place under which a path's values of a kind are indexed."""
    return f"{path.inside.name if path.inside and kind == 'string' else path.name}:{kind}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the values of one path become terms."""

    place: str
    path: Path
    walk: Walk
    values: Callable[[Path, Any], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class _Plans:
    """The plans of a type by the member their paths start with; ``always``: those that do not need one."""

    by_member: Mapping[str, tuple[_Plan, ...]]
    always: tuple[_Plan, ...]
    places: frozenset[str]


def index_terms(resource: Json) -> frozenset[Term]:
    """All terms of a resource of a known type. Raises KeyError for another."""
    type_ = resource["resourceType"]
    plans = _plans(type_)
    found: dict[str, set[bytes]] = {}
    for plan in plans.always:
        _collect(plan, resource, found)
    for member in resource:
        for plan in plans.by_member.get(member, ()):
            _collect(plan, resource, found)
    terms = {type_term(type_)}
    for place, values in found.items():
        if len(values) > TERMS_OF_A_PLACE:
            terms.add(Term(place, OVERFLOW))
        else:
            terms.update([Term(place, value) for value in values])
    return frozenset(terms)


def _collect(plan: _Plan, resource: Json, found: dict[str, set[bytes]]) -> None:
    at: list[Any] = []
    plan.walk(resource, resource, at)
    if not at:
        return
    values = found.get(plan.place)
    if values is None:
        values = found[plan.place] = set()
    for element in at:
        # One more than the limit is enough to know that the place overflows.
        if len(values) > TERMS_OF_A_PLACE:
            return
        values.update(plan.values(plan.path, element))


def is_indexed(type_: str, place: str) -> bool:
    """Whether resources of this type have terms for a place."""
    return place in _plans(type_).places


@cache
def _plans(type_: str) -> _Plans:
    plans: dict[tuple[str, tuple[str, ...]], _Plan] = {}
    for parameter in search_parameters(type_).values():
        if parameter.type in _INDEX and parameter.code not in _UNINDEXED:
            for path in _broad_paths(parameter.expression, type_, parameter.type):
                plan = _Plan(place_of(path, parameter.type), path, path.walk, _INDEX[parameter.type])
                plans.setdefault((plan.place, path.members), plan)
    by_member: dict[str, list[_Plan]] = {}
    for plan in plans.values():
        by_member.setdefault(plan.path.members[0] if plan.path.members else "", []).append(plan)
    always = tuple(by_member.pop("", ()))
    return _Plans(
        MappingProxyType({member: tuple(some) for member, some in by_member.items()}),
        always,
        frozenset(plan.place for plan in plans.values()),
    )


def _broad_paths(expression: str, type_: str, kind: str) -> Iterable[Path]:
    """The paths without their filters, and the whole name or address in place of its pieces."""
    for part in parts_about(expression, type_):
        for path in compile_part(part.everywhere(), type_, elements()):
            yield path.inside if path.inside and kind == "string" else path

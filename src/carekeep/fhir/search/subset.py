"""Parts of resources: ``_summary`` and ``_elements`` (FHIR R4 3.1.1.5.8, 3.1.1.5.9).

What is left is marked with the tag SUBSETTED, so that no client takes it for the whole and writes it back.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from carekeep.fhir.definitions import DATATYPES, RESOURCE_TYPES, Element, ElementType, type_facts
from carekeep.fhir.search.control import Summary
from carekeep.fhir.search.expressions import Json

SUBSETTED: Mapping[str, str] = MappingProxyType(
    {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
)
_ALWAYS = frozenset({"resourceType", "id", "meta", "implicitRules"})
_STRUCTURES = frozenset({"BackboneElement", "Element"})
_REPEATED = ElementType("")  # of an element whose content another one describes
# JSON member -> the element and the data type that it holds
_Members = Mapping[str, tuple[Element, str]]


def summarised(resource: Json, summary: Summary) -> Json:
    """What ``_summary`` leaves of a resource. Never changes the resource; "count" and "false" leave all of it."""
    type_ = resource["resourceType"]
    if summary == "data":
        return _marked({name: value for name, value in resource.items() if name not in {"text", "_text"}})
    if summary == "text":
        members = _members(type_, "")
        return _marked(_kept(resource, lambda name: name == "text" or _is_mandatory(members, name)))
    if summary == "true":
        return _marked({"resourceType": type_, **_summary_of(resource, type_, "")})
    return resource


def with_elements(resource: Json, names: Iterable[str]) -> Json:
    """What ``_elements`` leaves: the named elements, those that must be there, and those that change the meaning."""
    wanted = frozenset(names)
    members = _members(resource["resourceType"], "")
    return _marked(_kept(resource, lambda name: _base(members, name) in wanted or _is_mandatory(members, name)))


def _kept(resource: Json, keep: Callable[[str], bool]) -> Json:
    return {name: value for name, value in resource.items() if name in _ALWAYS or keep(name.removeprefix("_"))}


def _base(members: _Members, name: str) -> str:
    """The element's name in the definitions: ``value`` of ``valueQuantity``."""
    return members[name][0].name if name in members else name


def _is_mandatory(members: _Members, name: str) -> bool:
    return name in members and (members[name][0].minimum > 0 or members[name][0].modifier)


def _summary_of(value: Json, type_: str, path: str) -> Json:
    """The elements that the definitions flag as summary, at every depth."""
    members = _members(type_, path)
    kept: Json = {}
    for name, child in value.items():
        found = members.get(name.removeprefix("_"))
        if name == "id":
            kept[name] = child
        elif found is not None and found[0].summary:
            kept[name] = child if name.startswith("_") else _below(child, found, type_)
    return kept


def _below(child: Any, found: tuple[Element, str], type_: str) -> Any:
    element, data_type = found
    if isinstance(child, list):
        return [_below(each, found, type_) for each in child]
    if not isinstance(child, dict):
        return child
    if element.content is not None:
        return _summary_of(child, type_, element.content.partition(".")[2])
    if data_type in _STRUCTURES:
        return _summary_of(child, type_, element.path)
    return _summary_of(child, data_type, "") if data_type in DATATYPES else child


@cache
def _members(type_: str, path: str) -> _Members:
    if type_ not in RESOURCE_TYPES and type_ not in DATATYPES:
        return MappingProxyType({})
    return MappingProxyType(
        {
            name: (element, kind.name)
            for element in type_facts(type_).children(path)
            for name, kind in _typed_names(element)
        }
    )


def _typed_names(element: Element) -> Iterable[tuple[str, ElementType]]:
    if element.choice:
        return zip(element.json_names(), element.types, strict=True)
    return [(element.name, element.types[0] if element.types else _REPEATED)]


def _marked(resource: Json) -> Json:
    meta = resource.get("meta", {})
    return {**resource, "meta": {**meta, "tag": [*meta.get("tag", ()), dict(SUBSETTED)]}}

"""The search parameters of every R4 resource type, read from their table and compiled when first asked for."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from carekeep.fhir.search.expressions import Element, Path, compile_part
from carekeep.fhir.search.grammar import Part, parse_expression

# Words of the narrative, and of the whole resource: they have no expression.
TEXTS = frozenset({"_text", "_content"})
EVERY_TYPE = frozenset({"Resource", "DomainResource"})


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a composite parameter: how its value is read, and where it lies below each root."""

    type: str
    targets: tuple[str, ...]
    paths: tuple[tuple[Path, ...], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter as one resource type has it.

    ``type`` is FHIR's SearchParamType; ``paths`` lead to what it searches (for a composite: to the roots that its
    ``components`` are relative to). ``url`` is canonical.
    """

    code: str
    type: str
    url: str
    expression: str
    targets: tuple[str, ...]
    paths: tuple[Path, ...] = field(repr=False)
    components: tuple[Component, ...] = field(default=(), repr=False)

    @property
    def supported(self) -> bool:
        """Whether the elements that it finds are compared. ``near`` and phonetic matching are not there."""
        return bool(self.paths) and self.type != "special" and self.code != "phonetic"

    @property
    def answered(self) -> bool:
        """Whether queries by it are answered: those that compare elements, and those that look for words."""
        return self.supported or self.code in TEXTS

    @property
    def single(self) -> bool:
        """Whether a resource has at most one value for it."""
        return len({path.name for path in self.paths}) == 1 and not any(path.many for path in self.paths)


@cache
def search_parameters(type_: str) -> Mapping[str, SearchParameter]:
    """The parameters of a resource type by code, with those of all types (``_id``, ``_tag`` …). Raises KeyError."""
    own = {type_, *_table()["types"][type_]}
    rows = [row for row in _rows() if own & set(row.bases)]
    # The last one with a code wins: the own parameter of a type, not that of all types.
    rows.sort(key=lambda row: not EVERY_TYPE & set(row.bases))
    found = {row.code: _parameter(row, type_) for row in rows}
    return MappingProxyType(dict(sorted(found.items())))


def searchable_types() -> frozenset[str]:
    """All resource types."""
    return frozenset(_table()["types"])


def owner_place(type_: str) -> str | None:
    """The place of the single reference that decides to which patient a record of this type belongs, if there is one.

    It is the place of the first parameter of the Patient compartment. If it refers to a patient, no later parameter
    of the compartment can decide otherwise.
    """
    place = _table()["owners"].get(type_)
    return None if place is None else str(place)


def parts_about(expression: str, type_: str) -> list[Part]:
    """The parts of an expression that concern a type."""
    return [part for part in parse_expression(expression) if part.about(type_)] if expression else []


@cache
def elements() -> Mapping[str, Element]:
    """The elements that the expressions pass, by ``Type.element``."""
    found = {}
    for name, row in _table()["elements"].items():
        types, flags, system = (*row, "", "")[:3] if len(row) == 1 else (*row, "")[:3]
        found[name] = Element(tuple(types), "m" in flags, "c" in flags, system or None)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class _Row:
    """A parameter as the table has it, for all types that share it."""

    code: str
    type: str
    url: str
    bases: tuple[str, ...]
    expression: str = ""
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()


@cache
def _table() -> Mapping[str, Any]:
    content = (files("carekeep.fhir") / "tables" / "search_parameters.json.gz").read_bytes()
    table: dict[str, Any] = json.loads(gzip.decompress(content))
    return MappingProxyType(table)


@cache
def _rows() -> tuple[_Row, ...]:
    return tuple(_Row(*row) for row in _table()["parameters"])


@cache
def _kinds() -> Mapping[str, _Row]:
    return MappingProxyType({row.url: row for row in _rows()})


def _parameter(row: _Row, type_: str) -> SearchParameter:
    paths = tuple(path for part in parts_about(row.expression, type_) for path in compile_part(part, type_, elements()))
    return SearchParameter(
        code=row.code,
        type=row.type,
        url=row.url,
        expression=row.expression,
        targets=tuple(row.targets),
        paths=paths,
        components=tuple(_component(url, expression, type_, paths) for url, expression in row.components),
    )


def _component(url: str, expression: str, type_: str, roots: tuple[Path, ...]) -> Component:
    parts = parse_expression(expression)
    return Component(
        type=_kinds()[url].type,
        targets=tuple(_kinds()[url].targets),
        paths=tuple(
            tuple(path for part in parts for path in compile_part(part, type_, elements(), root)) for root in roots
        ),
    )

"""What FHIR R4 says about its types: typed access to ``tables/structure.json.gz``.

The table is made from HL7's definitions by ``scripts/definitions/structure.py`` and read once. Types are turned into
objects when they are first asked for, since a process rarely meets more than a few dozen of them.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class ElementType:
    """One type that an element may have; ``targets`` are the resource types that a Reference may point to."""

    name: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a type.

    ``path`` is below the type ("component.code"), ``name`` its last step without "[x]". ``maximum`` None means any
    number. ``content`` names another element ("Observation.referenceRange") whose children this one has.
    ``value_set`` is the canonical URL of a required binding.
    """

    path: str
    name: str
    minimum: int
    maximum: int | None
    types: tuple[ElementType, ...]
    choice: bool
    modifier: bool
    summary: bool
    value_set: str | None
    content: str | None

    def json_names(self) -> tuple[str, ...]:
        """The property names that the element has in JSON: several for a choice of types."""
        if not self.choice:
            return (self.name,)
        return tuple(self.name + kind.name[0].upper() + kind.name[1:] for kind in self.types)


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule of a type: where it holds, FHIR's key and severity ("error", "warning"), in FHIRPath and in words."""

    path: str
    key: str
    severity: str
    expression: str
    human: str


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """A resource type or complex datatype. ``elements`` are in the order of the standard, parents first."""

    name: str
    resource: bool
    abstract: bool
    elements: tuple[Element, ...]
    invariants: tuple[Invariant, ...]

    def children(self, path: str = "") -> tuple[Element, ...]:
        """The elements directly below ``path`` ("" for the type itself)."""
        prefix = path + "." if path else ""
        return tuple(e for e in self.elements if e.path.startswith(prefix) and "." not in e.path[len(prefix) :])


@dataclass(frozen=True, slots=True)
class CompartmentParameter:
    """A search parameter that puts a resource into a patient's compartment, and the element paths it reads."""

    name: str
    paths: tuple[tuple[str, ...], ...]


@cache
def _table() -> dict[str, Any]:
    content = files("carekeep.fhir").joinpath("tables/structure.json.gz").read_bytes()
    table: dict[str, Any] = json.loads(gzip.decompress(content))
    return table


def _names(kind: str) -> frozenset[str]:
    return frozenset(n for n, f in _table()["types"].items() if f["kind"] == kind and not f["abstract"])


FHIR_VERSION: Final[str] = _table()["version"]
RESOURCE_TYPES: Final = _names("resource")
DATATYPES: Final = _names("complex-type")
PRIMITIVES: Final = _names("primitive-type")


@cache
def type_facts(name: str) -> TypeFacts:
    """The facts of a resource type or complex datatype, abstract ones too. Raises KeyError for other names."""
    facts = _table()["types"][name]
    if "elements" not in facts:
        raise KeyError(name)
    return TypeFacts(
        name=name,
        resource=facts["kind"] == "resource",
        abstract=facts["abstract"],
        elements=tuple(_element(*row) for row in facts["elements"]),
        invariants=tuple(Invariant(*row) for row in facts["invariants"]),
    )


def _element(
    path: str,
    minimum: int,
    maximum: int | None,
    types: list[Any] | None = None,
    flags: str = "",
    value_set: str | None = None,
    content: str | None = None,
) -> Element:
    last = path.rpartition(".")[2]
    return Element(
        path=path,
        name=last.removesuffix("[x]"),
        minimum=minimum,
        maximum=maximum,
        types=tuple(ElementType(t) if isinstance(t, str) else ElementType(t[0], tuple(t[1])) for t in types or ()),
        choice=last.endswith("[x]"),
        modifier="m" in flags,
        summary="s" in flags,
        value_set=value_set,
        content=content,
    )


@cache
def value_set(url: str) -> Mapping[str, frozenset[str]] | None:
    """The codes that a required value set allows, by code system; None where the set is open (UCUM, MIME types)."""
    systems = _table()["value_sets"].get(url)
    return systems and {system: frozenset(codes) for system, codes in systems.items()}


@cache
def patient_compartment(resource_type: str) -> tuple[CompartmentParameter, ...]:
    """The compartment's parameters of a type, in the order of the standard; empty for types outside of it."""
    rows = _table()["compartment"].get(resource_type, ())
    return tuple(CompartmentParameter(name, tuple(tuple(path) for path in paths)) for name, paths in rows)

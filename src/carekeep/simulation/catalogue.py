"""The codes that the simulated hospital uses, read from ``catalogue.json``, which names their sources.

A small table of common concepts: whoever adds one looks it up in the terminology first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from carekeep.simulation.elements import CVX, ICD10, LOINC, RXNORM, SNOMED, Element, coding, concept

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of measurement: ``typical`` ± ``person`` between people, ± ``noise`` between two measurements.

    ``low`` and ``high`` bound the adult reference range, in ``unit``; ``floor`` is the least value that can occur.
    """

    code: Element
    unit: str
    ucum: str
    typical: float
    person: float
    noise: float
    low: float | None = None
    high: float | None = None
    decimals: int = 0
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """Measurements that a laboratory reports together; ``section`` is the v2-0074 diagnostic service."""

    code: Element
    section: str
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Medication:
    """A product and how it is usually taken: ``dose`` ``unit``, ``times`` in ``days`` days."""

    code: Element
    dose: float
    unit: str
    times: int
    days: int = 1


@dataclass(frozen=True, slots=True)
class Allergy:
    """An allergy, its FHIR category and criticality, and how it shows."""

    code: Element
    category: str
    criticality: str
    manifestation: Element


@dataclass(frozen=True, slots=True)
class Vaccine:
    """A product and the ages, in months, at which it is due."""

    code: Element
    months: tuple[int, ...]


def _measure(entry: dict[str, Any]) -> Measure:
    return Measure(concept(LOINC, *entry.pop("loinc")), **entry)


def _oxygen(measure: Measure) -> Measure:
    """Oxygen saturation carries two codes: the vital signs profile asks for the general one as well."""
    general = coding(LOINC, "2708-6", "Oxygen saturation in Arterial blood")
    code = {"coding": [general, *measure.code["coding"]], "text": "Oxygen saturation"}
    return Measure(
        code, measure.unit, measure.ucum, measure.typical, measure.person, measure.noise,
        measure.low, measure.high, measure.decimals, measure.floor,
    )  # fmt: skip


def _condition(entry: dict[str, Any]) -> Element:
    display = entry["display"]
    return {"coding": [coding(SNOMED, entry["snomed"], display), coding(ICD10, *entry["icd10"])], "text": display}


def _concepts(system: str, entries: dict[str, list[str]]) -> Mapping[str, Element]:
    return _fixed({key: concept(system, *entry) for key, entry in entries.items()})


def _fixed(entries: dict[str, _T]) -> Mapping[str, _T]:
    return MappingProxyType(entries)


_DATA: dict[str, Any] = json.loads(Path(__file__).with_name("catalogue.json").read_text("utf-8"))

CONDITIONS: Mapping[str, Element] = _fixed({key: _condition(entry) for key, entry in _DATA["conditions"].items()})
_MEASURED = {key: _measure(entry) for key, entry in _DATA["measures"].items()}
MEASURES: Mapping[str, Measure] = _fixed(_MEASURED | {"oxygen": _oxygen(_MEASURED["oxygen"])})
PANELS: Mapping[str, Panel] = _fixed(
    {
        key: Panel(concept(LOINC, *entry["loinc"]), entry["section"], tuple(entry["measures"]))
        for key, entry in _DATA["panels"].items()
    }
)
QUESTIONS = _concepts(LOINC, _DATA["questions"])
ANSWERS = _concepts(SNOMED, _DATA["answers"])
MEDICATIONS: Mapping[str, Medication] = _fixed(
    {key: Medication(concept(RXNORM, *entry.pop("rxnorm")), **entry) for key, entry in _DATA["medications"].items()}
)
PROCEDURES = _concepts(SNOMED, _DATA["procedures"])
VISITS = _concepts(SNOMED, _DATA["visits"])
DOCUMENTS = _concepts(LOINC, _DATA["documents"])
ALLERGIES = tuple(
    Allergy(
        concept(SNOMED, *entry["snomed"]),
        entry["category"],
        entry["criticality"],
        concept(SNOMED, *entry["manifestation"]),
    )
    for entry in _DATA["allergies"]
)
CHILD_VACCINES = tuple(
    Vaccine(concept(CVX, *entry["cvx"]), tuple(entry["months"])) for entry in _DATA["child_vaccines"]
)
ADULT_VACCINES = _concepts(CVX, _DATA["adult_vaccines"])

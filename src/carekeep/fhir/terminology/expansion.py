"""From the definition of a value set to its codes (FHIR R4, valueset.html#expansion)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.terminology.canonical import Canonical
from carekeep.fhir.terminology.code_system import CodeSystem, Concept
from carekeep.fhir.terminology.filters import filtered
from carekeep.fhir.terminology.library import Library, NotLoaded, TerminologyRefused
from carekeep.fhir.terminology.needs import system_of

Json = dict[str, Any]
Key = tuple[str, str]
MAX_CODES = 20_000
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Expanded:
    """A code of an expansion. ``display`` is the value set's own word, else the code system's."""

    system: str
    code: str
    display: str | None = None
    version: str | None = None
    inactive: bool = False
    abstract: bool = False
    designations: tuple[Json, ...] = ()


def expand(value_set: Json, library: Library) -> Mapping[Key, Expanded]:
    """All codes of a ValueSet by system and code, in the order of its definition.

    Includes are joined, excludes taken away; inside of an include everything must hold at once (system, filters, and
    each of the value sets). Raises TerminologyRefused: for what is not loaded or not understood, for value sets
    that contain themselves, and above MAX_CODES codes.
    """
    return _Expansion(library).of(value_set, ())


class _Expansion:
    def __init__(self, library: Library) -> None:
        self._library = library
        self._done: dict[Canonical, Mapping[Key, Expanded]] = {}

    def of(self, value_set: Json, within: tuple[str, ...]) -> Mapping[Key, Expanded]:
        url = value_set.get("url", "")
        if url in within or len(within) >= MAX_DEPTH:
            raise TerminologyRefused("The value set contains itself, or others too deeply.", "business-rule")
        if "compose" not in value_set:
            return _stored(value_set)
        compose = value_set["compose"]
        if "lockedDate" in compose:
            raise TerminologyRefused("Value sets that are locked to a date are not supported.")
        found: dict[Key, Expanded] = {}
        for rule in compose.get("include", ()):
            found.update((key, each) for key, each in self._rule(rule, (*within, url)).items() if key not in found)
            if len(found) > MAX_CODES:
                raise TerminologyRefused(f"The value set has more than {MAX_CODES:,} codes.", "too-costly")
        for rule in compose.get("exclude", ()):
            for key in self._rule(rule, (*within, url)):
                found.pop(key, None)
        if compose.get("inactive") is False:
            found = {key: each for key, each in found.items() if not each.inactive}
        return found

    def _rule(self, rule: Json, within: tuple[str, ...]) -> Mapping[Key, Expanded]:
        codes = self._of_system(rule) if "system" in rule else None
        for each in rule.get("valueSet", ()):
            others = self._set(Canonical.parse(each), within)
            codes = others if codes is None else {key: code for key, code in codes.items() if key in others}
        if codes is None:
            raise TerminologyRefused("An include names neither a code system nor a value set.", "invalid")
        return codes

    def _set(self, canonical: Canonical, within: tuple[str, ...]) -> Mapping[Key, Expanded]:
        done = self._done.get(canonical)
        if done is None:
            try:
                definition = self._library.value_set(canonical)
            except NotLoaded:
                raise NotLoaded("value set", within=True) from None
            done = self._done[canonical] = self.of(definition, within)
        return done

    def _of_system(self, rule: Json) -> Mapping[Key, Expanded]:
        system = self._library.code_system(system_of(rule))
        if "concept" in rule:
            # Codes that are listed need no code system; it only adds what is known of them.
            listed = (_listed(rule, each, system) for each in rule["concept"])
            return {(each.system, each.code): each for each in listed}
        if system is None:
            raise NotLoaded("code system", within=True)
        if not system.complete:
            raise TerminologyRefused("The code system that the value set refers to is loaded in part only.")
        concepts: Iterable[Concept] = filtered(system, rule.get("filter", ()))
        return {(rule["system"], each.code): expanded(rule["system"], each, system.version) for each in concepts}


def expanded(url: str, concept: Concept, version: str | None) -> Expanded:
    """A concept as a code of an expansion."""
    return Expanded(
        system=url,
        code=concept.code,
        display=concept.display,
        version=version,
        inactive=concept.inactive,
        abstract=concept.abstract,
        designations=concept.designations,
    )


def _listed(rule: Json, row: Json, system: CodeSystem | None) -> Expanded:
    concept = system.find(row["code"]) if system else None
    return Expanded(
        system=rule["system"],
        code=row["code"],
        display=row.get("display") or (concept.display if concept else None),
        version=system.version if system else rule.get("version"),
        inactive=concept.inactive if concept else False,
        abstract=concept.abstract if concept else False,
        designations=tuple(row.get("designation", ())) or (concept.designations if concept else ()),
    )


def _stored(value_set: Json) -> Mapping[Key, Expanded]:
    """The codes of a ValueSet that is only an expansion, if that is whole."""
    expansion = value_set.get("expansion")
    if expansion is None:
        raise TerminologyRefused("The value set has neither a definition nor an expansion.", "invalid")
    found: dict[Key, Expanded] = {}
    waiting = list(reversed(expansion.get("contains", ())))
    while waiting:
        row = waiting.pop()
        waiting.extend(reversed(row.get("contains", ())))
        if "code" in row:
            each = Expanded(
                system=row.get("system", ""),
                code=row["code"],
                display=row.get("display"),
                version=row.get("version"),
                inactive=row.get("inactive", False),
                abstract=row.get("abstract", False),
                designations=tuple(row.get("designation", ())),
            )
            found[(each.system, each.code)] = each
        if len(found) > MAX_CODES:
            raise TerminologyRefused(f"The value set has more than {MAX_CODES:,} codes.", "too-costly")
    if expansion.get("total", len(found)) > len(found) or expansion.get("offset", 0):
        raise TerminologyRefused("The value set is loaded as a part of an expansion only.")
    return found

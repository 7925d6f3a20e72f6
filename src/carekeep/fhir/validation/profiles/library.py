"""The profiles and value sets that are at hand, compiled when they are first asked for."""

from collections.abc import Mapping
from typing import Any, Literal

from carekeep.fhir import terminology
from carekeep.fhir.definitions import DATATYPES, RESOURCE_TYPES, value_set
from carekeep.fhir.fhirpath import Undecided, resource_node
from carekeep.fhir.outcome import Issue
from carekeep.fhir.terminology import Canonical, CodeSystem, TerminologyRefused
from carekeep.fhir.validation.profiles.checking import Checking
from carekeep.fhir.validation.profiles.compiling import CORE, Compiler, dependencies
from carekeep.fhir.validation.profiles.demands import Codes
from carekeep.fhir.validation.profiles.rules import Profile
from carekeep.fhir.validation.profiles.tree import ProfileRefused, has_snapshot
from carekeep.fhir.validation.report import Enough, Report

Json = dict[str, Any]
Kind = Literal["StructureDefinition", "ValueSet", "CodeSystem"]
Wanted = tuple[Kind, str]
"""A definition as it is referred to: its type, and its canonical URL with the version, if one is meant."""


class Library:
    """Compiles what is asked of it from ``definitions``; what was looked for in vain is None there.

    The definitions may grow, by whole closures of ``needed_by``, and are never changed: that takes a new library.
    """

    def __init__(self, definitions: Mapping[Wanted, Json | None]) -> None:
        self._definitions = definitions
        self._profiles: dict[str, Profile | ProfileRefused | None] = {}
        self._codes: dict[str, Codes | None] = {}
        self._systems: dict[Canonical, CodeSystem] = {}
        self._compiling: set[str] = set()

    def profile(self, canonical: str) -> Profile | ProfileRefused | None:
        """A compiled profile, why it cannot be used, or None if there is none."""
        if canonical not in self._profiles:
            try:
                self._profiles[canonical] = self._compiled(canonical)
            except ProfileRefused as refused:
                self._profiles[canonical] = refused
        return self._profiles[canonical]

    def conforming(self, canonical: str) -> Profile | None:
        """A compiled profile, or None if it is not known or cannot be used."""
        found = self.profile(canonical)
        return found if isinstance(found, Profile) else None

    def codes(self, canonical: str) -> Codes | None:
        """The codes of a value set that is at hand, or of one of R4's own; None where they are not known."""
        if canonical not in self._codes:
            definition = self._definitions.get(("ValueSet", canonical))
            loaded = self._expanded(definition) if definition is not None else None
            self._codes[canonical] = value_set(canonical.partition("|")[0]) if loaded is None else loaded
        return self._codes[canonical]

    def _expanded(self, definition: Json) -> Codes | None:
        sets = {}
        for (kind, text), found in self._definitions.items():
            canonical = Canonical.parse(text)
            if found is not None and kind == "ValueSet":
                sets[canonical] = found
            elif found is not None and kind == "CodeSystem" and canonical not in self._systems:
                self._systems[canonical] = CodeSystem.read(found)
        try:
            expansion = terminology.expand(definition, terminology.Library(sets, self._systems))
        except TerminologyRefused:
            return None
        codes: dict[str, set[str]] = {}
        for system, code in expansion:
            codes.setdefault(system, set()).add(code)
        return {system: frozenset(some) for system, some in codes.items()}

    def _compiled(self, canonical: str) -> Profile | None:
        definition = self._definitions.get(("StructureDefinition", canonical))
        if definition is None:
            return None
        if canonical in self._compiling:
            raise ProfileRefused("it is based on itself")
        self._compiling.add(canonical)
        try:
            based_on = () if has_snapshot(definition) else self._base(definition)
            return Compiler(definition, self.codes).profile(based_on)
        finally:
            self._compiling.discard(canonical)

    def _base(self, definition: Json) -> tuple[Profile, ...]:
        """What a profile without a snapshot is based on, beside the base standard: it must hold as well."""
        base = str(definition.get("baseDefinition", ""))
        if base.removeprefix(CORE) in RESOURCE_TYPES | DATATYPES:
            return ()
        found = self.profile(base)
        if not isinstance(found, Profile):
            reason = "it is not loaded" if found is None else str(found)
            raise ProfileRefused(f"it has no snapshot, and its base {base} cannot be used: {reason}")
        return (found,)


def needed_by(wanted: Wanted, definition: Json) -> frozenset[Wanted]:
    """The definitions that one definition is used with, as far as it names them itself."""
    found: set[Wanted] = set()
    if wanted[0] == "StructureDefinition":
        profiles, value_sets = dependencies(definition)
        found.update(("StructureDefinition", canonical) for canonical in profiles)
        found.update(("ValueSet", canonical) for canonical in value_sets)
    elif wanted[0] == "ValueSet":
        others, systems = terminology.needed_by(definition)
        found.update(("ValueSet", str(canonical)) for canonical in others)
        found.update(("CodeSystem", str(canonical)) for canonical in systems)
    return frozenset(found)


def conformance(resource: Json, profile: Profile, library: Library, *, lenient: bool = False) -> tuple[Issue, ...]:
    """How a resource that the base standard allows breaks a profile, in the order of the profile's elements.

    What the profile asks and is not looked at is told as information. ``lenient`` makes warnings of errors.
    """
    report = Report(lenient=lenient)
    node = resource_node(resource)
    try:
        Checking(node, report, library).profile(profile, node, (None, node.kind, None))
    except Enough:
        pass
    except Undecided:
        return (Issue("error", "too-costly", "", f"It takes too much work to check {profile.url}"),)
    left_out = (f"Not evaluated for {profile.url}: {what}" for what in profile.left_out)
    return (*report.issues, *(Issue("information", "incomplete", "", words) for words in left_out))

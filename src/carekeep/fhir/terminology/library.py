"""What is loaded, for one question: value sets and code systems by their URLs, and the codes that R4 itself binds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from carekeep.fhir.definitions import FHIR_VERSION, value_set
from carekeep.fhir.terminology.canonical import Canonical
from carekeep.fhir.terminology.code_system import CodeSystem

Json = dict[str, Any]
Kind = Literal["value set", "code system"]


class TerminologyRefused(Exception):
    """The question cannot be answered from what is loaded. ``code`` is of FHIR's IssueType."""

    def __init__(self, text: str, code: str = "not-supported") -> None:
        super().__init__(text)
        self.code = code


class NotLoaded(TerminologyRefused):
    """A value set or code system is not loaded. The text does not repeat the URL, which may be anything."""

    def __init__(self, kind: Kind, *, within: bool = False) -> None:
        asked = "that the value set refers to" if within else "that is asked for"
        super().__init__(
            f"This server has no {kind} with the URL (and version) {asked} loaded. "
            f"Store it as a {'ValueSet' if kind == 'value set' else 'CodeSystem'} and ask again."
        )
        self.within = within


@dataclass(frozen=True, slots=True)
class Library:
    """Loaded resources by canonical, as they were asked for; the code systems are read once."""

    value_sets: Mapping[Canonical, Json] = field(default_factory=dict, repr=False)
    code_systems: Mapping[Canonical, CodeSystem] = field(default_factory=dict, repr=False)

    def value_set(self, canonical: Canonical) -> Json:
        """A ValueSet resource, those of R4's required bindings included. Raises NotLoaded."""
        found = self.value_sets.get(canonical) or bound_value_set(canonical)
        if found is None:
            raise NotLoaded("value set")
        return found

    def code_system(self, canonical: Canonical) -> CodeSystem | None:
        """A code system, or None."""
        return self.code_systems.get(canonical)


def bound_value_set(canonical: Canonical) -> Json | None:
    """A value set that R4 binds elements to as required, as a ValueSet without names for its codes; None for others.

    Also None for those that are open (all of UCUM, all MIME types): their codes are not a list.
    """
    if canonical.version not in {None, FHIR_VERSION}:
        return None
    systems = value_set(canonical.url)
    if systems is None:
        return None
    return {
        "resourceType": "ValueSet",
        "url": canonical.url,
        "version": FHIR_VERSION,
        "status": "active",
        "compose": {
            "include": [
                {"system": system, "concept": [{"code": code} for code in sorted(codes)]}
                for system, codes in sorted(systems.items())
            ]
        },
    }

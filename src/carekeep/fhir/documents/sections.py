"""The sections of the International Patient Summary (IPS 2.0.0, Composition-uv-ips).

For each: what belongs into it, and how it is told.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from carekeep.fhir.documents import words
from carekeep.fhir.documents.last import last_of_each

Json = dict[str, Any]
Choice = Callable[[Iterable[Json]], list[Json]]

_ENDED = frozenset({"inactive", "resolved", "remission"})
_NOT_SO = frozenset({"entered-in-error", "refuted"})
_TAKEN: Final = {
    "MedicationStatement": frozenset({"active", "intended", "on-hold", "unknown"}),
    "MedicationRequest": frozenset({"active", "on-hold", "unknown"}),
}
_REPORTED = frozenset({"final", "amended", "corrected"})
# Observations that IPS tells of elsewhere, or not at all.
_NO_RESULTS = frozenset({"vital-signs", "social-history", "survey", "activity", "therapy", "exam"})


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its LOINC code with the code's name, its title, and whether it must be there.

    ``choose`` gives what belongs into it out of resources of its ``types``; ``columns`` tell of each.
    """

    code: str
    display: str
    title: str
    types: frozenset[str]
    choose: Choice
    columns: tuple[tuple[str, words.Cell], ...]
    required: bool = False


def _each(holds: Callable[[Json], bool]) -> Choice:
    return lambda resources: [resource for resource in resources if holds(resource)]


def _codes(value: Any) -> set[str]:
    return {coding.get("code", "") for each in words.several(value) for coding in each.get("coding", ())}


def _current(resource: Json) -> bool:
    """A problem or allergy that is neither over nor a mistake."""
    return not (_ENDED & _codes(resource.get("clinicalStatus")) or _NOT_SO & _codes(resource.get("verificationStatus")))


def _taken(resource: Json) -> bool:
    return resource.get("status") in _TAKEN[resource["resourceType"]] and not resource.get("doNotPerform", False)


def _results(resources: Iterable[Json]) -> list[Json]:
    """The newest of each kind: what IPS calls relevant, a chart of years does not say."""
    told = [
        resource
        for resource in resources
        if resource.get("status") in _REPORTED and not _NO_RESULTS & _codes(resource.get("category"))
    ]
    reports = [resource for resource in told if resource["resourceType"] == "DiagnosticReport"]
    return last_of_each((each for each in told if each["resourceType"] == "Observation"), 1) + last_of_each(reports, 1)


def _of_status(*statuses: str) -> Choice:
    return _each(lambda resource: resource.get("status") in statuses)


SECTIONS: Final = (
    Section(
        "11450-4",
        "Problem list - Reported",
        "Problem list",
        frozenset({"Condition"}),
        _each(_current),
        (
            ("Problem", words.concept("code")),
            ("Status", words.concept("clinicalStatus")),
            ("Since", words.when("onset", "recordedDate")),
            ("Notes", words.notes),
        ),
        required=True,
    ),
    Section(
        "48765-2",
        "Allergies and adverse reactions Document",
        "Allergies and intolerances",
        frozenset({"AllergyIntolerance"}),
        _each(_current),
        (
            ("To", words.concept("code")),
            ("Criticality", words.code("criticality")),
            ("Reactions", words.reactions),
            ("Since", words.when("onset", "recordedDate")),
            ("Notes", words.notes),
        ),
        required=True,
    ),
    Section(
        "10160-0",
        "History of Medication use Narrative",
        "Medication summary",
        frozenset(_TAKEN),
        _each(_taken),
        (
            ("Medication", words.referred("medicationCodeableConcept", "medicationReference")),
            ("Dosage", words.dosage),
            ("Status", words.code("status")),
            ("Since", words.when("effective", "authoredOn")),
            ("Notes", words.notes),
        ),
        required=True,
    ),
    Section(
        "11369-6",
        "History of Immunization Narrative",
        "Immunizations",
        frozenset({"Immunization"}),
        _of_status("completed"),
        (
            ("Vaccine", words.concept("vaccineCode")),
            ("Given", words.when("occurrence")),
            ("Notes", words.notes),
        ),
    ),
    Section(
        "30954-2",
        "Relevant diagnostic tests/laboratory data Narrative",
        "Results",
        frozenset({"Observation", "DiagnosticReport"}),
        _results,
        (
            ("Test", words.concept("code")),
            ("Result", words.result),
            ("Meaning", words.concept("interpretation")),
            ("When", words.when("effective", "issued")),
            ("Notes", words.notes),
        ),
    ),
    Section(
        "47519-4",
        "History of Procedures Document",
        "History of procedures",
        frozenset({"Procedure"}),
        _of_status("completed", "in-progress"),
        (
            ("Procedure", words.concept("code")),
            ("When", words.when("performed")),
            ("Notes", words.notes),
        ),
    ),
    Section(
        "46264-8",
        "History of medical device use",
        "Medical devices",
        frozenset({"DeviceUseStatement"}),
        _of_status("active", "on-hold"),
        (
            ("Device", words.referred("", "device")),
            ("Since", words.when("timing", "recordedOn")),
            ("Notes", words.notes),
        ),
    ),
)

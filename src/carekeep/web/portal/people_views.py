"""What the page of people who act for a patient shows and takes: kinds of records in words, and until when. Pure."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from carekeep.access.consents.acting import Acting

LONGEST_NAME: Final = 120
_LONGEST: Final = datetime.timedelta(days=365)

KINDS: Mapping[str, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        "problems": (
            "Problems, allergies and vaccinations",
            frozenset({"AllergyIntolerance", "Condition", "FamilyMemberHistory", "Immunization", "Procedure"}),
        ),
        "medicines": (
            "Medicines",
            frozenset({"Medication", "MedicationDispense", "MedicationRequest", "MedicationStatement"}),
        ),
        "results": (
            "Results and reports",
            frozenset({"DiagnosticReport", "ImagingStudy", "Media", "Observation", "Specimen"}),
        ),
        "visits": (
            "Visits, appointments and plans",
            frozenset({"Appointment", "CarePlan", "CareTeam", "Encounter", "Goal", "ServiceRequest"}),
        ),
        "documents": ("Documents and letters", frozenset({"Binary", "Composition", "DocumentReference"})),
        "messages": ("Messages", frozenset({"Communication"})),
        "looks": ("Who looked at my record", frozenset({"AuditEvent"})),
    }
)
"""The kinds that can be chosen: what people call them (English, to be translated), and their resource types."""

RELATIONSHIPS: Mapping[str, str] = MappingProxyType(
    {
        "PRN": "Parent",
        "CHILD": "Child",
        "SPS": "Husband, wife or partner",
        "SIB": "Brother or sister",
        "FAMMEMB": "Another relative",
        "FRND": "Friend",
        "NBOR": "Neighbour",
    }
)
"""Codes of v3-RoleCode, and what people call them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form says, checked. ``trouble``: what is wrong with it (English, to be translated), "" for nothing."""

    name: str = field(repr=False)
    relationship: str
    kinds: tuple[str, ...]
    sensitive: bool
    last_day: str
    trouble: str = ""

    @property
    def types(self) -> frozenset[str]:
        """The resource types of its kinds."""
        return frozenset().union(*(KINDS[kind][1] for kind in self.kinds))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acts, or acted, for the patient. ``holds``: at this moment."""

    acting: Acting
    name: str = field(repr=False)
    relationship: str
    holds: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of which they may read everything."""
        return tuple(kind for kind, (_, types) in KINDS.items() if types <= self.acting.types)


def days(now_ms: int) -> tuple[str, str]:
    """The first and the last day that may be chosen: today (UTC), and a year later."""
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date()
    return today.isoformat(), (today + _LONGEST).isoformat()


def asked_of(get: Callable[[str], str], now_ms: int, *, needs_person: bool) -> Asked:
    """What a form says. ``get``: its fields by name; ``needs_person``: whether it is about somebody new."""
    name, relationship = get("name").strip(), get("relationship")
    kinds = tuple(kind for kind in KINDS if get(f"kind-{kind}") == "yes")
    last_day = get("until")
    trouble = ""
    if needs_person and not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
        trouble = "Write the person's name, in at most 120 characters."
    elif needs_person and relationship not in RELATIONSHIPS:
        trouble = "Choose who the person is to you."
    elif not kinds:
        trouble = "Choose at least one kind of records."
    elif not _is_day(last_day, *days(now_ms)):
        trouble = "Choose a last day: today or later, and at most a year from now."
    return Asked(name[:LONGEST_NAME], relationship, kinds, get("sensitive") == "yes", last_day, trouble)


def _is_day(text: str, first: str, last: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text and first <= text <= last
    except ValueError:
        return False

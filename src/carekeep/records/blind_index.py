"""From what the index must know of a resource to the tags that the database sees.

Tags of a patient's records are keyed by that patient, so that equal facts of two people do not look equal. Three kinds
are keyed for all and live under scope 0: those of Patient itself and of what belongs to no patient (they are searched
across patients), ``_care``, which finds the patients that a practitioner is related to, and ``_guest``, which finds the
records that are in a patient's compartment but belong to another patient first (an appointment of two).
"""

from collections.abc import Iterable
from typing import Any

from carekeep.encryption import Keyring, ScopeKeys
from carekeep.fhir import index_terms, patients_of

SHARED = 0
CARE = "_care"
_GUEST = "_guest"

# The elements in which records name who cares for their patient, as the access room reads them.
_CARE_ELEMENTS = {
    "CareTeam": "participant.",
    "Encounter": "participant.",
    "Appointment": "participant.",
    "Patient": "generalPractitioner:",
}

Tags = frozenset[tuple[int, int]]
Fact = tuple[int, tuple[str | bytes, ...]]
"""What the index says of a record: under which scope, and what its tag is made of. Health data in plaintext."""


def index_scope(type_: str, scope: int) -> int:
    """Under which scope the tags of a record stand that is sealed under ``scope``."""
    return SHARED if type_ == "Patient" else scope


def facts_of(resource: dict[str, Any], scope: int) -> frozenset[Fact]:
    """What the index must say of a resource that is sealed under ``scope``."""
    type_ = resource["resourceType"]
    at = index_scope(type_, scope)
    terms = index_terms(resource)
    facts: set[Fact] = {(at, (type_, parameter, value)) for parameter, value in terms}
    element = _CARE_ELEMENTS.get(type_)
    if element is not None and scope != SHARED:
        facts.update((SHARED, (CARE, value)) for parameter, value in terms if parameter.startswith(element))
    facts.update((SHARED, (_GUEST, patient)) for patient in patients_of(resource)[1:])
    return frozenset(facts)


def tags_of(facts: Iterable[Fact], keys: ScopeKeys, keyring: Keyring) -> Tags:
    """The ``(scope, tag)`` pairs of what the index says of a resource that is sealed under ``keys``."""
    own, shared = keys.tags.tag, keyring.shared.tags.tag
    return frozenset([(scope, (shared if scope == SHARED else own)(*parts)) for scope, parts in facts])


def guest_tag(keyring: Keyring, patient: str) -> int:
    """The shared tag that says: this record belongs to another patient first, and to this one (an id) as well."""
    return keyring.shared.tags.tag(_GUEST, patient)


def care_tag(keyring: Keyring, reference: bytes) -> int:
    """The shared tag that says: this record relates its patient to ``reference`` (``Practitioner/x`` and so on)."""
    return keyring.shared.tags.tag(CARE, reference)

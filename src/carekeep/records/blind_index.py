"""From what the index must know of a resource to the tags that the database sees.

Tags of a patient's records are keyed by that patient, so that equal facts of two people do not look equal. Three kinds
are keyed for all and live under scope 0: those of Patient itself and of what belongs to no patient (they are searched
across patients), ``_care``, which finds the patients that a practitioner is related to, and ``_guest``, which finds the
records that are in a patient's compartment but belong to another patient first (an appointment of two).
"""

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


def index_scope(type_: str, scope: int) -> int:
    """Under which scope the tags of a record stand that is sealed under ``scope``."""
    return SHARED if type_ == "Patient" else scope


def tags_of(resource: dict[str, Any], keys: ScopeKeys, keyring: Keyring) -> Tags:
    """The ``(scope, tag)`` pairs of a resource that is sealed under ``keys``."""
    type_ = resource["resourceType"]
    scope = index_scope(type_, keys.scope)
    tagger = keyring.shared.tags if scope == SHARED else keys.tags
    terms = index_terms(resource)
    tag = tagger.tag
    tags = {(scope, tag(type_, term.parameter, term.value)) for term in terms}
    element = _CARE_ELEMENTS.get(type_)
    if element is not None and keys.scope != SHARED:
        tags.update((SHARED, care_tag(keyring, term.value)) for term in terms if term.parameter.startswith(element))
    tags.update((SHARED, guest_tag(keyring, patient)) for patient in patients_of(resource)[1:])
    return frozenset(tags)


def guest_tag(keyring: Keyring, patient: str) -> int:
    """The shared tag that says: this record belongs to another patient first, and to this one (an id) as well."""
    return keyring.shared.tags.tag(_GUEST, patient)


def care_tag(keyring: Keyring, reference: bytes) -> int:
    """The shared tag that says: this record relates its patient to ``reference`` (``Practitioner/x`` and so on)."""
    return keyring.shared.tags.tag(CARE, reference)

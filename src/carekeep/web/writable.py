"""What of the records may be written, what the policies see of a resource that is not stored yet, and who is told."""

from collections.abc import Iterable, Sequence
from typing import Any

from carekeep.access import CARE_TYPES, Proposed, Target
from carekeep.access.consents import TOPIC as CONSENT_TOPIC
from carekeep.access.consents import ConsentRefused, read_consent
from carekeep.fhir import Issue, labels_of, patients_of
from carekeep.web.profiles import PROFILE_TYPES, PROFILES_TOPIC

CARE_TOPIC = "care"  # of generations: bumped with changes to records from which care relationships are read
_TOPICS = {
    **dict.fromkeys(CARE_TYPES, CARE_TOPIC),
    "RelatedPerson": CARE_TOPIC,
    "Consent": CONSENT_TOPIC,
    **dict.fromkeys(PROFILE_TYPES, PROFILES_TOPIC),
}
UNWRITABLE = {"AuditEvent": "The ledger writes AuditEvents; nobody else does."}


def target_of_resource(resource: dict[str, Any], owners: Sequence[str] = ()) -> Target:
    """What decisions depend on, of a resource that is not stored yet; ``owners`` are patients that it does not name."""
    patients = patients_of(resource)
    if owners:
        patients = tuple(dict.fromkeys((*patients, *owners)))
    return Target(resource["resourceType"], patients, labels_of(resource), Proposed(resource))


def topics_of(types: Iterable[str]) -> list[str]:
    """The generations to bump with changes to records of these types: what is cached of them is out of date."""
    return sorted({_TOPICS[type_] for type_ in types if type_ in _TOPICS})


def unenforceable(resource: dict[str, Any]) -> tuple[Issue, ...]:
    """Why a resource cannot be kept though it is valid: a consent that could not be enforced is never taken."""
    if resource.get("resourceType") != "Consent":
        return ()
    try:
        read_consent(resource)
    except ConsentRefused as refused:
        return refused.issues
    return ()

"""Statuses in sentences. What is as usual (a final result, a finished visit) is not worth one."""

from collections.abc import Mapping
from typing import Any, Final

from carekeep.web.plain.speech import Speech

Json = Mapping[str, Any]

_WRONG: Final = "Entered by mistake: this does not count."
_TREATMENT: Final[Mapping[str, str]] = {
    "active": "You take this now.",
    "on-hold": "Paused for the moment.",
    "cancelled": "Was not begun.",
    "completed": "You do not take this any more.",
    "stopped": "Was stopped.",
    "draft": "Not prescribed yet.",
    "intended": "You are to take this.",
    "not-taken": "You do not take this.",
}
_RESULT: Final[Mapping[str, str]] = {
    "registered": "Not there yet.",
    "partial": "Parts of this are not there yet.",
    "preliminary": "Not final yet: this may change.",
    "amended": "Was changed after it was first reported.",
    "corrected": "Was corrected after it was first reported.",
    "appended": "Something was added after it was first reported.",
    "cancelled": "Could not be made.",
}
_DEED: Final[Mapping[str, str]] = {
    "preparation": "Is being prepared.",
    "in-progress": "Under way now.",
    "not-done": "Was not done.",
    "on-hold": "Interrupted for the moment.",
    "stopped": "Was broken off.",
    "planned": "Planned.",
    "arrived": "You have arrived.",
    "triaged": "You have arrived.",
    "onleave": "You are away for a while.",
    "cancelled": "Did not take place.",
}
_APPOINTMENT: Final[Mapping[str, str]] = {
    "proposed": "Not settled yet.",
    "pending": "Not settled yet.",
    "waitlist": "You are on the waiting list.",
    "cancelled": "Was cancelled.",
    "noshow": "Was missed.",
}
_DOCUMENT: Final[Mapping[str, str]] = {"superseded": "There is a newer version of this."}
_PROBLEM: Final[Mapping[str, str]] = {
    "active": "Present now.",
    "recurrence": "Has come back.",
    "relapse": "Has come back.",
    "inactive": "Not a problem at the moment.",
    "remission": "Not noticeable at the moment.",
    "resolved": "Is over.",
}
_DOUBT: Final[Mapping[str, str]] = {
    "unconfirmed": "Not certain.",
    "provisional": "Not certain.",
    "differential": "One of several possibilities.",
    "refuted": "Was ruled out.",
    "entered-in-error": _WRONG,
}
_SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "MedicationRequest": _TREATMENT,
    "MedicationStatement": _TREATMENT,
    "Observation": _RESULT,
    "DiagnosticReport": _RESULT,
    "Immunization": _DEED,
    "Procedure": _DEED,
    "Encounter": _DEED,
    "Appointment": _APPOINTMENT,
    "DocumentReference": _DOCUMENT,
}
ALL: Final = frozenset(
    sentence for table in (*_SENTENCES.values(), _PROBLEM, _DOUBT) for sentence in (*table.values(), _WRONG)
)
"""Every sentence that may be said, in English."""


def spoken_status(speech: Speech, resource: Json) -> str:
    """What the status of a record means for its patient; nothing where it goes without saying."""
    if resource.get("status") == "entered-in-error":
        return speech.say(_WRONG)
    if resource.get("resourceType") in {"Condition", "AllergyIntolerance"}:
        doubt = _DOUBT.get(_code(resource.get("verificationStatus")), "")
        said = doubt or _PROBLEM.get(_code(resource.get("clinicalStatus")), "")
    else:
        said = _SENTENCES.get(str(resource.get("resourceType")), {}).get(str(resource.get("status")), "")
    return speech.say(said) if said else ""


def is_mistaken(resource: Json) -> bool:
    """Whether a record was entered by mistake, or what it says was ruled out: it stands for nothing."""
    return resource.get("status") == "entered-in-error" or _code(resource.get("verificationStatus")) in {
        "entered-in-error",
        "refuted",
    }


def is_current(resource: Json) -> bool:
    """Whether a problem, an allergy or a medicine is one of now."""
    if is_mistaken(resource):
        return False
    if "clinicalStatus" in resource:
        return _code(resource["clinicalStatus"]) in {"active", "recurrence", "relapse"}
    if resource.get("resourceType") == "AllergyIntolerance":
        return True
    return resource.get("status") in {"active", "on-hold", "intended"}


def _code(concept: object) -> str:
    codings = concept.get("coding", ()) if isinstance(concept, Mapping) else ()
    return next((str(coding.get("code")) for coding in codings if coding.get("code")), "")

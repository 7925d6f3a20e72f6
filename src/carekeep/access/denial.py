"""The sentence for a request that no policy permits: why, and what the person can do about it.

It names neither patient nor person: it goes into answers, and the asker may not even know that the patient exists.
"""

from collections.abc import Callable

from carekeep.access.decision import Visible
from carekeep.access.vocabulary import RECORD_OF_PATIENT, RECORD_SHARED, RECORD_TYPE, Action, Purpose, Relation

_CARE = (Purpose.TREAT, Purpose.ETREAT, Purpose.COC)
_EMERGENCY = (Action.BREAK_GLASS, Action.FIND_IN_EMERGENCY)
_READING = (Action.READ, Action.VREAD, Action.HISTORY)


def why_nothing_permits(seen: Visible) -> str:
    """Explain a default deny. The first case that fits speaks."""
    for fits, sentence in _CASES:
        if fits(seen):
            return sentence
    return f"Denied: no policy gives a {seen.kind} account the right {seen.action.value}."


def _of_patient(kind: str) -> Callable[[Visible], bool]:
    return lambda seen: seen.kind == kind and seen.entity == RECORD_OF_PATIENT


def _stranger(seen: Visible) -> bool:
    return _of_patient("practitioner")(seen) and not seen.relations


# Ordered: what fits first is what the person should hear.
_CASES: tuple[tuple[Callable[[Visible], bool], str], ...] = (
    (
        lambda seen: seen.kind == "practitioner" and not seen.identified and seen.action in _EMERGENCY,
        "Denied: this account is not bound to a Practitioner record. Ask an administrator to bind it.",
    ),
    (
        lambda seen: seen.action in _EMERGENCY and seen.kind == "practitioner",
        "Denied: emergency access is opened with the purpose of use ETREAT.",
    ),
    (
        lambda seen: _stranger(seen) and seen.break_glass and seen.purpose is not Purpose.ETREAT,
        "Denied: emergency access is open, but the request does not state it. Send the purpose of use ETREAT.",
    ),
    (
        lambda seen: seen.purpose is Purpose.HRESCH and seen.entity == RECORD_OF_PATIENT and seen.action in _READING,
        "Denied: research takes the patient's own consent to research (purpose of use HRESCH).",
    ),
    (
        lambda seen: Relation.DELEGATE in seen.relations,
        "Denied: the patient's consent to act for them does not cover this. What it covers, it lets you read.",
    ),
    (
        _stranger,
        (
            "Denied: the practitioner has no care relationship with this patient, and no emergency access is open. "
            "Ask to be added to the care team, or open emergency access with a written reason (break-glass)."
        ),
    ),
    (
        lambda seen: _of_patient("practitioner")(seen) and seen.purpose not in _CARE,
        "Denied: clinicians see records for treatment only (purposes of use TREAT, COC, ETREAT).",
    ),
    (
        lambda seen: _of_patient("practitioner")(seen) and seen.action is Action.DELETE,
        "Denied: only the care team deletes clinical records, and nobody but a system the Patient record itself.",
    ),
    (
        lambda seen: _of_patient("patient")(seen) and not seen.relations,
        "Denied: a patient sees their own records only.",
    ),
    (
        lambda seen: _of_patient("patient")(seen) and seen.action not in _READING,
        "Denied: patients read their records here. Ask your care team to correct or add to them.",
    ),
    (
        lambda seen: seen.kind == "patient" and seen.entity in (RECORD_OF_PATIENT, RECORD_TYPE),
        "Denied: patients see their records for their own request only (purpose of use PATRQT).",
    ),
    (
        lambda seen: seen.kind == "app" and "system" not in seen.grants,
        "Denied: this app has no grant. An administrator can give it one.",
    ),
    (
        lambda seen: seen.kind == "app" and seen.entity in (RECORD_OF_PATIENT, RECORD_SHARED, RECORD_TYPE),
        "Denied: this purpose of use is not among those that a system of the organization may have.",
    ),
    (
        lambda seen: seen.entity == RECORD_SHARED and seen.action in _READING,
        "Denied: the record belongs to no patient and is not part of the directory that everyone here may read.",
    ),
    (
        lambda seen: seen.entity == RECORD_SHARED,
        "Denied: records that belong to no patient are kept by a system of the organization.",
    ),
)

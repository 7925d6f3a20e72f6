"""What scopes mean, in the words of a permission screen."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from carekeep.access.rights import ANY, Pair, Right

# Ordered: from who one is to what stays when one has left.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "openid": "Know that it is you.",
        "profile": "Know your name.",
        "fhirUser": "Know which record here is yours.",
        "launch": "Know what is open on the screen that it was started from.",
        "launch/patient": "Know which patient it is about.",
        "launch/encounter": "Know which visit it is about.",
        "online_access": "Do this for as long as you are signed in.",
        "offline_access": "Do this when you are not there, until you take it back.",
    }
)
_THINGS: Mapping[str, str] = MappingProxyType(
    {
        ANY: "health record, everything in it",
        "AllergyIntolerance": "allergies",
        "Appointment": "appointments",
        "CarePlan": "care plans",
        "CareTeam": "care team",
        "Claim": "claims",
        "Condition": "diagnoses and health problems",
        "Consent": "consents",
        "Coverage": "insurance",
        "Device": "devices",
        "DiagnosticReport": "reports of examinations",
        "DocumentReference": "documents and notes",
        "Encounter": "visits and stays",
        "ExplanationOfBenefit": "bills and what the insurance paid",
        "FamilyMemberHistory": "family's health history",
        "Goal": "health goals",
        "ImagingStudy": "images",
        "Immunization": "vaccinations",
        "MedicationAdministration": "medicines as they were given",
        "MedicationDispense": "medicines as they were handed out",
        "MedicationRequest": "prescriptions",
        "MedicationStatement": "medicines",
        "Observation": "measurements, laboratory results and other observations",
        "Patient": "name, address and other personal details",
        "Procedure": "operations and treatments",
        "QuestionnaireResponse": "answers to questionnaires",
        "ServiceRequest": "referrals and orders",
    }
)
# By type and the code of a category.
_KINDS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("Condition", "encounter-diagnosis"): "diagnoses made at visits",
        ("Condition", "health-concern"): "health concerns",
        ("Condition", "problem-list-item"): "list of health problems",
        ("DocumentReference", "clinical-note"): "clinical notes",
        ("Observation", "activity"): "activity and exercise",
        ("Observation", "exam"): "findings of examinations",
        ("Observation", "imaging"): "findings from images",
        ("Observation", "laboratory"): "laboratory results",
        ("Observation", "procedure"): "observations from procedures",
        ("Observation", "social-history"): "social history, such as smoking",
        ("Observation", "survey"): "answers to surveys",
        ("Observation", "therapy"): "observations from therapies",
        ("Observation", "vital-signs"): "vital signs, such as blood pressure",
    }
)


def rights_in_words(rights: Sequence[Right], whose: str) -> tuple[str, ...]:
    """A sentence for each right: those that only see first, those that delete last."""
    return tuple(f"{_verbs(right)} {_things(right, whose)}." for right in sorted(rights, key=_weight))


def words_in_words(words: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each scope that is no right to records. Raises KeyError for one that is not known."""
    order = list(_WORDS)
    return tuple(_WORDS[word] for word in sorted(words, key=order.index))


def _weight(right: Right) -> tuple[bool, bool, bool, str, str]:
    letters = right.letters
    return "d" in letters, "u" in letters, "c" in letters, right.level, right.type


def _verbs(right: Right) -> str:
    """What is done, as a sentence begins: See, Add to, See and change."""
    verbs = [
        verb
        for letters, verb in (("rs", "see"), ("c", "add to"), ("u", "change"), ("d", "delete"))
        if set(letters) & set(right.letters)
    ]
    said = verbs[0] if len(verbs) == 1 else f"{', '.join(verbs[:-1])} and {verbs[-1]}"
    return said[0].upper() + said[1:]


def _things(right: Right, whose: str) -> str:
    if right.level == "patient":
        return f"{whose} {_noun(right)}"
    if right.level == "user":
        return f"the {_noun(right)} of everyone whose records you may see"
    return f"the {_noun(right)} of everyone"


def _noun(right: Right) -> str:
    """What the records are. Arguments that have no words are shown as they are: what is hidden cannot be judged."""
    category = _category(right.arguments)
    known = _KINDS.get((right.type, category or ""))
    rest = [f"{name} = {value}" for name, value in right.arguments if known is None or name != "category"]
    noun = known or _THINGS.get(right.type) or f"records of the kind {right.type}"
    return f"{noun} (only those with {' and '.join(rest)})" if rest else noun


def _category(arguments: Sequence[Pair]) -> str | None:
    """The code of the one category that is asked for."""
    found = [value for name, value in arguments if name == "category"]
    return found[0].rpartition("|")[2] if len(found) == 1 else None

"""What records are, in words that patients use. Types that few have met stand under a general word."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

_OTHER = "other records"
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "Patient": "name and contact details",
        "RelatedPerson": "family and contacts",
        "Person": "name and contact details",
        "AllergyIntolerance": "allergies",
        "Condition": "problems and diagnoses",
        "Procedure": "procedures",
        "Observation": "measurements and test results",
        "DiagnosticReport": "measurements and test results",
        "Specimen": "measurements and test results",
        "ImagingStudy": "images",
        "Media": "images",
        "Immunization": "vaccinations",
        "ImmunizationRecommendation": "vaccinations",
        "Medication": "medicines",
        "MedicationRequest": "medicines",
        "MedicationStatement": "medicines",
        "MedicationAdministration": "medicines",
        "MedicationDispense": "medicines",
        "Encounter": "visits and stays",
        "EpisodeOfCare": "visits and stays",
        "Appointment": "appointments",
        "AppointmentResponse": "appointments",
        "CareTeam": "care team and plans",
        "CarePlan": "care team and plans",
        "Goal": "care team and plans",
        "ServiceRequest": "referrals and orders",
        "Task": "referrals and orders",
        "DocumentReference": "documents and letters",
        "Composition": "documents and letters",
        "Binary": "documents and letters",
        "Bundle": "documents and letters",
        "Communication": "messages",
        "CommunicationRequest": "messages",
        "Questionnaire": "questionnaires",
        "QuestionnaireResponse": "questionnaires",
        "FamilyMemberHistory": "family history",
        "Consent": "consents",
        "Coverage": "insurance and bills",
        "Claim": "insurance and bills",
        "ClaimResponse": "insurance and bills",
        "ExplanationOfBenefit": "insurance and bills",
        "Account": "insurance and bills",
        "Invoice": "insurance and bills",
        "Device": "medical devices",
        "DeviceUseStatement": "medical devices",
        "AuditEvent": "who looked at the record",
    }
)


def kinds_of(types: Iterable[str]) -> tuple[str, ...]:
    """The words for resource types, each once, in their order; "other records" at the end."""
    words = {_WORDS.get(type_, _OTHER) for type_ in types}
    return (*sorted(words - {_OTHER}), *(words & {_OTHER}))


def enumerated(words: Iterable[str]) -> str:
    """Words as a sentence lists them: "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last

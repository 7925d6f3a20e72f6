"""Records of one patient, as short as FHIR lets them be, and text that must never become markup."""

from typing import Any

Json = dict[str, Any]

BASE = "https://records.example.org/fhir"
PATIENT: Json = {
    "resourceType": "Patient",
    "id": "ada",
    "name": [{"family": "Moreau", "given": ["Robin"]}],
    "birthDate": "1970-02-28",
}

# What browsers have been made to run: each as a name, a note, a display.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "</div><script>alert(1)</script><div>",
    "]]><script>alert(1)</script>",
    "<!--<script>-->",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{constructor.constructor('alert(1)')()}}",
    "<a href='javascript:alert(1)'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<style>@import 'https://example.org/x.css';</style>",
    "<?xml-stylesheet href='x'?>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\N{RIGHT-TO-LEFT OVERRIDE}<b>x</b>",
    "＜script＞alert(1)＜/script＞",  # noqa: RUF001 - wide brackets on purpose
)


def condition(id_: str, text: str = "Asthma", *, clinical: str | None = "active", **more: Any) -> Json:
    """A problem."""
    found: Json = {
        "resourceType": "Condition",
        "id": id_,
        "code": {"text": text},
        "subject": {"reference": "Patient/ada"},
        **more,
    }
    if clinical is not None:
        system = "http://terminology.hl7.org/CodeSystem/condition-clinical"
        found["clinicalStatus"] = {"coding": [{"system": system, "code": clinical}]}
    return found


def allergy(id_: str, text: str = "Peanut", **more: Any) -> Json:
    """An allergy."""
    system = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
    return {
        "resourceType": "AllergyIntolerance",
        "id": id_,
        "clinicalStatus": {"coding": [{"system": system, "code": "active"}]},
        "code": {"text": text},
        "patient": {"reference": "Patient/ada"},
        **more,
    }


def prescription(id_: str, status: str = "active", **more: Any) -> Json:
    """A MedicationRequest that refers to its medication."""
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": status,
        "intent": "order",
        "medicationReference": {"reference": "Medication/metformin"},
        "subject": {"reference": "Patient/ada"},
        "authoredOn": "2026-02-01",
        "dosageInstruction": [{"text": "twice a day"}],
        **more,
    }


MEDICATION: Json = {"resourceType": "Medication", "id": "metformin", "code": {"text": "Metformin 500 mg"}}


def result(id_: str, code: str, value: float, day: str, category: str = "laboratory", **more: Any) -> Json:
    """A laboratory result."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": f"Test {code}"}]},
        "subject": {"reference": "Patient/ada"},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": "mmol/L"},
        **more,
    }


def immunization(id_: str, status: str = "completed") -> Json:
    """A vaccination."""
    return {
        "resourceType": "Immunization",
        "id": id_,
        "status": status,
        "vaccineCode": {"text": "Influenza"},
        "patient": {"reference": "Patient/ada"},
        "occurrenceDateTime": "2025-10-01",
    }


def procedure(id_: str, status: str = "completed") -> Json:
    """An operation."""
    return {
        "resourceType": "Procedure",
        "id": id_,
        "status": status,
        "code": {"text": "Appendectomy"},
        "subject": {"reference": "Patient/ada"},
        "performedDateTime": "2001-07",
    }


def device_use(id_: str, status: str = "active") -> Json:
    """A device that the patient carries."""
    return {
        "resourceType": "DeviceUseStatement",
        "id": id_,
        "status": status,
        "subject": {"reference": "Patient/ada"},
        "device": {"reference": "Device/pacemaker"},
    }


PACEMAKER: Json = {
    "resourceType": "Device",
    "id": "pacemaker",
    "deviceName": [{"name": "Pacemaker XY", "type": "user-friendly-name"}],
}


def labelled(resource: Json, *codes: str) -> Json:
    """The resource with confidentiality labels."""
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    return {**resource, "meta": {"security": [{"system": system, "code": code} for code in codes]}}

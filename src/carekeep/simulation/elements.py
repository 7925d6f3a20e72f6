"""The small parts that FHIR resources are made of. What they return is shared, so nobody may change it."""

from datetime import date, datetime
from functools import cache
from typing import Any

Element = dict[str, Any]

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
CVX = "http://hl7.org/fhir/sid/cvx"
UCUM = "http://unitsofmeasure.org"
MDC = "urn:iso:std:iso:11073:10101"
HL7 = "http://terminology.hl7.org/CodeSystem/"
CONFIDENTIALITY = HL7 + "v3-Confidentiality"
ACT_CODE = HL7 + "v3-ActCode"

# Namespaces of identifiers that this hospital gives out.
MRN_SYSTEM = "https://carekeep.example/identifier/mrn"
LICENSE_SYSTEM = "https://carekeep.example/identifier/license"
MEMBER_SYSTEM = "https://carekeep.example/identifier/insurance-member"
VISIT_SYSTEM = "https://carekeep.example/identifier/visit"
SERIAL_SYSTEM = "https://carekeep.example/identifier/device"


@cache
def coding(system: str, code: str, display: str | None = None) -> Element:
    """A Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


@cache
def concept(system: str, code: str, display: str) -> Element:
    """A CodeableConcept of one coding whose text is the coding's display."""
    return {"coding": [coding(system, code, display)], "text": display}


def hl7(system: str, code: str, display: str | None = None) -> Element:
    """A CodeableConcept from one of HL7's own code systems, named by the last part of its address."""
    return {"coding": [coding(HL7 + system, code, display)]}


@cache
def labels(confidentiality: str, sensitivity: str | None) -> Element:
    """A ``meta`` with security labels: a v3-Confidentiality code and, if given, a v3-ActCode sensitivity."""
    security = [coding(CONFIDENTIALITY, confidentiality)]
    if sensitivity:
        security.append(coding(ACT_CODE, sensitivity))
    return {"security": security}


def quantity(value: float, unit: str, ucum: str) -> Element:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": ucum}


def period(start: datetime | date, end: datetime | date | None = None) -> Element:
    """A Period; open when ``end`` is None."""
    if end is None:
        return {"start": start.isoformat()}
    return {"start": start.isoformat(), "end": end.isoformat()}

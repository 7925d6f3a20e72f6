"""Codes and labels for the tests of labelling."""

from typing import Any

from carekeep.access.labelling import ACT_CODE, CONFIDENTIALITY, Labelling, Rules
from carekeep.fhir import labels_of

Json = dict[str, Any]

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
LABELLING = Labelling(Rules.bundled())


def coded(*codes: tuple[str, str], type_: str = "Condition", **more: Any) -> Json:
    """A resource about patient p1 with these (system, code) pairs as its code."""
    coding = [{"system": system, "code": code} for system, code in codes]
    return {"resourceType": type_, "subject": {"reference": "Patient/p1"}, "code": {"coding": coding}, **more}


def short(resource: Json) -> set[str]:
    """The labels of a resource by their codes alone."""
    return {label.partition("|")[2] for label in labels_of(resource)}


def label(code: str) -> Json:
    """A label as a client writes it."""
    return {"system": CONFIDENTIALITY if len(code) == 1 else ACT_CODE, "code": code}


def labelled_by_hand(resource: Json, *codes: str) -> Json:
    """The resource with labels of its writer's."""
    return {**resource, "meta": {"security": [label(code) for code in codes]}}

"""What things are called: a word that patients know, and beside it the clinical term and the codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carekeep.web.plain.familiar import FAMILIAR
from carekeep.web.plain.speech import Speech

Json = Mapping[str, Any]

# How people call the code systems that they may meet behind "more".
_SYSTEMS: Final = {
    "http://loinc.org": "LOINC",
    "http://snomed.info/sct": "SNOMED CT",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "ICD-10-GM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://www.whocc.no/atc": "ATC",
    "http://unitsofmeasure.org": "UCUM",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a thing: the system by its usual name, or by its address."""

    system: str
    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Name:
    """``plain`` is for everybody; ``term`` is the clinical one; ``about`` is a sentence on it, where we have one."""

    plain: str
    term: str = ""
    codes: tuple[Code, ...] = ()
    about: str = ""


def name_of(speech: Speech, concept: object) -> Name:
    """A CodeableConcept (or Coding). Our own word for it, else the author's, else the code's, else the code."""
    if not isinstance(concept, Mapping):
        return Name("")
    codings = concept.get("coding") or ([concept] if "code" in concept else [])
    codes = tuple(_code(coding) for coding in codings)
    text = str(concept.get("text") or "")
    display = next((code.display for code in codes if code.display), "")
    term = display or text or next((code.code for code in codes), "")
    for code in codes:
        if known := FAMILIAR.get((code.system, code.code)):
            about = speech.say(known.about) if known.about else ""
            return Name(speech.say(known.name), term, codes, about)
    return Name(text or term, term, codes)


def name_of_reference(reference: object) -> str:
    """Who or what a reference points to, as far as it says so itself."""
    return str(reference.get("display") or "") if isinstance(reference, Mapping) else ""


def _code(coding: Json) -> Code:
    system = str(coding.get("system") or "")
    return Code(_SYSTEMS.get(system, system), str(coding.get("code") or ""), str(coding.get("display") or ""))

"""What a clinician writes: a note, an order of a medicine or a test. Pure: from a form to a resource and back.

Notes are DocumentReferences with their text inside, as US Core has clinical notes. Nothing is deleted: what was wrong
is marked so, and stays in the history.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from carekeep.fhir import format_instant
from carekeep.fhir.documents.words import concept_text, dosage
from carekeep.web.console.chart.items import note_text

Json = dict[str, Any]
Fields = Mapping[str, str]
_LOINC = "http://loinc.org"
_NOTE, _LINE, _WORDS = 12_000, 200, 1_000

NOTE_KINDS: Final = {
    "11506-3": "Progress note",
    "11488-4": "Consult note",
    "34117-2": "History and physical note",
    "28570-0": "Procedure note",
    "18842-5": "Discharge summary",
}
"""LOINC codes of documents (US Core clinical notes)."""

TESTS: Final = {
    "58410-2": "CBC panel - Blood by Automated count",
    "24323-8": "Comprehensive metabolic 2000 panel - Serum or Plasma",
    "4548-4": "Hemoglobin A1c/Hemoglobin.total in Blood",
    "24331-1": "Lipid 1996 panel - Serum or Plasma",
    "3016-3": "Thyrotropin [Units/volume] in Serum or Plasma",
    "1988-5": "C reactive protein [Mass/volume] in Serum or Plasma",
    "2160-0": "Creatinine [Mass/volume] in Serum or Plasma",
    "24356-8": "Urinalysis complete panel - Urine",
}
PRIORITIES: Final = ("routine", "urgent", "stat")


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, about whom, and when."""

    patient_id: str
    reference: str | None
    name: str = field(repr=False)
    now_ms: int = 0

    @property
    def subject(self) -> Json:
        """Whom it is about."""
        return {"reference": f"Patient/{self.patient_id}"}

    @property
    def person(self) -> Json:
        """Who wrote it."""
        shown = {"display": self.name}
        return {"reference": self.reference, **shown} if self.reference else shown

    @property
    def instant(self) -> str:
        """Now, as FHIR writes it."""
        return format_instant(self.now_ms)


class Make(Protocol):
    """From the fields of a form to a resource; ``before`` is what is there, ``meant`` that it is no draft."""

    def __call__(self, fields: Fields, writer: Writer, before: Json | None, *, meant: bool) -> Json:
        """The new version."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the things that can be written.

    ``limits`` are the longest texts by field, ``needed`` the fields that cannot be empty.
    """

    type: str
    section: str
    limits: Mapping[str, int]
    needed: frozenset[str]
    make: Make
    fields_of: Callable[[Json], dict[str, str]]
    undone: str
    standing: frozenset[str]
    own_only: bool = False

    def errors(self, fields: Fields) -> dict[str, str]:
        """What is wrong, by field (in English, for the page to translate)."""
        wrong = {}
        for name, longest in self.limits.items():
            if name in self.needed and not fields[name].strip():
                wrong[name] = "Please fill this in."
            elif len(fields[name]) > longest:
                wrong[name] = "This is too long."
            elif not _plain(fields[name]):
                wrong[name] = "This holds characters that cannot be shown."
        return wrong

    def may_change(self, resource: Json, me: str | None) -> bool:
        """Whether the chart offers a change: it still stands, and a note is the writer's own. Policies decide."""
        if resource.get("status") not in self.standing:
            return False
        if self.type == "DocumentReference" and not note_text(resource):
            return False
        return not self.own_only or (me is not None and me in {a.get("reference") for a in resource.get("author", ())})

    def cancelled(self, resource: Json) -> Json:
        """The resource, marked as what was not meant."""
        return {**resource, "status": self.undone}


def _note(fields: Fields, writer: Writer, before: Json | None, *, meant: bool) -> Json:
    text = fields["text"].strip().encode()
    attachment = {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(text).decode(),
        "size": len(text),
        "creation": writer.instant,
    }
    kind = fields["kind"] if fields["kind"] in NOTE_KINDS else "11506-3"
    amended = before is not None and before.get("docStatus") in {"final", "amended"}
    state = "amended" if amended else "final" if meant else "preliminary"
    category = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"}
    made: Json = {
        "resourceType": "DocumentReference",
        "status": "current",
        "category": [{"coding": [{**category, "code": "clinical-note", "display": "Clinical Note"}]}],
        "subject": writer.subject,
        "date": writer.instant,
        "author": [writer.person],
    }
    return {
        **made,
        **(before or {}),
        "docStatus": state,
        "type": {"coding": [{"system": _LOINC, "code": kind, "display": NOTE_KINDS[kind]}], "text": NOTE_KINDS[kind]},
        "description": fields["title"].strip() or NOTE_KINDS[kind],
        "content": [{"attachment": attachment}],
    }


def _note_fields(resource: Json) -> dict[str, str]:
    codes = [coding.get("code", "") for coding in resource.get("type", {}).get("coding", ())]
    kind = next((code for code in codes if code in NOTE_KINDS), "11506-3")
    return {"kind": kind, "title": str(resource.get("description", "")), "text": note_text(resource)}


def _medicine(fields: Fields, writer: Writer, before: Json | None, *, meant: bool) -> Json:
    name = fields["medicine"].strip()
    was = (before or {}).get("medicationCodeableConcept", {})
    made: Json = {
        "resourceType": "MedicationRequest",
        "intent": "order",
        "subject": writer.subject,
        "authoredOn": writer.instant,
        "requester": writer.person,
        **(before or {}),
        "status": "active" if meant else "draft",
        # A code is kept for as long as the name stays what it was.
        "medicationCodeableConcept": was if concept_text(was) == name else {"text": name},
        "dosageInstruction": [{"text": fields["dose"].strip()}],
    }
    despite = fields["despite"].strip()
    if despite:
        line = {"text": f"Ordered in spite of an allergy on record: {despite}", "time": writer.instant}
        made["note"] = [*made.get("note", ()), line]
    return _with_reason(made, fields)


def _medicine_fields(resource: Json) -> dict[str, str]:
    return {
        "medicine": concept_text(resource.get("medicationCodeableConcept", {})),
        "dose": dosage(resource, {}),
        "reason": _reason(resource),
        "despite": "",
    }


def _test(fields: Fields, writer: Writer, before: Json | None, *, meant: bool) -> Json:
    name = fields["test"].strip()
    code = next((code for code, display in TESTS.items() if display.casefold() == name.casefold()), None)
    concept: Json = {"text": name}
    if code is not None:
        concept = {"coding": [{"system": _LOINC, "code": code, "display": TESTS[code]}], "text": TESTS[code]}
    laboratory = {"system": "http://snomed.info/sct", "code": "108252007", "display": "Laboratory procedure"}
    made = {
        "resourceType": "ServiceRequest",
        "intent": "order",
        "category": [{"coding": [laboratory]}],
        "subject": writer.subject,
        "authoredOn": writer.instant,
        "requester": writer.person,
        **(before or {}),
        "status": "active" if meant else "draft",
        "code": concept,
        "priority": fields["priority"] if fields["priority"] in PRIORITIES else "routine",
    }
    return _with_reason(made, fields)


def _test_fields(resource: Json) -> dict[str, str]:
    return {
        "test": concept_text(resource.get("code", {})),
        "priority": str(resource.get("priority", "routine")),
        "reason": _reason(resource),
    }


def _with_reason(made: Json, fields: Fields) -> Json:
    reason = fields["reason"].strip()
    kept = {name: value for name, value in made.items() if name != "reasonCode"}
    return {**kept, "reasonCode": [{"text": reason}]} if reason else kept


def _reason(resource: Json) -> str:
    return next((concept_text(each) for each in resource.get("reasonCode", ())), "")


def _plain(text: str) -> bool:
    return all(letter.isprintable() or letter in "\n\t" for letter in text)


KINDS: Final[dict[str, Kind]] = {
    "note": Kind(
        "DocumentReference",
        "notes",
        {"kind": _LINE, "title": _LINE, "text": _NOTE},
        frozenset({"text"}),
        _note,
        _note_fields,
        "entered-in-error",
        frozenset({"current"}),
        own_only=True,
    ),
    "medicine": Kind(
        "MedicationRequest",
        "medicines",
        {"medicine": _LINE, "dose": _LINE, "reason": _LINE, "despite": _WORDS},
        frozenset({"medicine", "dose"}),
        _medicine,
        _medicine_fields,
        "cancelled",
        frozenset({"active", "draft", "on-hold"}),
    ),
    "test": Kind(
        "ServiceRequest",
        "tests",
        {"test": _LINE, "priority": _LINE, "reason": _LINE},
        frozenset({"test"}),
        _test,
        _test_fields,
        "revoked",
        frozenset({"active", "draft", "on-hold"}),
    ),
}


def may_change(type_: str, resource: Json, me: str | None) -> bool:
    """Whether the chart offers to change a record."""
    return any(kind.type == type_ and kind.may_change(resource, me) for kind in KINDS.values())

"""Records as the lines of a chart: pure functions of resources that were already decided on."""

import base64
import binascii
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.fhir import interval_of
from carekeep.fhir.documents.words import concept_text, dosage, human_name, listed, reactions, result, several
from carekeep.records import Stored

Json = dict[str, Any]
_MONTH, _DAY = len("YYYY-MM"), len("YYYY-MM-DD")
_DAY_MS: Final = 86_400_000
_LONGEST_NOTE = 20_000
_PLAIN = "text/plain"
_SYSTEMS: Final = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}
_OVER = frozenset(
    {"inactive", "resolved", "remission", "completed", "stopped", "cancelled", "revoked", "entered-in-error", "ended"}
)


@dataclass(frozen=True, slots=True)
class Day:
    """A day as exactly as it is known. ``at`` is None where there is no whole day; ``sort`` is its start in ms."""

    text: str = ""
    at: datetime.date | None = None
    sort: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One record. ``details`` stand below its title; ``over`` says that it is of the past; ``by`` is who made it.

    ``changeable``: the chart offers a change.
    """

    type: str
    id: str
    version: int
    title: str = field(repr=False)
    details: tuple[str, ...] = field(default=(), repr=False)
    text: str = field(default="", repr=False)
    status: str = ""
    on: Day = field(default_factory=Day)
    by: str = field(default="", repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    over: bool = False
    changeable: bool = False


@dataclass(frozen=True, slots=True)
class Header:
    """Who the patient is, and what nobody may overlook.

    ``none_known``: somebody wrote down that there is no allergy.
    """

    id: str
    name: str = field(repr=False)
    born: Day = field(repr=False)
    age: tuple[int, str] | None = field(repr=False)
    gender: str = field(repr=False)
    identifiers: tuple[tuple[str, str], ...] = field(repr=False)
    allergies: tuple[tuple[str, bool], ...] = field(default=(), repr=False)
    none_known: bool = False
    warnings: tuple[str, ...] = field(default=(), repr=False)
    died: Day | None = field(default=None, repr=False)


def day(value: object) -> Day:
    """The day that a FHIR date, dateTime, instant or Period begins with."""
    if isinstance(value, dict):
        return day(value.get("start") or value.get("end"))
    span = interval_of(value)
    if span is None or not isinstance(value, str):
        return Day(str(value or ""))
    if len(value) < _DAY:
        return Day(value, None, span.start)
    return Day(value[:_DAY], datetime.datetime.fromtimestamp(span.start // 1000, datetime.UTC).date(), span.start)


def first_day(resource: Json, *names: str) -> Day:
    """The first of these elements that is there."""
    return next((day(resource[name]) for name in names if resource.get(name)), Day())


def age_at(born: Day, now_ms: int) -> tuple[int, str] | None:
    """Whole years, or months below two years: the number and ``years`` or ``months``."""
    if born.at is None:
        return None
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date()
    months = (today.year - born.at.year) * 12 + today.month - born.at.month - (today.day < born.at.day)
    if months < 0:
        return None
    return (months, "months") if months < 24 else (months // 12, "years")  # noqa: PLR2004 - as said above


def header(patient: Stored, allergies: Iterable[Stored], flags: Iterable[Stored], now_ms: int) -> Header:
    """The head of the chart. Only allergies that are active, and not refuted, are in it."""
    found = patient.resource
    born = day(found.get("birthDate"))
    standing = [each.resource for each in allergies if not _is_over(each.resource)]
    real = [each for each in standing if not _says_none(each)]
    died = found.get("deceasedDateTime") or ("" if found.get("deceasedBoolean") is True else None)
    return Header(
        id=patient.id,
        name=human_name(found) or "?",
        born=born,
        age=age_at(born, now_ms) if died is None else None,
        gender=str(found.get("gender", "")),
        identifiers=tuple(_identifiers(found)),
        allergies=tuple(dict.fromkeys((concept_text(each.get("code", {})), _is_severe(each)) for each in real)),
        none_known=not real and len(standing) > 0,
        warnings=tuple(concept_text(each.resource.get("code", {})) for each in flags if _is_active(each.resource)),
        died=None if died is None else day(died),
    )


def item_of(stored: Stored) -> Item:
    """A record as a line of its section."""
    found = stored.resource
    title, details = _said(stored.type, found)
    return Item(
        type=stored.type,
        id=stored.id,
        version=stored.version,
        title=title or stored.type,
        details=tuple(each for each in details if each),
        text=note_text(found) if stored.type == "DocumentReference" else "",
        status=_status(found),
        on=first_day(found, *_DATES.get(stored.type, ())),
        by=_author(found),
        codes=tuple(_codes(found)),
        over=_is_over(found),
    )


def newest_first(items: Iterable[Item]) -> tuple[Item, ...]:
    """By their days; what has none comes last."""
    return tuple(sorted(items, key=lambda item: item.on.sort, reverse=True))


def note_text(document: Json) -> str:
    """The plain text inside a document; empty for one that is something else, or elsewhere."""
    for content in document.get("content", ()):
        attachment = content.get("attachment", {})
        if str(attachment.get("contentType", "")).startswith(_PLAIN) and "data" in attachment:
            try:
                return base64.b64decode(attachment["data"]).decode("utf-8")[:_LONGEST_NOTE]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


_DATES: Final[dict[str, tuple[str, ...]]] = {
    "Appointment": ("start", "created"),
    "Condition": ("onsetDateTime", "onsetPeriod", "onsetString", "recordedDate"),
    "AllergyIntolerance": ("onsetDateTime", "recordedDate"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": ("effectiveDateTime", "effectivePeriod", "dateAsserted"),
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"),
    "DocumentReference": ("date",),
    "Encounter": ("period",),
    "Immunization": ("occurrenceDateTime", "occurrenceString"),
    "Observation": ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued"),
    "Procedure": ("performedDateTime", "performedPeriod", "performedString"),
    "ServiceRequest": ("authoredOn", "occurrenceDateTime"),
    "Flag": ("period",),
}


def _said(type_: str, found: Json) -> tuple[str, Sequence[str]]:
    """The title of a record, and what stands below it."""
    match type_:
        case "Encounter":
            kind = listed(concept_text(each) for each in found.get("type", ()))
            place = found.get("serviceProvider", {}).get("display", "")
            reason = listed(concept_text(each) for each in found.get("reasonCode", ()))
            return kind or str(found.get("class", {}).get("display", "")), (reason, str(place))
        case "Appointment":
            kind = listed(concept_text(each) for each in several(found.get("serviceType")))
            return kind or str(found.get("description", "")), ()
        case "MedicationRequest" | "MedicationStatement":
            name = concept_text(found.get("medicationCodeableConcept", {}))
            return name or _display(found.get("medicationReference")), (dosage(found, {}),)
        case "AllergyIntolerance":
            return concept_text(found.get("code", {})), (reactions(found, {}), _says(found, "criticality"))
        case "DocumentReference":
            kind = concept_text(found.get("type", {}))
            return str(found.get("description") or kind), (kind if found.get("description") else "",)
        case "Immunization":
            return concept_text(found.get("vaccineCode", {})), ()
        case "DiagnosticReport" | "Observation":
            return concept_text(found.get("code", {})), (result(found, {}),)
        case _:
            return concept_text(found.get("code", {})), ()


def _says(found: Json, name: str) -> str:
    return f"{name}: {found[name]}" if found.get(name) else ""


def _display(reference: object) -> str:
    return str(reference.get("display", "")) if isinstance(reference, dict) else ""


def _status(found: Json) -> str:
    for name in ("clinicalStatus", "status"):
        value = found.get(name)
        if isinstance(value, dict):
            return next((str(coding.get("code", "")) for coding in value.get("coding", ())), "")
        if value:
            return str(value)
    return ""


def _is_active(found: Json) -> bool:
    return _status(found) in {"active", ""}


def _is_over(found: Json) -> bool:
    verified = {coding.get("code") for coding in found.get("verificationStatus", {}).get("coding", ())}
    return _status(found) in _OVER or not verified.isdisjoint({"refuted", "entered-in-error"})


_NO_ALLERGY = frozenset({"716186003", "409137002", "429625007", "428607008"})
"""SNOMED CT: no known allergy, and of drugs, food and environment."""


def _says_none(allergy: Json) -> bool:
    return any(coding.get("code") in _NO_ALLERGY for coding in allergy.get("code", {}).get("coding", ()))


def _is_severe(allergy: Json) -> bool:
    severe = any(each.get("severity") == "severe" for each in allergy.get("reaction", ()))
    return severe or allergy.get("criticality") == "high"


def _author(found: Json) -> str:
    for name in ("author", "requester", "recorder", "performer"):
        for each in several(found.get(name)):
            shown = each.get("display") or _display(each.get("actor"))
            if shown:
                return str(shown)
    people = (_display(each.get("individual") or each.get("actor")) for each in found.get("participant", ()))
    return next((each for each in people if each), "")


def _codes(found: Json) -> Iterable[str]:
    for name in ("code", "medicationCodeableConcept", "vaccineCode", "type"):
        for concept in several(found.get(name)):
            for coding in concept.get("coding", ()):
                system = str(coding.get("system", ""))
                yield f"{_SYSTEMS.get(system, system)} {coding.get('code', '')}".strip()


def _identifiers(patient: Json) -> Iterable[tuple[str, str]]:
    for each in patient.get("identifier", ()):
        if each.get("value"):
            label = concept_text(each.get("type", {})) or str(each.get("system", "")).rstrip("/").rpartition("/")[2]
            yield label, str(each["value"])

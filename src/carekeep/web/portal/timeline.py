"""What stands in a record beside results, in plain words, to be put on a line of time. Pure functions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carekeep.web.plain import (
    Moment,
    Name,
    Speech,
    moment,
    moment_of,
    name_of,
    name_of_reference,
    span,
    spoken_status,
    spoken_value,
    text_of,
)
from carekeep.web.plain.statuses import is_current, is_mistaken
from carekeep.web.portal.files import File, files_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entry: the word of its filter and address, its name and icon, and where it comes from."""

    key: str
    title: str
    icon: str
    types: tuple[str, ...]
    asked: tuple[tuple[str, str], ...] = ()


KINDS: Final = (
    Kind("problems", "Problems", "stethoscope", ("Condition",)),
    Kind("medicines", "Medicines", "pill", ("MedicationRequest", "MedicationStatement")),
    Kind("allergies", "Allergies", "shield-alert", ("AllergyIntolerance",)),
    Kind("immunizations", "Immunizations", "syringe", ("Immunization",)),
    Kind("visits", "Visits", "calendar", ("Encounter",)),
    Kind("procedures", "Procedures", "activity", ("Procedure",)),
    Kind("documents", "Documents", "file-text", ("DocumentReference",)),
    Kind("habits", "Habits and findings", "list", ("Observation",), (("category", "social-history,exam"),)),
)
BY_KEY: Final = {kind.key: kind for kind in KINDS}
BY_TYPE: Final = {type_: kind for kind in KINDS for type_ in kind.types}
CURRENT: Final = ("problems", "medicines", "allergies")
"""The kinds of which the page says first what holds now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the record. ``says``: sentences on it; ``notes`` and ``lines`` are others' words."""

    type: str
    id: str
    kind: Kind
    name: Name
    when: Moment
    dates: str
    says: tuple[str, ...]
    notes: tuple[str, ...]
    lines: tuple[str, ...]
    files: tuple[File, ...]
    is_current: bool
    is_mistaken: bool


def entry_of(speech: Speech, resource: Json) -> Entry:
    """A record of one of the kinds in words."""
    type_ = str(resource.get("resourceType"))
    teller = _TELLERS[type_]
    when = moment_of(speech, resource)
    said = (*teller.says(speech, resource), spoken_status(speech, resource))
    notes = (str(note["text"]) for note in resource.get("note", ()) if note.get("text"))
    return Entry(
        type=type_,
        id=str(resource.get("id", "")),
        kind=BY_TYPE[type_],
        name=teller.name(speech, resource),
        when=when,
        dates=_dates(speech, resource) or when.words,
        says=tuple(each for each in said if each),
        notes=tuple(notes),
        lines=text_of((resource.get("text") or {}).get("div")),
        files=files_of(speech, resource),
        is_current=is_current(resource),
        is_mistaken=is_mistaken(resource),
    )


def on_line(entries: Iterable[Entry]) -> list[Entry]:
    """Newest first; those without a date at the end."""
    return sorted(entries, key=lambda entry: (-entry.when.at_ms, entry.name.plain, entry.id))


def now_holding(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """By kind what holds now, each thing once: of prescriptions of one medicine the newest."""
    found: dict[str, dict[str, Entry]] = {key: {} for key in CURRENT}
    for entry in on_line(entries):
        if entry.is_current and entry.kind.key in found:
            found[entry.kind.key].setdefault(entry.name.plain, entry)
    return {key: list(some.values()) for key, some in found.items()}


def _dates(speech: Speech, resource: Json) -> str:
    """From when until when, for what lasts."""
    match resource.get("resourceType"):
        case "Condition":
            return span(speech, resource.get("onsetDateTime"), resource.get("abatementDateTime"))
        case "MedicationStatement":
            period = resource.get("effectivePeriod") or {}
            return span(speech, period.get("start"), period.get("end"))
        case "Encounter":
            period = resource.get("period") or {}
            start, end = str(period.get("start", "")), str(period.get("end", ""))
            # A visit within one day needs no end.
            return moment(speech, start).words if start[:10] == end[:10] else span(speech, start, end)
    return ""


@dataclass(frozen=True, slots=True)
class _Teller:
    """How one type is named, and what there is to say."""

    name: Callable[[Speech, Json], Name]
    says: Callable[[Speech, Json], Iterable[str]]


def _concept(*names: str) -> Callable[[Speech, Json], Name]:
    """The first of these elements that names something: a concept, a list of them, or a reference."""

    def name(speech: Speech, resource: Json) -> Name:
        for each in names:
            value = resource.get(each)
            value = value[0] if isinstance(value, list) and value else value
            found = name_of(speech, value)
            if found.plain:
                return found
            if said := name_of_reference(value):
                return Name(said)
        return Name(speech.say("without a name"))

    return name


def _medicine(speech: Speech, resource: Json) -> Name:
    inside: Json = next(
        (each for each in resource.get("contained", ()) if each.get("resourceType") == "Medication"), {}
    )
    if "medicationCodeableConcept" not in resource and inside:
        return _concept("code")(speech, inside)
    return _concept("medicationCodeableConcept", "medicationReference")(speech, resource)


def _document(speech: Speech, resource: Json) -> Name:
    kind = _concept("type")(speech, resource)
    title = str(resource.get("description") or "")
    return Name(title, kind.term, kind.codes, kind.plain) if title else kind


def _about_medicine(speech: Speech, resource: Json) -> Iterable[str]:
    doses = resource.get("dosageInstruction") or resource.get("dosage") or ()
    yield from (str(each.get("patientInstruction") or each.get("text") or "") for each in doses)
    if who := name_of_reference(resource.get("requester")):
        yield speech.say("Prescribed by {who}.", who=who)


def _about_allergy(speech: Speech, resource: Json) -> Iterable[str]:
    reactions = (each for reaction in resource.get("reaction", ()) for each in reaction.get("manifestation", ()))
    shown = ", ".join(dict.fromkeys(name_of(speech, each).plain for each in reactions))
    if shown:
        yield speech.say("Shows as: {reactions}.", reactions=shown)
    if resource.get("criticality") == "high":
        yield speech.say("This allergy can be dangerous.")


def _about_visit(speech: Speech, resource: Json) -> Iterable[str]:
    people = (name_of_reference(each.get("individual")) for each in resource.get("participant", ()))
    who = ", ".join(dict.fromkeys(each for each in people if each))
    if who:
        yield speech.say("With {who}.", who=who)
    if where := name_of_reference(resource.get("serviceProvider")):
        yield speech.say("At {where}.", where=where)


def _about_procedure(speech: Speech, resource: Json) -> Iterable[str]:
    people = (name_of_reference(each.get("actor")) for each in resource.get("performer", ()))
    who = ", ".join(dict.fromkeys(each for each in people if each))
    if who:
        yield speech.say("Done by {who}.", who=who)


def _about_document(speech: Speech, resource: Json) -> Iterable[str]:
    who = ", ".join(each for each in map(name_of_reference, resource.get("author", ())) if each)
    if who:
        yield speech.say("Written by {who}.", who=who)


def _about_immunization(speech: Speech, resource: Json) -> Iterable[str]:
    if lot := str(resource.get("lotNumber") or ""):
        yield speech.say("Batch {number}.", number=lot)


def _about_problem(speech: Speech, resource: Json) -> Iterable[str]:
    severity = name_of(speech, resource.get("severity")).plain
    if severity:
        yield speech.say("How bad: {severity}.", severity=severity)


def _about_finding(speech: Speech, resource: Json) -> Iterable[str]:
    yield spoken_value(speech, resource)


_TELLERS: Final[Mapping[str, _Teller]] = {
    "Condition": _Teller(_concept("code"), _about_problem),
    "MedicationRequest": _Teller(_medicine, _about_medicine),
    "MedicationStatement": _Teller(_medicine, _about_medicine),
    "AllergyIntolerance": _Teller(_concept("code"), _about_allergy),
    "Immunization": _Teller(_concept("vaccineCode"), _about_immunization),
    "Encounter": _Teller(_concept("type", "serviceType", "class"), _about_visit),
    "Procedure": _Teller(_concept("code"), _about_procedure),
    "DocumentReference": _Teller(_document, _about_document),
    "Observation": _Teller(_concept("code"), _about_finding),
}

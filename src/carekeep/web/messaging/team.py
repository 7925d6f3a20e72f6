"""Who a patient can write to: the people of the care teams that are active, and the general practitioner."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from carekeep.access.spans import period
from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.booking.offers import name_of
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.passage import Passage

Json = dict[str, Any]
_MOST: Final = 100
_PERSON: Final = "Practitioner/"
_ROLE: Final = "PractitionerRole/"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a care team: the id of the Practitioner, the name, and what they do, "" if nobody wrote it down."""

    id: str
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A reference by which records name somebody of the team ("Practitioner/x", "PractitionerRole/x"), and as what."""

    reference: str
    role: str


def named_in(records: Iterable[Json], patient: str, now_ms: int) -> tuple[Named, ...]:
    """Whom the CareTeams and the Patient record of ``patient`` ("Patient/x") name now, each once."""
    found: dict[str, Named] = {}
    for record in records:
        for each in _named(record, patient, now_ms):
            if each.reference not in found or (each.role and not found[each.reference].role):
                found[each.reference] = each
    return tuple(found.values())[:_MOST]


def members(named: Iterable[Named], records: Mapping[str, Json]) -> tuple[Member, ...]:
    """The people behind these names, by their names. ``records``: those that may be read, by reference."""
    found: dict[str, Member] = {}
    for each in named:
        role = records.get(each.reference, {}) if each.reference.startswith(_ROLE) else {}
        if role.get("active") is False:
            continue
        reference = _reference(role.get("practitioner")) if role else each.reference
        person = records.get(reference)
        if person is None or not reference.startswith(_PERSON) or person.get("active") is False:
            continue
        known = found.get(reference)
        if known is None or (each.role and not known.role):
            said = each.role or _text(role.get("specialty")) or _text(role.get("code"))
            found[reference] = Member(reference.removeprefix(_PERSON), name_of(person), said)
    return tuple(sorted(found.values(), key=lambda member: (member.name.casefold(), member.id)))


async def team_of(passage: Passage, patient: str, disclosure: Disclosure | None = None) -> tuple[Member, ...]:
    """The care team of a patient (an id), as far as whoever asks may read it.

    With a ``disclosure`` what was read is in its entry; without one the people are looked up to be compared alone.
    """
    disclosed = disclosure or Disclosure(passage)
    records = [*await _read(disclosed, passage, patient, "CareTeam", [("status", "active")])]
    records += await _read(disclosed, passage, patient, "Patient", [("_id", patient)])
    named = named_in([each.resource for each in records], f"Patient/{patient}", passage.services.clock())
    around = await disclosed.directory([{"reference": each.reference} for each in named])
    if disclosure is not None:
        disclosure.show(*records, *around)
    return members(named, {each.reference: each.resource for each in around})


async def person(disclosure: Disclosure, passage: Passage, practitioner: str) -> str:
    """The name of a clinician, "" for one that cannot be read."""
    try:
        stored = await passage.services.vault.read("Practitioner", practitioner)
    except (NotFound, Forgotten):
        return ""
    shown = None if stored.deleted else await disclosure.shown(stored)
    if shown is None:
        return ""
    disclosure.show(shown)
    return name_of(shown.resource)


async def _read(
    disclosure: Disclosure, passage: Passage, patient: str, type_: str, pairs: list[tuple[str, str]]
) -> list[Stored]:
    query = parse_query(type_, pairs, lenient=False)
    found = passage.services.vault.search_all(query, (patient,))
    shown = [await disclosure.shown(stored) async for stored in found if patient in stored.patients]
    return [each for each in shown if each is not None]


def _named(record: Json, patient: str, now_ms: int) -> Iterator[Named]:
    if record.get("resourceType") == "Patient":
        for each in record.get("generalPractitioner", ()):
            if (reference := _reference(each)).startswith((_PERSON, _ROLE)):
                yield Named(reference, "")
        return
    if record.get("status") != "active" or _reference(record.get("subject")) != patient:
        return
    if now_ms not in period(record.get("period")):
        return
    for each in record.get("participant", ()):
        reference = _reference(each.get("member"))
        if reference.startswith((_PERSON, _ROLE)) and now_ms in period(each.get("period")):
            yield Named(reference, _text(each.get("role")))


def _reference(value: object) -> str:
    text = value.get("reference") if isinstance(value, Mapping) else None
    return text.partition("/_history/")[0] if isinstance(text, str) else ""


def _text(concepts: object) -> str:
    """The first of a list of CodeableConcepts in words."""
    for concept in concepts if isinstance(concepts, list) else ():
        shown = [each.get("display") for each in concept.get("coding", ()) if isinstance(each, dict)]
        if found := concept.get("text") or next((each for each in shown if each), None):
            return str(found)
    return ""

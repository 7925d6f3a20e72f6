"""What the records say about care relationships: each record gives bonds, and a bond holds for a span of time.

Pure: records in, bonds out. Only local references count ("Practitioner/x"): a record cannot let in someone whom we do
not know. FHIR R4: CareTeam, Encounter, Appointment, PractitionerRole, Patient.generalPractitioner.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from carekeep.access.spans import ALWAYS, FOREVER, NEVER, Span, moment, period
from carekeep.access.vocabulary import Relation

CARE_TYPES = frozenset({"CareTeam", "Encounter", "Appointment", "PractitionerRole", "Patient"})
"""Types from which relations are read: a change to one of them changes who is related to whom."""

_DAY_MS = 24 * 3600 * 1000
_UNDER_WAY = frozenset({"arrived", "triaged", "in-progress", "onleave"})
_BOOKED = frozenset({"booked", "arrived", "checked-in", "fulfilled"})
_LOCAL = re.compile(r"([A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")

Resource = Mapping[str, Any]
Names = Mapping[str, tuple[Span, ...]]
"""The references by which records may mean a practitioner (themself, a role, an organization), and when each does."""


@dataclass(frozen=True, slots=True)
class Windows:
    """How long before and after a visit a clinician has to do with the patient, in milliseconds.

    After an encounter: results, letters and the coding of the stay come in for about a month. Before an appointment:
    preparing it, a fortnight ahead as rosters are; after it: the note of the visit is finished by the next day.
    """

    after_encounter: int = 30 * _DAY_MS
    before_appointment: int = 14 * _DAY_MS
    after_appointment: int = _DAY_MS


@dataclass(frozen=True, slots=True)
class Bond:
    """One reason why a practitioner has to do with a patient, and when it holds."""

    relation: Relation
    span: Span


def names_of(practitioner: str, roles: Iterable[Resource]) -> Names:
    """Under which references ``practitioner`` ("Practitioner/x") appears, given PractitionerRole records."""
    names: dict[str, tuple[Span, ...]] = {practitioner: (ALWAYS,)}
    for role in roles:
        if role.get("active") is False or _reference(role, "practitioner") != practitioner:
            continue
        span = period(role.get("period"))
        for name in (f"PractitionerRole/{role.get('id')}", _reference(role, "organization")):
            if name:
                names[name] = (*names.get(name, ()), span)
    return MappingProxyType(names)


def bonds_of(resource: Resource, patient: str, names: Names, windows: Windows) -> list[Bond]:
    """The bonds that one record makes between ``patient`` ("Patient/x") and the practitioner of ``names``."""
    read = _READERS.get(str(resource.get("resourceType")))
    return list(read(resource, patient, names, windows)) if read else []


def holding(bonds: Iterable[Bond], now_ms: int) -> tuple[frozenset[Relation], int]:
    """The relations that hold now, and the next moment at which that may change."""
    bonds = [bond for bond in bonds if bond.span.since < bond.span.until]
    relations = frozenset(bond.relation for bond in bonds if now_ms in bond.span)
    edges = (edge for bond in bonds for edge in bond.span if edge > now_ms)
    return relations, min(edges, default=FOREVER)


def _of_care_team(team: Resource, patient: str, names: Names, _: Windows) -> Iterator[Bond]:
    if team.get("status") != "active" or _reference(team, "subject") != patient:
        return
    span = period(team.get("period"))
    for participant in _list(team, "participant"):
        during = span.within(period(participant.get("period")))
        yield from _bonds(Relation.CARE_TEAM, _reference(participant, "member"), during, names)


def _of_patient(record: Resource, patient: str, names: Names, _: Windows) -> Iterator[Bond]:
    if f"Patient/{record.get('id')}" == patient:
        for practitioner in _list(record, "generalPractitioner"):
            yield from _bonds(Relation.CARE_TEAM, _local(practitioner), ALWAYS, names)


def _of_encounter(encounter: Resource, patient: str, names: Names, windows: Windows) -> Iterator[Bond]:
    if _reference(encounter, "subject") != patient:
        return
    span = _encounter_span(encounter, windows)
    for participant in _list(encounter, "participant"):
        took_part = period(participant.get("period"))
        during = span.within(Span(took_part.since, took_part.until + windows.after_encounter))
        yield from _bonds(Relation.ENCOUNTER, _reference(participant, "individual"), during, names)


def _encounter_span(encounter: Resource, windows: Windows) -> Span:
    status = encounter.get("status")
    if status in _UNDER_WAY:
        return ALWAYS
    when = encounter.get("period")
    if not isinstance(when, Mapping):
        return NEVER  # planned or finished at a time that nobody wrote down
    if status == "planned":
        return _visit(when, windows)
    ended = moment(when.get("end")) or moment(when.get("start"))
    if status != "finished" or ended is None:
        return NEVER
    return Span(-FOREVER, ended.until + windows.after_encounter)


def _of_appointment(appointment: Resource, patient: str, names: Names, windows: Windows) -> Iterator[Bond]:
    coming = [p for p in _list(appointment, "participant") if p.get("status") != "declined"]
    actors = [_reference(participant, "actor") for participant in coming]
    if appointment.get("status") not in _BOOKED or patient not in actors:
        return
    during = _visit(appointment, windows)
    for actor in actors:
        yield from _bonds(Relation.APPOINTMENT, actor, during, names)


def _visit(times: Resource, windows: Windows) -> Span:
    """Around a visit with a ``start`` and perhaps an ``end``."""
    start = moment(times.get("start"))
    if start is None:
        return NEVER
    end = moment(times.get("end")) or start
    return Span(start.since - windows.before_appointment, end.until + windows.after_appointment)


def _bonds(relation: Relation, name: str | None, during: Span, names: Names) -> Iterator[Bond]:
    for span in names.get(name or "", ()):
        yield Bond(relation, during.within(span))


def _reference(resource: Resource, element: str) -> str | None:
    return _local(resource.get(element))


def _local(reference: object) -> str | None:
    """The "Type/id" of a Reference to a record here, whatever version it names; None for any other."""
    text = reference.get("reference") if isinstance(reference, Mapping) else None
    match = _LOCAL.fullmatch(text) if isinstance(text, str) else None
    return match[1] if match else None


def _list(resource: Resource, element: str) -> list[Resource]:
    value = resource.get(element)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


_Reader = Callable[[Resource, str, Names, Windows], Iterator[Bond]]
_READERS: Mapping[str, _Reader] = MappingProxyType(
    {
        "CareTeam": _of_care_team,
        "Patient": _of_patient,
        "Encounter": _of_encounter,
        "Appointment": _of_appointment,
    }
)

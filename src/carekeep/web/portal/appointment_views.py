"""What the pages say of appointments, in plain words. Pure: resources in, what templates lay out."""

import datetime
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.web.booking.offers import Offer
from carekeep.web.booking.rules import is_changeable, visit_of

Json = dict[str, Any]
NEAREST: Final = 6
_PEOPLE: Final = ("Practitioner/", "PractitionerRole/")
_STATES: Final[Mapping[str, str]] = {
    "proposed": "Waiting for an answer",
    "pending": "Waiting for an answer",
    "waitlist": "On the waiting list",
    "booked": "Booked",
    "arrived": "You are here",
    "checked-in": "You are here",
    "fulfilled": "Took place",
    "noshow": "You did not come",
    "cancelled": "Cancelled",
}
# By English text, as gettext finds them.
STATES: Final = tuple(dict.fromkeys(_STATES.values()))
_COMING: Final = frozenset({"proposed", "pending", "waitlist", "booked", "arrived", "checked-in"})


@dataclass(frozen=True, slots=True)
class AppointmentView:
    """One appointment. ``state`` is a text of the catalogues; ``schedule`` and ``clinician`` are ids, "" if unknown."""

    id: str
    start_ms: int
    end_ms: int
    what: str = field(repr=False)
    who: tuple[str, ...]
    where: str
    state: str
    status: str
    coming: bool
    changeable: bool
    words: str = field(repr=False)
    clinician: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The free times of a day."""

    start_ms: int
    offers: tuple[Offer, ...]


def view_of(appointment: Json, patient: str, names: Mapping[str, str], now_ms: int) -> AppointmentView | None:
    """An appointment of ``patient`` ("Patient/x"); None for one that has no time, or was entered in error.

    ``names`` are those of people and places by their references.
    """
    visit = visit_of(appointment)
    if visit is None or visit.status not in _STATES:
        return None
    actors = [each.get("actor", {}) for each in appointment.get("participant", ())]
    people = [_name(each, names) for each in actors if str(each.get("reference")).startswith(_PEOPLE)]
    places = [_name(each, names) for each in actors if str(each.get("reference")).startswith("Location/")]
    clinician = next((each for each in visit.others if each.startswith("Practitioner/")), "")
    return AppointmentView(
        id=visit.id,
        start_ms=visit.start_ms,
        end_ms=visit.end_ms,
        what=_what(appointment),
        who=tuple(name for name in people if name),
        where=", ".join(name for name in places if name),
        state=_STATES[visit.status],
        status=visit.status,
        coming=visit.status in _COMING and visit.end_ms > now_ms,
        changeable=is_changeable(visit, patient, now_ms),
        words=str(appointment.get("comment", "")),
        clinician=clinician.removeprefix("Practitioner/"),
    )


def coming_and_past(
    views: Iterable[AppointmentView],
) -> tuple[tuple[AppointmentView, ...], tuple[AppointmentView, ...]]:
    """The next one first, and what was: the latest first."""
    found = sorted(views, key=lambda view: (view.start_ms, view.id))
    return tuple(each for each in found if each.coming), tuple(reversed([each for each in found if not each.coming]))


def by_day(offers: Iterable[Offer]) -> tuple[Day, ...]:
    """Times grouped by days (UTC), in order."""
    ordered = sorted(offers, key=lambda each: (each.time.start_ms, each.clinician))
    groups = itertools.groupby(ordered, key=lambda each: _day(each.time.start_ms))
    return tuple(Day(found[0].time.start_ms, tuple(found)) for found in (list(group) for _, group in groups))


def nearest(offers: Iterable[Offer], start_ms: int) -> tuple[Offer, ...]:
    """The few times that are closest to one that is not to be had, in order."""
    close = sorted(offers, key=lambda each: (abs(each.time.start_ms - start_ms), each.time.start_ms))[:NEAREST]
    return tuple(sorted(close, key=lambda each: each.time.start_ms))


def _day(at_ms: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).date()


def _name(reference: Json, names: Mapping[str, str]) -> str:
    return names.get(str(reference.get("reference")), "") or str(reference.get("display", ""))


def _what(appointment: Json) -> str:
    """What the visit is for: its description, else the kind of service."""
    if isinstance(text := appointment.get("description"), str) and text:
        return text
    for element in ("serviceType", "specialty"):
        for concept in appointment.get(element, ()):
            shown = [each.get("display") for each in concept.get("coding", ())]
            if found := concept.get("text") or next((each for each in shown if each), None):
                return str(found)
    return ""

"""What may be booked, moved and cancelled, and what the records say afterwards. Pure: resources in, resources out.

FHIR R4: Schedule (whose times), Slot (one time), Appointment. The reasons of refusals are whole sentences for patients.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.fhir import format_instant, interval_of

MINUTE_MS: Final = 60_000
SOONEST_MS: Final = 60 * MINUTE_MS
"""How long before a visit it can still be booked."""

LATEST_CHANGE_MS: Final = 120 * MINUTE_MS
"""How long before a visit patients can still move or cancel it themselves; later they call."""

MOST_COMING: Final = 10
LONGEST_WORDS: Final = 500

Json = dict[str, Any]
_OPEN: Final = frozenset({"proposed", "pending", "booked", "waitlist"})
_WITH: Final = ("Practitioner/", "PractitionerRole/")
_CANCELLED_BY: Final = "http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason"
_KIND: Final = "http://terminology.hl7.org/CodeSystem/v2-0276"


class NotBookable(Exception):
    """It cannot be done; the text says why, to the patient, and holds no health data."""


class TimeTaken(NotBookable):
    """Somebody else was first."""


@dataclass(frozen=True, slots=True)
class Time:
    """A Slot as patients see it: from, until (milliseconds since 1970), and whose it is.

    ``clinician`` and ``place`` are references ("Type/id"), "" where the Schedule names none; ``service`` is the kind of
    visit in words.
    """

    slot: str
    schedule: str
    start_ms: int
    end_ms: int
    clinician: str
    place: str
    free: bool
    service: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """An Appointment as far as rules look at it."""

    id: str
    start_ms: int
    end_ms: int
    status: str
    slots: tuple[str, ...]
    patients: tuple[str, ...]
    others: tuple[str, ...] = field(default=())

    @property
    def is_open(self) -> bool:
        """Whether it is still to take place."""
        return self.status in _OPEN


def moment_of(text: object) -> int | None:
    """The beginning of a FHIR instant or dateTime, milliseconds since 1970; None for what is none."""
    interval = interval_of(text)
    return None if interval is None else interval.start


def time_of(slot: Json, schedule: Json) -> Time | None:
    """The time that a Slot of a Schedule is; None when it cannot be read, or is of another Schedule."""
    start, end = moment_of(slot.get("start")), moment_of(slot.get("end"))
    reference = _reference(slot.get("schedule"))
    if start is None or end is None or end <= start or reference != f"Schedule/{schedule.get('id')}":
        return None
    actors = [_reference(actor) for actor in schedule.get("actor", ())]
    clinicians = [actor for actor in actors if actor.startswith(_WITH)]
    places = [actor for actor in actors if actor.startswith("Location/")]
    return Time(
        slot=str(slot.get("id")),
        schedule=reference,
        start_ms=start,
        end_ms=end,
        clinician=clinicians[0] if len(clinicians) == 1 else "",
        place=places[0] if places else "",
        free=slot.get("status") == "free" and schedule.get("active") is not False,
        service=_words(slot.get("serviceType")) or _words(slot.get("specialty")) or _words(schedule.get("specialty")),
    )


def visit_of(appointment: Json) -> Visit | None:
    """An Appointment with a beginning; None for one that has none yet."""
    start = moment_of(appointment.get("start"))
    if start is None:
        return None
    actors = [_reference(each.get("actor")) for each in appointment.get("participant", ())]
    return Visit(
        id=str(appointment.get("id")),
        start_ms=start,
        end_ms=moment_of(appointment.get("end")) or start,
        status=str(appointment.get("status")),
        slots=tuple(_reference(each).removeprefix("Slot/") for each in appointment.get("slot", ())),
        patients=tuple(actor for actor in actors if actor.startswith("Patient/")),
        others=tuple(actor for actor in actors if actor.startswith(_WITH)),
    )


def demand_free(time: Time | None, now_ms: int) -> Time:
    """The time, if it is to be had. Raises NotBookable, TimeTaken."""
    if time is None or not time.clinician:
        raise NotBookable("This time cannot be booked here. Please call.")
    if not time.free:
        raise TimeTaken("That time was just taken.")
    if time.start_ms < now_ms + SOONEST_MS:
        raise NotBookable("That time is too soon to be booked here. Please call.")
    return time


def demand_room(time: Time, coming: Iterable[Visit], now_ms: int, instead: str = "") -> None:
    """Raises NotBookable when the patient is elsewhere then, or has booked much already (``instead`` of this one)."""
    kept = [visit for visit in coming if visit.is_open and visit.end_ms > now_ms and visit.id != instead]
    if any(visit.start_ms < time.end_ms and time.start_ms < visit.end_ms for visit in kept):
        raise NotBookable("You have another appointment at that time.")
    if not instead and len(kept) >= MOST_COMING:
        raise NotBookable(f"You have {MOST_COMING} coming appointments; more are not booked here. Please call.")


def demand_changeable(visit: Visit | None, patient: str, now_ms: int) -> Visit:
    """Raises NotBookable for a visit that this patient ("Patient/x") cannot move or cancel here."""
    if visit is None or visit.patients != (patient,):
        raise NotBookable("This appointment cannot be changed here. Please call.")
    if not visit.is_open:
        raise NotBookable("This appointment is not coming any more, so there is nothing to change.")
    if visit.start_ms < now_ms + LATEST_CHANGE_MS:
        raise NotBookable("This appointment is too soon to be changed here. Please call.")
    return visit


def is_changeable(visit: Visit | None, patient: str, now_ms: int) -> bool:
    """Whether ``demand_changeable`` would let it pass."""
    try:
        demand_changeable(visit, patient, now_ms)
    except NotBookable:
        return False
    return True


def booked(id_: str, patient: str, time: Time, words: str, now_ms: int) -> Json:
    """The new Appointment. ``words`` are the patient's own, about why."""
    resource: Json = {
        "resourceType": "Appointment",
        "id": id_,
        "status": "booked",
        "appointmentType": {"coding": [{"system": _KIND, "code": "ROUTINE", "display": "Routine appointment"}]},
        "start": format_instant(time.start_ms),
        "end": format_instant(time.end_ms),
        "created": format_instant(now_ms),
        "slot": [{"reference": f"Slot/{time.slot}"}],
        "participant": _participants(patient, time),
    }
    if time.service:
        resource["description"] = time.service
    if words:
        resource["comment"] = words
    return resource


def moved(appointment: Json, patient: str, time: Time) -> Json:
    """The Appointment at another time of the same clinician. Raises NotBookable for one of somebody else."""
    visit = visit_of(appointment)
    if visit is None or visit.others != (time.clinician,):
        raise NotBookable("An appointment can be moved to a time of the same clinician. Cancel it to see another.")
    times = {"start": format_instant(time.start_ms), "end": format_instant(time.end_ms)}
    slots = [{"reference": f"Slot/{time.slot}"}]
    kept = {name: value for name, value in appointment.items() if name not in {"minutesDuration", "requestedPeriod"}}
    return {**kept, **times, "status": "booked", "slot": slots, "participant": _participants(patient, time)}


def cancelled(appointment: Json, words: str) -> Json:
    """The Appointment that will not take place."""
    reason: Json = {"coding": [{"system": _CANCELLED_BY, "code": "pat", "display": "Patient"}]}
    if words:
        reason["text"] = words
    return {**appointment, "status": "cancelled", "cancelationReason": reason}


def with_status(slot: Json, status: str) -> Json:
    """The Slot, ``busy`` or ``free``."""
    return {**slot, "status": status}


def own_words(text: str) -> str:
    """What a patient wrote, as it is kept. Raises NotBookable for too much."""
    words = " ".join(text.split())
    if len(words) > LONGEST_WORDS:
        raise NotBookable(f"Please write at most {LONGEST_WORDS} characters.")
    return words


def _participants(patient: str, time: Time) -> list[Json]:
    actors = [patient, time.clinician, *([time.place] if time.place else ())]
    return [{"actor": {"reference": actor}, "required": "required", "status": "accepted"} for actor in actors]


def _reference(value: object) -> str:
    text = value.get("reference") if isinstance(value, Mapping) else None
    return text if isinstance(text, str) else ""


def _words(value: object) -> str:
    """The first text of a list of CodeableConcepts."""
    for concept in value if isinstance(value, list) else ():
        if isinstance(concept, Mapping):
            shown = [each.get("display") for each in concept.get("coding", ()) if isinstance(each, Mapping)]
            text = concept.get("text") or next((each for each in shown if each), None)
            if isinstance(text, str):
                return text
    return ""

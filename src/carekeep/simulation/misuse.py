"""Misuse as hospitals know it, as events labelled with what is wrong. Each pattern begins one case on a day."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

from carekeep.simulation.access_events import AccessEvent, Misuse, Ward, moment, visit, within
from carekeep.simulation.population import HOUSEHOLDS_IN_A_STREET
from carekeep.simulation.profile import Profile
from carekeep.simulation.staff import Clinician, on_duty

Pattern = Callable[[Random, Ward, date], list[AccessEvent]]

_BULK = 120
_OUTSIDE = "203.0.113."  # TEST-NET-3 of RFC 5737


def _working(random: Random, place: Ward, day: date) -> tuple[Clinician, datetime]:
    """Somebody of the team who works that day, and a moment in the shift."""
    working = [(clinician, shift) for clinician in place.staff.clinicians if (shift := on_duty(clinician, day))]
    clinician, shift = random.choice(working)
    return clinician, within(random, day, shift)


def _look(
    random: Random, place: Ward, clinician: Clinician, when: datetime, targets: Sequence[Profile], misuse: Misuse
) -> list[AccessEvent]:
    """One or two looks into a chart that is not the clinician's to read; any stranger's if no target is a stranger."""
    strangers = place.strangers(clinician)
    chosen = [item for item in targets if item in strangers] or strangers
    if not chosen:
        return []
    target, device = random.choice(chosen), f"ws-{clinician.department}-0"
    looks = (when + timedelta(minutes=15 * number) for number in range(random.randint(1, 2)))
    return [event for look in looks for event in visit(random, clinician, target, look, device, misuse)]


def neighbour(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """A nurse who lives in the district reads about people in her street."""
    for clinician in random.sample(place.staff.clinicians, len(place.staff.clinicians)):
        shift = on_duty(clinician, day)
        if not clinician.resident or not shift:
            continue
        home = clinician.resident.household
        street = home // HOUSEHOLDS_IN_A_STREET
        near = [
            item
            for item in place.strangers(clinician)
            if item.member.household != home and item.member.household // HOUSEHOLDS_IN_A_STREET == street
        ]
        if near:
            return _look(random, place, clinician, within(random, day, shift), near, Misuse.NEIGHBOUR)
    return []


def prominent(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """Somebody at work is curious about a patient whom everybody knows."""
    known = [item for item in place.profiles if item.member.prominent]
    return _look(random, place, *_working(random, place, day), known, Misuse.PROMINENT) if known else []


def co_worker(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """Somebody at work is curious about a colleague."""
    employed = {clinician.resident.patient_id for clinician in place.staff.clinicians if clinician.resident}
    colleagues = [item for item in place.profiles if item.member.patient_id in employed]
    return _look(random, place, *_working(random, place, day), colleagues, Misuse.CO_WORKER) if colleagues else []


def bulk_download(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """Chart after chart, faster than anybody reads."""
    clinician, when = _working(random, place, day)
    charts = random.sample(place.profiles, min(_BULK, len(place.profiles)))
    first = next(visit(random, clinician, charts[0], when, "ws-home-1", Misuse.BULK_DOWNLOAD))
    exported = replace(first, action="export", resource_type="Bundle")
    return [
        replace(exported, at=when + timedelta(seconds=2 * number), patient=f"Patient/{item.member.patient_id}")
        for number, item in enumerate(charts)
    ]


def night_access(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """Office staff in the small hours, from outside."""
    clinician = random.choice([item for item in place.staff.clinicians if item.department == "family"])
    target = random.choice(place.panel(clinician) or place.profiles)
    when = moment(day, random.uniform(1, 4))
    return _from_outside(random, list(visit(random, clinician, target, when, "home-1", Misuse.NIGHT_ACCESS)))


def shared_credentials(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """One account in two places within the same minutes."""
    clinician, when = _working(random, place, day)
    here, there = random.choice(place.panel(clinician) or place.profiles), random.choice(place.profiles)
    device, misuse = f"ws-{clinician.department}-0", Misuse.SHARED_CREDENTIALS
    elsewhere = list(visit(random, clinician, there, when + timedelta(seconds=20), "home-2", misuse))
    return [*visit(random, clinician, here, when, device, misuse), *_from_outside(random, elsewhere)]


def former_employee(random: Random, place: Ward, day: date) -> list[AccessEvent]:
    """The account of somebody who has left is still used."""
    when, target = moment(day, random.uniform(9, 20)), random.choice(place.profiles)
    events = visit(random, place.staff.former, target, when, "home-3", Misuse.FORMER_EMPLOYEE)
    return _from_outside(random, list(events))


def _from_outside(random: Random, events: list[AccessEvent]) -> list[AccessEvent]:
    address = f"{_OUTSIDE}{random.randrange(1, 255)}"
    return [replace(event, address=address) for event in events]


PATTERNS: tuple[Pattern, ...] = (
    neighbour,
    prominent,
    co_worker,
    bulk_download,
    night_access,
    shared_credentials,
    former_employee,
)

"""Access events: ordinary work in shifts and within care, and misuse that is what its label says."""

from collections import Counter
from datetime import datetime, timedelta
from functools import cache

import pytest

from carekeep.simulation import AccessEvent, Hospital, Misuse, activity
from carekeep.simulation.access_events import ward
from carekeep.simulation.misuse import PATTERNS, prominent
from carekeep.simulation.population import HOUSEHOLDS_IN_A_STREET
from carekeep.simulation.staff import Clinician, on_duty
from carekeep.simulation.streams import stream
from tests.simulation.worlds import NOW

HOSPITAL = Hospital(1, 200, NOW)
WARD = ward(HOSPITAL, 0)
CLINICIANS = {item.reference: item for item in (*WARD.staff.clinicians, WARD.staff.former)}
HOUSEHOLDS = {f"Patient/{item.member.patient_id}": item.member.household for item in WARD.profiles}


@cache
def fortnight() -> tuple[AccessEvent, ...]:
    return tuple(activity(HOSPITAL, 0, NOW.date(), 14, misuse_a_day=0.8))


@cache
def cases() -> dict[Misuse, list[list[AccessEvent]]]:
    """Cases of each kind of misuse, over a year of days."""
    found: dict[Misuse, list[list[AccessEvent]]] = {kind: [] for kind in Misuse}
    for pattern in PATTERNS:
        for number in range(40):
            events = pattern(stream(number), WARD, NOW.date() + timedelta(days=number))
            if events and events[0].misuse:
                found[events[0].misuse].append(events)
    return found


def at_work(clinician: Clinician, at: datetime) -> bool:
    """Whether a moment lies in one of the clinician's shifts."""
    for day in (at.date(), at.date() - timedelta(days=1)):
        if shift := on_duty(clinician, day):
            start = datetime.combine(day, datetime.min.time(), at.tzinfo) + timedelta(hours=shift.start)
            if start <= at < start + timedelta(hours=shift.hours):
                return True
    return False


def in_care(event: AccessEvent) -> bool:
    panel = WARD.panel(CLINICIANS[event.practitioner])
    return event.patient in {f"Patient/{item.member.patient_id}" for item in panel}


def test_repeatable() -> None:
    assert fortnight() == tuple(activity(HOSPITAL, 0, NOW.date(), 14, misuse_a_day=0.8))


def test_in_order_of_time() -> None:
    times = [event.at for event in fortnight()]
    assert times == sorted(times)
    assert len(times) > 10_000


def test_ordinary_work_is_in_shifts_and_in_care() -> None:
    ordinary = [event for event in fortnight() if event.misuse is None]
    assert all(at_work(CLINICIANS[event.practitioner], event.at) for event in ordinary)
    assert all(in_care(event) or event.purpose == "ETREAT" for event in ordinary)
    assert 0 < sum(event.purpose == "ETREAT" for event in ordinary) < len(ordinary) / 10
    assert {event.department for event in ordinary} == {item.department for item in WARD.staff.clinicians}


def test_nights_are_quiet_and_not_silent() -> None:
    hours = Counter(event.at.hour for event in fortnight() if event.misuse is None)
    assert 0 < hours[3] < hours[10] / 4


def test_misuse_is_rare_and_can_be_left_out() -> None:
    bad = {(event.practitioner, event.at.date()) for event in fortnight() if event.misuse}
    assert 5 < len(bad) < 25
    assert not [event for event in activity(HOSPITAL, 0, NOW.date(), 5, misuse_a_day=0) if event.misuse]


def test_every_kind_of_misuse_occurs() -> None:
    for kind in set(Misuse) - {Misuse.PROMINENT}:
        assert len(cases()[kind]) > 10, kind


def test_curiosity_is_outside_care_and_inside_the_shift() -> None:
    for kind in (Misuse.NEIGHBOUR, Misuse.CO_WORKER, Misuse.PROMINENT):
        for events in cases()[kind]:
            assert not any(in_care(event) for event in events)
            assert at_work(CLINICIANS[events[0].practitioner], events[0].at)
            assert len({event.patient for event in events}) == 1


def test_neighbours_live_in_one_street() -> None:
    for events in cases()[Misuse.NEIGHBOUR]:
        resident = CLINICIANS[events[0].practitioner].resident
        assert resident is not None
        patient = HOUSEHOLDS[events[0].patient]
        assert patient != resident.household
        assert patient // HOUSEHOLDS_IN_A_STREET == resident.household // HOUSEHOLDS_IN_A_STREET


def test_prominent_patients_are_found_where_there_are_any() -> None:
    towns = [ward(Hospital(1, 800, NOW), district) for district in range(3)]
    found = []
    for town in towns:
        known = {f"Patient/{item.member.patient_id}" for item in town.profiles if item.member.prominent}
        events = [event for number in range(10) for event in prominent(stream(number), town, NOW.date())]
        assert bool(events) == bool(known)
        found += events
    assert {event.misuse for event in found} == {Misuse.PROMINENT}


def test_bulk_download_is_faster_than_reading() -> None:
    for events in cases()[Misuse.BULK_DOWNLOAD]:
        assert len({event.patient for event in events}) == len(events) > 100
        assert events[-1].at - events[0].at < timedelta(minutes=5)
        assert {event.action for event in events} == {"export"}


def test_night_access_is_outside_shifts_and_from_outside() -> None:
    for events in cases()[Misuse.NIGHT_ACCESS]:
        assert not any(at_work(CLINICIANS[event.practitioner], event.at) for event in events)
        assert all(event.address.startswith("203.0.113.") for event in events)


def test_shared_credentials_are_in_two_places_at_once() -> None:
    for events in cases()[Misuse.SHARED_CREDENTIALS]:
        assert len({event.practitioner for event in events}) == 1
        assert len({event.address for event in events}) == 2
        starts = {event.device: event.at for event in reversed(events)}
        assert max(starts.values()) - min(starts.values()) < timedelta(minutes=1)


def test_former_employees_have_left() -> None:
    for events in cases()[Misuse.FORMER_EMPLOYEE]:
        assert {event.practitioner for event in events} == {WARD.staff.former.reference}


def test_a_district_without_patients_is_refused() -> None:
    with pytest.raises(ValueError, match="district 3"):
        list(activity(HOSPITAL, 3, NOW.date(), 1, misuse_a_day=0))

"""Clinicians work shifts, have names of their own, and care for panels of a size that a person can care for."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from carekeep.simulation.access_events import carers
from carekeep.simulation.population import household
from carekeep.simulation.staff import DEPARTMENTS, EVENING, NIGHT, next_duty, on_duty, team
from tests.simulation.worlds import NOW, charts, directory

TEAM = team(1, 0, NOW.date())


def test_every_department_has_its_people() -> None:
    for key, department in DEPARTMENTS.items():
        assert len(TEAM.physicians[key]) == department.physicians > 0
        assert len(TEAM.nurses[key]) == department.nurses > 0
    assert len(TEAM.clinicians) == sum(item.physicians + item.nurses for item in DEPARTMENTS.values())


def test_logins_are_unique_within_and_between_teams() -> None:
    logins = [item.login for number in range(4) for item in team(1, number, NOW.date()).clinicians]
    assert len(set(logins)) == len(logins)
    assert all(login.replace(".", "").isascii() and login.replace(".", "").isalnum() for login in logins)


def test_clinics_rest_at_weekends_and_wards_never() -> None:
    monday = date(2026, 11, 23)
    for clinician in TEAM.clinicians:
        week = [on_duty(clinician, monday + timedelta(days=number)) for number in range(7)]
        if DEPARTMENTS[clinician.department].rotates:
            fortnight = [on_duty(clinician, monday + timedelta(days=number)) for number in range(8)]
            assert fortnight.count(None) == 2
            assert fortnight.count(NIGHT) == fortnight.count(EVENING) == 2
        else:
            assert [shift is None for shift in week] == [False] * 5 + [True] * 2


def test_next_duty_is_a_duty() -> None:
    for clinician in TEAM.clinicians:
        for number in range(10):
            day = date(2026, 1, 1) + timedelta(days=number)
            found, shift = next_duty(clinician, day)
            assert on_duty(clinician, found) == shift
            assert all(on_duty(clinician, day + timedelta(days=n)) is None for n in range((found - day).days))


def test_slots_lie_in_their_physicians_shifts() -> None:
    by_id = {item.reference: item for item in TEAM.clinicians}
    schedules = {
        f"Schedule/{item['id']}": by_id[item["actor"][0]["reference"]]
        for item in directory(200)
        if item["resourceType"] == "Schedule"
    }
    slots = [item for item in directory(200) if item["resourceType"] == "Slot"]
    assert len(slots) > 200
    for slot in slots:
        start, end = (datetime.fromisoformat(slot[key]) for key in ("start", "end"))
        clinician = schedules[slot["schedule"]["reference"]]
        days = (start.date(), start.date() - timedelta(days=1))  # a night shift reaches into the next day
        shifts = [(day, shift) for day in days if (shift := on_duty(clinician, day))]
        midnights = [(datetime.combine(day, datetime.min.time(), NOW.tzinfo), shift) for day, shift in shifts]
        assert any(
            midnight + timedelta(hours=shift.start) <= start
            and end <= midnight + timedelta(hours=shift.start + shift.hours)
            for midnight, shift in midnights
        )


def test_office_visits_lie_in_office_hours() -> None:
    by_id = {item.reference: item for item in TEAM.clinicians}
    seen = 0
    for chart in charts(200):
        for item in chart.resources:
            if item["resourceType"] == "Encounter" and item["class"]["code"] == "AMB":
                clinician = by_id[item["participant"][0]["individual"]["reference"]]
                start = datetime.fromisoformat(item["period"]["start"])
                shift = on_duty(clinician, start.date())
                assert shift is not None
                assert shift.start <= start.hour < shift.start + shift.hours
                seen += 1
    assert seen > 500


def test_panels_are_of_a_size_that_a_person_can_care_for() -> None:
    panels: defaultdict[str, set[str]] = defaultdict(set)
    for chart in charts(200):
        for reference in carers(chart.resources):
            panels[reference].add(chart.patient_id)
    family = [len(panels[item.reference]) for item in TEAM.physicians["family"]]
    assert min(family) > 25
    assert max(family) < 90
    assert set(panels) <= {item.reference for item in TEAM.clinicians}
    physicians = {item.reference for group in TEAM.physicians.values() for item in group}
    assert physicians <= set(panels)
    assert max(map(len, panels.values())) < 120


def test_departments_overlap_in_their_patients() -> None:
    departments = {item.reference: item.department for item in TEAM.clinicians}
    seen_by = [{departments[reference] for reference in carers(chart.resources)} for chart in charts(200)]
    assert sum(len(found) >= 2 for found in seen_by) > 60
    assert sum(len(found) == 1 for found in seen_by) > 20


def test_some_clinicians_are_patients_too() -> None:
    residents = [item for item in TEAM.clinicians if item.resident]
    assert len(residents) == 3
    for item in residents:
        assert item.resident is not None
        member = household(1, item.resident.household, NOW.date()).members[0]
        assert (item.family, item.given, item.birth) == (member.family, member.given[0], member.birth)


def test_who_has_left_is_not_active() -> None:
    left = [item for item in directory(200) if item["resourceType"] == "Practitioner" and not item["active"]]
    assert [item["id"] for item in left] == [TEAM.former.practitioner_id]
    assert TEAM.former.left is not None
    assert TEAM.former.left < NOW.date()

"""Care relationships as the records state them: a table of records, and at which moments each relates."""

import copy
from datetime import datetime
from typing import Any

import pytest

from carekeep.access import CARE_TYPES, Relation, Windows
from carekeep.access.bonds import bonds_of, holding, names_of
from carekeep.access.spans import FOREVER

ME = "Practitioner/me"
PATIENT = "Patient/p1"
DAY = 24 * 3600 * 1000
NOON = "2026-06-15T12:00:00Z"


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def ref(text: str) -> dict[str, str]:
    return {"reference": text}


ROLES: list[dict[str, Any]] = [
    {"id": "role", "practitioner": ref(ME), "organization": ref("Organization/ward"), "active": True},
    {"id": "old", "practitioner": ref(ME), "organization": ref("Organization/past"), "period": {"end": "2026-06-14"}},
    {"id": "off", "practitioner": ref(ME), "organization": ref("Organization/off"), "active": False},
    {"id": "theirs", "practitioner": ref("Practitioner/other"), "organization": ref("Organization/theirs")},
]
NAMES = names_of(ME, ROLES)

TEAM = {
    "resourceType": "CareTeam",
    "status": "active",
    "subject": ref(PATIENT),
    "participant": [{"member": ref("Practitioner/other")}, {"member": ref(ME)}],
}
STAY = {
    "resourceType": "Encounter",
    "status": "in-progress",
    "subject": ref(PATIENT),
    "participant": [{"individual": ref(ME)}],
}
VISIT = {
    "resourceType": "Appointment",
    "status": "booked",
    "start": "2026-06-15T12:00:00Z",
    "end": "2026-06-15T12:30:00Z",
    "participant": [{"actor": ref(PATIENT), "status": "accepted"}, {"actor": ref(ME), "status": "accepted"}],
}
RECORD = {"resourceType": "Patient", "id": "p1", "generalPractitioner": [ref("Organization/ward")]}
FINISHED = {"status": "finished", "period": {"start": "2026-06-01", "end": "2026-06-15T12:00:00Z"}}
PLANNED = {"status": "planned", "period": {"start": "2026-06-15T12:00:00Z"}}


def changed(resource: dict[str, Any], **elements: Any) -> dict[str, Any]:
    return copy.deepcopy({**resource, **elements})


def member(reference: str, **more: Any) -> dict[str, Any]:
    return changed(TEAM, participant=[{"member": ref(reference), **more}])


def attended(**more: Any) -> dict[str, Any]:
    return changed(STAY, participant=[{"individual": ref(ME), **more}])


def actors(*participants: tuple[str, str]) -> dict[str, Any]:
    return changed(VISIT, participant=[{"actor": ref(who), "status": status} for who, status in participants])


# The record, when it is asked, and whether it relates me to the patient then.
TABLE: list[tuple[str, dict[str, Any], str, bool]] = [
    ("team", TEAM, NOON, True),
    ("team: proposed", changed(TEAM, status="proposed"), NOON, False),
    ("team: inactive", changed(TEAM, status="inactive"), NOON, False),
    ("team: no status", {k: v for k, v in TEAM.items() if k != "status"}, NOON, False),
    ("team: of another patient", changed(TEAM, subject=ref("Patient/p2")), NOON, False),
    ("team: without me", member("Practitioner/other"), NOON, False),
    ("team: my role", member("PractitionerRole/role"), NOON, True),
    ("team: my organization", member("Organization/ward"), NOON, True),
    ("team: my organization until yesterday", member("Organization/past"), NOON, False),
    ("team: my organization on its last day", member("Organization/past"), "2026-06-14T23:59:59Z", True),
    ("team: an organization where I am inactive", member("Organization/off"), NOON, False),
    ("team: an organization of others", member("Organization/theirs"), NOON, False),
    ("team: a version of me", member("Practitioner/me/_history/3"), NOON, True),
    ("team: my namesake elsewhere", member("https://elsewhere.example/Practitioner/me"), NOON, False),
    ("team: contained", member("#me"), NOON, False),
    ("team: I left", member(ME, period={"end": "2026-06-15T11:59:59Z"}), NOON, False),
    ("team: I leave this second", member(ME, period={"end": NOON}), NOON, True),
    ("team: I have not begun", member(ME, period={"start": "2026-06-15T12:00:01Z"}), NOON, False),
    ("team: I begin now", member(ME, period={"start": NOON}), NOON, True),
    ("team: it ended", changed(TEAM, period={"end": "2026-06-14"}), NOON, False),
    ("team: it ends today", changed(TEAM, period={"end": "2026-06-15"}), "2026-06-15T23:59:59Z", True),
    ("team: a period that nobody can read", changed(TEAM, period={"start": "soon"}), NOON, False),
    ("team: participants that are no list", changed(TEAM, participant=ref(ME)), NOON, False),
    ("patient: my organization is the general practice", RECORD, NOON, True),
    ("patient: another record", changed(RECORD, id="p2"), NOON, False),
    ("patient: no general practitioner", {"resourceType": "Patient", "id": "p1"}, NOON, False),
    ("stay", STAY, NOON, True),
    ("stay: arrived", changed(STAY, status="arrived"), NOON, True),
    ("stay: on leave", changed(STAY, status="onleave"), NOON, True),
    ("stay: cancelled", changed(STAY, status="cancelled"), NOON, False),
    ("stay: entered in error", changed(STAY, status="entered-in-error"), NOON, False),
    ("stay: unknown", changed(STAY, status="unknown"), NOON, False),
    ("stay: of another patient", changed(STAY, subject=ref("Patient/p2")), NOON, False),
    ("stay: without me", changed(STAY, participant=[{"individual": ref("Practitioner/other")}]), NOON, False),
    ("stay: I took part a month ago", attended(period={"end": "2026-05-16T12:00:01Z"}), NOON, True),
    ("stay: I took part longer ago", attended(period={"end": "2026-05-16T11:59:58Z"}), NOON, False),
    ("stay: I come tomorrow", attended(period={"start": "2026-06-16"}), NOON, False),
    ("stay: finished", changed(STAY, **FINISHED), NOON, True),
    ("stay: 30 days ago", changed(STAY, **FINISHED), "2026-07-15T12:00:00Z", True),
    ("stay: 30 days and a second ago", changed(STAY, **FINISHED), "2026-07-15T12:00:01Z", False),
    ("stay: finished, only begun", changed(STAY, status="finished", period={"start": "2026-06-01"}), NOON, True),
    ("stay: finished, begun long ago", changed(STAY, status="finished", period={"start": "2026-05-01"}), NOON, False),
    ("stay: finished, no time", changed(STAY, status="finished"), NOON, False),
    ("stay: planned for now", changed(STAY, **PLANNED), NOON, True),
    ("stay: planned, 14 days ahead", changed(STAY, **PLANNED), "2026-06-01T12:00:00Z", True),
    ("stay: planned, 14 days and a second ahead", changed(STAY, **PLANNED), "2026-06-01T11:59:59Z", False),
    ("stay: planned and forgotten", changed(STAY, **PLANNED), "2026-06-16T12:00:01Z", False),
    ("stay: planned for some time", changed(STAY, status="planned"), NOON, False),
    ("visit", VISIT, NOON, True),
    ("visit: 14 days ahead", VISIT, "2026-06-01T12:00:00Z", True),
    ("visit: 14 days and a second ahead", VISIT, "2026-06-01T11:59:59Z", False),
    ("visit: a day after", VISIT, "2026-06-16T12:30:00Z", True),
    ("visit: a day and a second after", VISIT, "2026-06-16T12:30:01Z", False),
    ("visit: no end", {k: v for k, v in VISIT.items() if k != "end"}, "2026-06-16T12:00:00Z", True),
    ("visit: no start", {k: v for k, v in VISIT.items() if k != "start"}, NOON, False),
    ("visit: arrived", changed(VISIT, status="arrived"), NOON, True),
    ("visit: fulfilled", changed(VISIT, status="fulfilled"), NOON, True),
    ("visit: proposed", changed(VISIT, status="proposed"), NOON, False),
    ("visit: cancelled", changed(VISIT, status="cancelled"), NOON, False),
    ("visit: missed", changed(VISIT, status="noshow"), NOON, False),
    ("visit: I declined", actors((PATIENT, "accepted"), (ME, "declined")), NOON, False),
    ("visit: the patient declined", actors((PATIENT, "declined"), (ME, "accepted")), NOON, False),
    ("visit: tentative", actors((PATIENT, "tentative"), (ME, "needs-action")), NOON, True),
    ("visit: of another patient", actors(("Patient/p2", "accepted"), (ME, "accepted")), NOON, False),
    ("visit: my role", actors((PATIENT, "accepted"), ("PractitionerRole/role", "accepted")), NOON, True),
    ("another type", changed(TEAM, resourceType="CarePlan"), NOON, False),
]
RELATION_OF = {
    "CareTeam": Relation.CARE_TEAM,
    "Patient": Relation.CARE_TEAM,
    "Encounter": Relation.ENCOUNTER,
    "Appointment": Relation.APPOINTMENT,
}


@pytest.mark.parametrize(("resource", "at", "related"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_a_record_says_at_a_moment(resource: dict[str, Any], at: str, related: bool) -> None:
    relations, _ = holding(bonds_of(resource, PATIENT, NAMES, Windows()), ms(at))
    assert relations == (frozenset({RELATION_OF[resource["resourceType"]]}) if related else frozenset())


@pytest.mark.parametrize(("resource", "at"), [row[1:3] for row in TABLE], ids=[row[0] for row in TABLE])
def test_an_answer_holds_until_the_moment_that_it_names(resource: dict[str, Any], at: str) -> None:
    bonds = bonds_of(resource, PATIENT, NAMES, Windows())
    now = ms(at)
    relations, change = holding(bonds, now)
    assert change > now
    if change < FOREVER:
        assert holding(bonds, change - 1)[0] == relations
        assert holding(bonds, change)[0] != relations


def test_windows_are_settings() -> None:
    stay = changed(STAY, **FINISHED)
    short = Windows(after_encounter=DAY)
    assert holding(bonds_of(stay, PATIENT, NAMES, short), ms("2026-06-16T12:00:00Z"))[0]
    assert not holding(bonds_of(stay, PATIENT, NAMES, short), ms("2026-06-16T12:00:01Z"))[0]


def test_every_type_of_the_table_is_a_care_type() -> None:
    assert {*RELATION_OF, "PractitionerRole"} == CARE_TYPES


def test_two_roles_in_one_organization_both_count() -> None:
    first = {"id": "a", "practitioner": ref(ME), "organization": ref("Organization/o"), "period": {"end": "2026-01"}}
    second = {"id": "b", "practitioner": ref(ME), "organization": ref("Organization/o"), "period": {"start": "2026-06"}}
    team = member("Organization/o")
    held = [
        bool(holding(bonds_of(team, PATIENT, names_of(ME, [first, second]), Windows()), ms(at))[0])
        for at in ("2026-01-15T00:00:00Z", "2026-03-15T00:00:00Z", NOON)
    ]
    assert held == [True, False, True]

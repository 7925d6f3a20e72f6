"""Looking relations up: what is asked of the records, and for how long an answer is remembered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from carekeep.access import Relation, Relationships
from tests.access.people import ADMINISTRATOR, PATIENT, PRACTITIONER, Person

DAY = 24 * 3600 * 1000


@dataclass
class Records:
    """A records room in memory. It answers by type and patient alone, so that what it returns over-selects."""

    by_patient: dict[str | None, list[dict[str, Any]]]
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    async def find(self, type_: str, query: Sequence[tuple[str, str]], patient: str | None) -> list[dict[str, Any]]:
        assert query
        self.asked.append((type_, patient))
        found = [record for record in self.by_patient.get(patient, []) if record["resourceType"] == type_]
        self.reading.set()
        if self.gate is not None:
            await self.gate.wait()
        return found

    async def care_records(self, references: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        assert "Practitioner/me" in references
        return {patient: list(found) for patient, found in self.by_patient.items() if patient is not None}


@dataclass
class Hands:
    """A clock that is set by hand."""

    now: int = 100 * DAY

    def __call__(self) -> int:
        return self.now


def team(patient: str, member: str = "Practitioner/me", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"member": {"reference": member}}],
        **more,
    }


def records() -> Records:
    role = {
        "resourceType": "PractitionerRole",
        "id": "r",
        "practitioner": {"reference": "Practitioner/me"},
        "organization": {"reference": "Organization/o"},
    }
    return Records(
        {None: [role], "p1": [team("p1")], "p2": [team("p2", "Organization/o")], "p3": [team("p3", "Practitioner/x")]}
    )


CARE = frozenset({Relation.CARE_TEAM})


async def test_a_clinician_is_related_by_name_and_by_organization() -> None:
    relationships = Relationships(records(), Hands())
    assert await relationships.between(PRACTITIONER, "p1") == CARE
    assert await relationships.between(PRACTITIONER, "p2") == CARE
    assert await relationships.between(PRACTITIONER, "p3") == frozenset()
    assert await relationships.between(PRACTITIONER, "nobody") == frozenset()


@pytest.mark.parametrize(
    ("principal", "patient", "relations"),
    [
        (PATIENT, "p1", {Relation.SELF}),
        (PATIENT, "p2", set()),
        (replace(PATIENT, fhir_user=None), "p1", set()),
        (replace(PATIENT, fhir_user="Practitioner/me"), "p1", set()),
        (replace(PRACTITIONER, fhir_user=None), "p1", set()),
        (replace(PRACTITIONER, fhir_user="Patient/p1"), "p1", set()),
        (replace(ADMINISTRATOR, fhir_user="Practitioner/me"), "p1", set()),
    ],
)
async def test_without_a_record_to_look_at(principal: Person, patient: str, relations: set[Relation]) -> None:
    room = records()
    assert await Relationships(room, Hands()).between(principal, patient) == relations
    assert not room.asked


async def test_the_panel_is_every_patient_with_a_relation() -> None:
    relationships = Relationships(records(), Hands())
    assert await relationships.panel(PRACTITIONER) == {"p1", "p2"}
    assert await relationships.panel(PATIENT) == {"p1"}
    assert await relationships.panel(ADMINISTRATOR) == frozenset()


async def test_the_panel_asks_for_no_patient_alone() -> None:
    room = records()
    relationships = Relationships(room, Hands())
    await relationships.panel(PRACTITIONER)
    assert room.asked == [("PractitionerRole", None)]
    assert await relationships.between(PRACTITIONER, "p2") == CARE
    assert len(room.asked) == 1


async def test_an_answer_is_remembered_for_a_minute() -> None:
    room, clock = records(), Hands()
    relationships = Relationships(room, clock)
    await relationships.between(PRACTITIONER, "p1")
    looked_up = len(room.asked)
    room.by_patient["p1"] = []
    clock.now += 59_999
    assert await relationships.between(PRACTITIONER, "p1") == CARE
    assert len(room.asked) == looked_up
    clock.now += 1
    assert await relationships.between(PRACTITIONER, "p1") == frozenset()


async def test_an_answer_ends_with_the_period_that_it_rests_on() -> None:
    room, clock = records(), Hands()
    room.by_patient["p1"] = [team("p1", period={"end": "1970-04-11T00:00:29Z"})]  # half a minute into day 100
    relationships = Relationships(room, clock)
    assert await relationships.between(PRACTITIONER, "p1") == CARE
    assert await relationships.panel(PRACTITIONER) == {"p1", "p2"}
    clock.now += 29_999
    assert await relationships.between(PRACTITIONER, "p1") == CARE
    clock.now += 1
    assert await relationships.between(PRACTITIONER, "p1") == frozenset()
    assert await relationships.panel(PRACTITIONER) == {"p2"}


async def test_a_changed_care_record_counts_at_once() -> None:
    room = records()
    relationships = Relationships(room, Hands())
    assert await relationships.between(PRACTITIONER, "p1") == CARE
    assert await relationships.panel(PRACTITIONER) == {"p1", "p2"}
    room.by_patient["p1"] = []
    room.by_patient[None] = []
    relationships.forget_cached()
    assert await relationships.between(PRACTITIONER, "p1") == frozenset()
    assert await relationships.between(PRACTITIONER, "p2") == frozenset()
    assert await relationships.panel(PRACTITIONER) == frozenset()


async def test_what_was_read_before_a_change_is_not_remembered_after_it() -> None:
    room = records()
    relationships = Relationships(room, Hands())
    await relationships.between(PRACTITIONER, "p3")  # my roles are known
    room.reading.clear()
    room.gate = asyncio.Event()
    slow = asyncio.ensure_future(relationships.between(PRACTITIONER, "p1"))
    await room.reading.wait()
    room.by_patient[None] = []
    room.by_patient["p1"] = []
    relationships.forget_cached()
    room.gate.set()
    assert await slow == CARE
    assert await relationships.between(PRACTITIONER, "p1") == frozenset()
    assert await relationships.between(PRACTITIONER, "p2") == frozenset()

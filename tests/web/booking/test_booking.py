"""Booking a visit: one of many gets a time, moving and cancelling give it back, and nobody acts for somebody else."""

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from carekeep.access import Action, Purpose
from carekeep.web.booking import NotBookable, TimeTaken, book, cancel, move
from carekeep.web.http import Request
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem
from tests.web.clinic import Clinic, Json

SCHEDULE: Json = {
    "resourceType": "Schedule",
    "id": "okafor",
    "active": True,
    "actor": [{"reference": "Practitioner/physician"}],
}


def slot(id_: str, hour: int) -> Json:
    return {
        "resourceType": "Slot",
        "id": id_,
        "schedule": {"reference": "Schedule/okafor"},
        "status": "free",
        "start": f"2026-11-10T{hour:02}:00:00Z",
        "end": f"2026-11-10T{hour:02}:30:00Z",
    }


async def with_slots(clinic: Clinic, *hours: int) -> None:
    for resource in (SCHEDULE, *(slot(f"at-{hour}", hour) for hour in hours)):
        assert (await clinic.put(resource)).status == 201


async def passage_of(clinic: Clinic, who: str) -> Passage:
    async def receive() -> dict[str, Any]:
        return {}

    request = Request("POST", ("appointments",), "", {}, "203.0.113.7", receive)
    passage = Passage(clinic.system.services, request)
    principal = await clinic.system.services.tokens.authenticate(clinic.tokens[who])
    passage.principal, passage.purpose = principal, Purpose.PATRQT
    passage.describe(principal)
    return passage


async def status(clinic: Clinic, id_: str) -> str:
    return str((await clinic.ask("GET", f"Slot/{id_}")).json["status"])


def key() -> str:
    return str(uuid.uuid4())


async def test_of_fifty_who_want_a_time_one_gets_it(clinic: Clinic) -> None:
    """Half of them are ada, half bob; all have looked at the page and press the button at once."""
    await with_slots(clinic, 10)
    passages = [(await passage_of(clinic, who), who) for who in ("ada", "bob") * 25]
    done = await asyncio.gather(
        *(book(passage, who, "at-10", "", key()) for passage, who in passages), return_exceptions=True
    )
    won = [each for each in done if isinstance(each, str)]
    assert len(won) == 1
    lost = [each for each in done if not isinstance(each, str)]
    assert all(isinstance(each, NotBookable | Problem) for each in lost), lost
    assert any(isinstance(each, TimeTaken) for each in lost)
    assert await status(clinic, "at-10") == "busy"
    found = await clinic.ask("GET", "Appointment?slot=Slot/at-10&_count=50")
    assert [entry["resource"]["id"] for entry in found.json["entry"]] == won


async def test_the_same_form_twice_is_one_appointment_and_one_entry_holds_both_changes(clinic: Clinic) -> None:
    await with_slots(clinic, 10)
    passage, form = await passage_of(clinic, "ada"), key()
    assert await book(passage, "ada", "at-10", "Knee hurts", form) == form
    assert passage.entry_id is not None
    entry = await clinic.entry(passage.entry_id.hex())
    assert (entry.action, entry.outcome, entry.patients) == (Action.APPOINTMENT_BOOK, "permitted", ("ada",))
    assert {what.reference for what in entry.what} == {f"Appointment/{form}", "Slot/at-10"}
    assert await book(await passage_of(clinic, "ada"), "ada", "at-10", "Knee hurts", form) == form
    assert (await clinic.ask("GET", "Appointment?patient=Patient/ada")).json["total"] == 1
    with pytest.raises(NotBookable):  # somebody else's form
        await book(await passage_of(clinic, "bob"), "bob", "at-10", "", form)


async def test_moving_frees_the_old_time_and_cancelling_the_new_one(clinic: Clinic) -> None:
    await with_slots(clinic, 10, 11)
    passage = await passage_of(clinic, "ada")
    made = await book(passage, "ada", "at-10", "", key())
    await move(passage, "ada", made, "at-11")
    assert (await status(clinic, "at-10"), await status(clinic, "at-11")) == ("free", "busy")
    moved = (await clinic.ask("GET", f"Appointment/{made}")).json
    assert (moved["start"], moved["slot"]) == ("2026-11-10T11:00:00.000Z", [{"reference": "Slot/at-11"}])
    await cancel(passage, "ada", made, "I feel better")
    assert await status(clinic, "at-11") == "free"
    gone = (await clinic.ask("GET", f"Appointment/{made}")).json
    assert (gone["status"], gone["cancelationReason"]["text"]) == ("cancelled", "I feel better")


async def test_nobody_books_moves_or_cancels_for_somebody_else(clinic: Clinic) -> None:
    await with_slots(clinic, 10, 11)
    made = await book(await passage_of(clinic, "ada"), "ada", "at-10", "", key())
    bob = await passage_of(clinic, "bob")
    with pytest.raises(Problem) as refused:
        await book(bob, "ada", "at-11", "", key())
    assert refused.value.status == 403
    for act in (move(bob, "bob", made, "at-11"), cancel(bob, "bob", made, ""), cancel(bob, "ada", made, "")):
        with pytest.raises(Problem):
            await act
    assert (await status(clinic, "at-10"), await status(clinic, "at-11")) == ("busy", "free")
    clinician = await passage_of(clinic, "emergency")
    clinician.purpose = Purpose.TREAT
    with pytest.raises(Problem):  # nobody makes a care relationship by booking for a patient
        await book(clinician, "bob", "at-11", "", key())
    assert replace(refused.value.issues[0]).code == "forbidden"

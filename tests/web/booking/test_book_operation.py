"""Booking by apps: ``Appointment/$book`` and ``$cancel``, within scopes, by the rules of the portal."""

import asyncio
from typing import Any

import pytest

from carekeep.access import Action
from carekeep.audit import Entry
from tests.web.booking.test_booking import key, status, with_slots
from tests.web.clinic import Answer, Clinic, Json, on_sqlite
from tests.web.test_narrowed_apps import connect

SCOPES = "patient/Appointment.cu user/Slot.cu"


def parameters(**given: Any) -> Json:
    rows = [{"name": name, **value} for name, value in given.items()]
    return {"resourceType": "Parameters", "parameter": rows}


WHY = parameters(reason={"valueString": "I feel better"})


async def book(clinic: Clinic, who: str, slot: str, form: str) -> Answer:
    body = parameters(
        slot={"valueReference": {"reference": f"Slot/{slot}"}},
        key={"valueString": form},
        reason={"valueString": "Knee hurts"},
    )
    return await clinic.ask("POST", "Appointment/$book", body, who=who)


def entry_of(answer: Answer) -> Entry:
    assert answer.entry is not None
    return answer.entry


async def test_of_twenty_requests_for_one_time_one_wins(clinic: Clinic) -> None:
    await with_slots(clinic, 10)
    apps = [await connect(clinic, who, SCOPES, who) for who in ("ada", "bob")]
    answers = await asyncio.gather(*(book(clinic, who, "at-10", key()) for who in apps * 10))
    won = [each for each in answers if each.status == 200]
    assert len(won) == 1
    assert {each.status for each in answers} == {200, 409}
    assert all(each.entry is not None for each in answers)
    assert await status(clinic, "at-10") == "busy"
    assert (await clinic.ask("GET", "Appointment?slot=Slot/at-10")).json["total"] == 1


@on_sqlite
async def test_the_same_key_books_once_and_the_visit_is_cancelled(clinic: Clinic) -> None:
    await with_slots(clinic, 10)
    app, form = await connect(clinic, "ada", SCOPES), key()
    for _ in range(2):
        answer = await book(clinic, app, "at-10", form)
        assert answer.json["parameter"][0]["valueReference"]["reference"] == f"Appointment/{form}"
        assert (entry_of(answer).action, entry_of(answer).outcome) == (Action.APPOINTMENT_BOOK, "permitted")
    other = await connect(clinic, "bob", SCOPES, "bob")
    assert (await clinic.ask("POST", f"Appointment/{form}/$cancel", WHY, who=other)).status == 404
    assert await status(clinic, "at-10") == "busy"
    assert (await clinic.ask("POST", f"Appointment/{form}/$cancel", WHY, who=app)).status == 200
    assert await status(clinic, "at-10") == "free"


@on_sqlite
@pytest.mark.parametrize(
    ("login", "scopes"),
    [("ada", "patient/Appointment.rs user/Slot.rs"), ("ada", "patient/Appointment.cu"), ("physician", SCOPES)],
)
async def test_no_app_books_beyond_its_scopes_or_for_a_clinician(clinic: Clinic, login: str, scopes: str) -> None:
    await with_slots(clinic, 10)
    answer = await book(clinic, await connect(clinic, login, scopes), "at-10", key())
    assert answer.status == 403
    assert entry_of(answer).outcome == "denied"
    assert await status(clinic, "at-10") == "free"


@on_sqlite
@pytest.mark.parametrize(
    "slot", [{"valueString": "at-10"}, {"valueReference": {"reference": "Patient/ada"}}, {"valueReference": {}}]
)
async def test_a_slot_is_a_reference_to_one(clinic: Clinic, slot: Json) -> None:
    app = await connect(clinic, "ada", SCOPES)
    body = parameters(slot=slot, key={"valueString": key()})
    assert (await clinic.ask("POST", "Appointment/$book", body, who=app)).status in {400, 422}

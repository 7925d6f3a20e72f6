"""Booking, moving and cancelling: the rules, asked of what is there at this moment, and one unit for each act.

Every attempt plans anew, with what is there then: who was overtaken finds the time taken. Acts of one patient come one
after the other (a counter, ``records.guarding``), so that two at once are not more than the rules allow.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from carekeep.access import Action
from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.storage import Prepared
from carekeep.web.booking import rules
from carekeep.web.booking.rules import NotBookable, Time, Visit
from carekeep.web.fhir.writing import Operation, Plan, carry_out_plan
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

Json = dict[str, Any]
_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A Slot as it is now, and the time that it is."""

    stored: Stored
    time: Time | None


async def book(passage: Passage, patient: str, slot: str, words: str, key: str) -> str:
    """Take a time; the id of the Appointment, which is ``key``: the same form sent twice books once.

    ``patient`` is an id. Raises NotBookable, TimeTaken; Problem 400 for a key that is none, 403, 404.
    """
    if not _KEY.fullmatch(key):
        raise problem(400, "value", "The key of a booking is a random UUID.")
    words = rules.own_words(words)
    me = f"Patient/{patient}"
    if await _is_done(passage, me, slot, key):
        return key

    async def plan() -> Plan:
        guard = await _turn(passage, me)
        if await _is_done(passage, me, slot, key):
            return Plan(())
        now = passage.services.clock()
        found = await _slot(passage, slot)
        time = rules.demand_free(found.time, now)
        rules.demand_room(time, await _visits(passage, patient), now)
        new = rules.booked(key, me, time, words, now)
        asks = Action.APPOINTMENT_BOOK
        operations = [
            Operation("Appointment", key, new, creates=True, asks=asks),
            _set(found, "busy", asks),
        ]
        return Plan(operations, guard=guard)

    await _carry_out(passage, Action.APPOINTMENT_BOOK, plan)
    return key


async def move(passage: Passage, patient: str, appointment: str, slot: str) -> None:
    """Another time of the same clinician; the old one is free again. Raises NotBookable, TimeTaken, Problem."""
    me = f"Patient/{patient}"

    async def plan() -> Plan:
        guard = await _turn(passage, me)
        now, asks = passage.services.clock(), Action.APPOINTMENT_CHANGE
        current = await _own(passage, appointment, me)
        visit = rules.visit_of(current.resource)
        if visit is not None and visit.is_open and visit.slots == (slot,):
            return Plan(())  # the form was sent twice
        visit = rules.demand_changeable(visit, me, now)
        found = await _slot(passage, slot)
        time = rules.demand_free(found.time, now)
        rules.demand_room(time, await _visits(passage, patient), now, instead=appointment)
        changed = rules.moved(current.resource, me, time)
        operations = [
            _change(current, changed, asks),
            _set(found, "busy", asks),
            *await _given_back(passage, visit.slots, asks),
        ]
        return Plan(operations, guard=guard)

    await _carry_out(passage, Action.APPOINTMENT_CHANGE, plan)


async def cancel(passage: Passage, patient: str, appointment: str, words: str) -> None:
    """The visit will not take place, and its time is free again. Raises NotBookable, Problem."""
    me = f"Patient/{patient}"
    words = rules.own_words(words)

    async def plan() -> Plan:
        asks = Action.APPOINTMENT_CHANGE
        current = await _own(passage, appointment, me)
        if current.resource.get("status") == "cancelled":
            return Plan(())  # the form was sent twice
        visit = rules.demand_changeable(rules.visit_of(current.resource), me, passage.services.clock())
        changed = rules.cancelled(current.resource, words)
        return Plan([_change(current, changed, asks), *await _given_back(passage, visit.slots, asks)])

    await _carry_out(passage, Action.APPOINTMENT_CHANGE, plan)


async def _carry_out(passage: Passage, action: Action, plan: Callable[[], Awaitable[Plan]]) -> None:
    """All of a plan, or nothing; that it could not be is recorded."""
    try:
        await carry_out_plan(passage, action, plan)
    except NotBookable as refused:
        await passage.record(action, "failed", reason=str(refused))
        raise


async def _turn(passage: Passage, patient: str) -> Prepared[None]:
    """The turn of one patient, as it is now: it conflicts when another booking of theirs was first."""
    condition = f"bookings of {patient}"
    return (await passage.services.vault.guards([condition])).prepared([condition])


async def _is_done(passage: Passage, me: str, slot: str, key: str) -> bool:
    """Whether this very form was sent before. Raises NotBookable when the id is of something else."""
    try:
        known = await passage.services.vault.read("Appointment", key)
    except (NotFound, Forgotten):
        return False
    visit = None if known.deleted else rules.visit_of(known.resource)
    if visit is None or visit.patients != (me,) or visit.slots != (slot,):
        raise NotBookable("This form was used before. Please look for a time again.")
    return True


async def _own(passage: Passage, id_: str, me: str) -> Stored:
    """An Appointment of the patient. Raises 404 for any other, which looks the same as none; recorded."""
    try:
        stored = await passage.services.vault.read("Appointment", id_)
    except (NotFound, Forgotten):
        stored = None
    if stored is None or stored.deleted or f"Patient/{'/'.join(stored.patients)}" != me:
        await passage.record(Action.APPOINTMENT_CHANGE, "denied", reason="no such appointment of this patient")
        raise problem(404, "not-found", "There is no such appointment of yours.")
    return stored


async def _slot(passage: Passage, id_: str) -> _Found:
    vault = passage.services.vault
    try:
        stored = await vault.read("Slot", id_)
        schedule = "" if stored.deleted else stored.resource["schedule"]["reference"].removeprefix("Schedule/")
        owner = await vault.read("Schedule", schedule)
    except (NotFound, Forgotten):
        raise NotBookable("That time is not offered any more.") from None
    if stored.deleted or owner.deleted:
        raise NotBookable("That time is not offered any more.")
    return _Found(stored, rules.time_of(stored.resource, owner.resource))


async def _visits(passage: Passage, patient: str) -> list[Visit]:
    query = parse_query("Appointment", [("status", "proposed,pending,booked,waitlist")], lenient=False)
    found = passage.services.vault.search_all(query, (patient,))
    visits = [rules.visit_of(stored.resource) async for stored in found if patient in stored.patients]
    return [visit for visit in visits if visit is not None]


async def _given_back(passage: Passage, slots: Sequence[str], asks: Action) -> list[Operation]:
    """The times that an appointment took, free again, as far as they are there and taken."""
    operations = []
    for slot in slots:
        try:
            stored = await passage.services.vault.read("Slot", slot)
        except (NotFound, Forgotten):
            continue
        if not stored.deleted and stored.resource.get("status") == "busy":
            operations.append(_set(_Found(stored, None), "free", asks))
    return operations


def _set(found: _Found, status: str, asks: Action) -> Operation:
    return _change(found.stored, rules.with_status(found.stored.resource, status), asks)


def _change(current: Stored, resource: Json, asks: Action) -> Operation:
    return Operation(current.type, current.id, resource, found_version=current.version, asks=asks)

"""Asking for a correction, answering, disagreeing: each is one change with one entry; every attempt plans anew."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from carekeep.access import Action
from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.amending import rules
from carekeep.web.amending.rules import NotAmendable, Wish
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.writing import Operation, Plan, carry_out_plan
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

Json = dict[str, Any]
_KEY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_USED: Final = "This form was used before. Please open the page again."


async def requests_of(disclosure: Disclosure, passage: Passage, patients: Iterable[str]) -> list[Wish]:
    """The requests of these patients (ids) that may be read, the newest first; to be recorded with ``disclosure``."""
    sought = frozenset(patients)
    await disclosure.ask("Task")
    query = parse_query("Task", [("code", f"{rules.SYSTEM}|{rules.CODE}")], lenient=False)
    found: list[Wish] = []
    async for stored in passage.services.vault.search_all(query, sought):
        wish = None if sought.isdisjoint(stored.patients) else rules.wish_of(stored.resource)
        if wish is not None and (seen := await disclosure.shown(stored, query)) is not None:
            disclosure.show(seen)
            found.append(rules.wish_of(seen.resource) or wish)
    return sorted(found, key=lambda each: (-each.asked_ms, each.id))


async def ask_for(passage: Passage, patient: str, about: str, words: str, key: str) -> str:
    """Keep a request; its id, which is ``key``: the same form sent twice asks once.

    ``about`` is the reference of a record that whoever calls has read, or "". Raises NotAmendable, Problem (403).
    """
    if not _KEY.fullmatch(key):
        raise NotAmendable(_USED)
    words = rules.own_words(words, "Please write what is wrong.")
    me, asks = f"Patient/{patient}", Action.AMENDMENT_ASK

    async def plan() -> Plan:
        condition = f"amendments of {me}"
        guard = (await passage.services.vault.guards([condition])).prepared([condition])
        if await _is_done(passage, patient, key):
            return Plan(())
        if await _open(passage, patient) >= rules.MOST_OPEN:
            raise NotAmendable("Many of your requests are open. Wait for an answer before you ask more.")
        task = rules.requested(key, me, about, words, passage.services.clock())
        return Plan([Operation("Task", key, task, creates=True, asks=asks)], guard=guard)

    await _carry_out(passage, asks, plan)
    return key


async def answer_request(passage: Passage, id_: str, who: str, status: str, text: str) -> None:
    """The answer of a clinician ("Practitioner/x"): accepted or denied, and why.

    Raises NotAmendable, Problem (403, 404).
    """
    asks = Action.AMENDMENT_ANSWER

    async def plan() -> Plan:
        current = await _current(passage, id_, asks, None)
        return Plan([_change(current, rules.answered(current.resource, who, status, text, _now(passage)), asks)])

    await _carry_out(passage, asks, plan)


async def disagree(passage: Passage, patient: str, id_: str, text: str) -> None:
    """The patient's statement beside a denial. Raises NotAmendable, Problem (403, 404)."""
    asks, me = Action.AMENDMENT_ASK, f"Patient/{patient}"

    async def plan() -> Plan:
        current = await _current(passage, id_, asks, patient)
        return Plan([_change(current, rules.disagreed(current.resource, me, text, _now(passage)), asks)])

    await _carry_out(passage, asks, plan)


async def _carry_out(passage: Passage, action: Action, plan: Callable[[], Awaitable[Plan]]) -> None:
    try:
        await carry_out_plan(passage, action, plan)
    except NotAmendable as refused:
        await passage.record(action, "failed", reason=str(refused))
        raise


async def _current(passage: Passage, id_: str, action: Action, patient: str | None) -> Stored:
    """A request, of this patient if one is given, else of any in sight. Raises 404, recorded, for any other."""
    sight = frozenset({patient}) if patient else await passage.patients_in_sight()
    try:
        stored = await passage.services.vault.read("Task", id_)
    except (NotFound, Forgotten):
        stored = None
    is_ours = stored is not None and not stored.deleted and rules.wish_of(stored.resource) is not None
    if stored is None or not is_ours or (sight is not None and not sight.issuperset(stored.patients)):
        await passage.record(action, "denied", reason="no such request in sight")
        raise no_request()
    return stored


def no_request() -> Problem:
    """The answer for a request that is not there, or is somebody else's."""
    return problem(404, "not-found", "There is no such request.")


async def _is_done(passage: Passage, patient: str, key: str) -> bool:
    """Whether this very form was sent before. Raises NotAmendable when the id is of something else."""
    try:
        known = await passage.services.vault.read("Task", key)
    except (NotFound, Forgotten):
        return False
    wish = None if known.deleted else rules.wish_of(known.resource)
    if wish is None or wish.patient != patient:
        raise NotAmendable(_USED)
    return True


async def _open(passage: Passage, patient: str) -> int:
    query = parse_query("Task", [("code", f"{rules.SYSTEM}|{rules.CODE}")], lenient=False)
    found = passage.services.vault.search_all(query, (patient,))
    wishes = [rules.wish_of(stored.resource) async for stored in found if patient in stored.patients]
    return sum(wish is not None and wish.is_open for wish in wishes)


def _change(current: Stored, resource: Json, asks: Action) -> Operation:
    return Operation("Task", current.id, resource, found_version=current.version, asks=asks)


def _now(passage: Passage) -> int:
    return passage.services.clock()

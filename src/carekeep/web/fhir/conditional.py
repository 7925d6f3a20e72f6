"""Conditional create, update, patch and delete (FHIR R4, http.html#ccreate and the sections after it).

What is looked up and what is changed are one: every attempt looks the condition up anew, an update is of the version
that was found, and of several who find nothing at the same time one creates (``records.guarding``).
"""

import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from carekeep.access import Action
from carekeep.fhir.patch import Patch
from carekeep.web.fhir.bodies import expected_version, return_preference, version_headers, written
from carekeep.web.fhir.conditions import Condition, Found, look_up, read_condition, several
from carekeep.web.fhir.conforming import remarks
from carekeep.web.fhir.freshness import must_be_first
from carekeep.web.fhir.patches import read_patch
from carekeep.web.fhir.submitted import read_submitted
from carekeep.web.fhir.writing import Operation, Outcome, Plan, carry_out_plan, check_writable
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

Method = Literal["POST", "PUT", "PATCH", "DELETE"]
_ACTIONS = {"POST": Action.CREATE, "PUT": Action.UPDATE, "PATCH": Action.UPDATE, "DELETE": Action.DELETE}


@dataclass(frozen=True, slots=True)
class Wish:
    """A write to whatever a condition means.

    ``new_id`` is the id of what it creates when there is no match; ``at`` is its place in a Bundle, or "".
    """

    method: Method
    condition: Condition
    new_id: str
    resource: dict[str, Any] | None = field(default=None, repr=False)
    patch: Patch | None = None
    if_version: int | None = None
    first: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a wish comes to: an operation, or what is already so.

    ``guards`` are the conditions under which it creates; empty unless it does.
    """

    operation: Operation | Outcome
    guards: tuple[str, ...] = ()


async def create_unless(passage: Passage, type_: str, search: str) -> Response:
    """``POST [type]`` with If-None-Exist: no match creates, one match is answered with, several are refused."""
    await passage.authenticate(Action.CREATE)
    check_writable(type_)
    condition = read_condition(type_, search, passage.services.fhir_url, "http.If-None-Exist")
    resource = await read_submitted(passage, type_)
    return await _answer(passage, await _grant(passage, Wish("POST", condition, str(uuid.uuid4()), resource)))


async def update_where(passage: Passage, type_: str) -> Response:
    """``PUT [type]?…``: no match creates, one match is updated, several are refused."""
    await passage.authenticate(Action.UPDATE)
    check_writable(type_)
    request = passage.request
    condition = read_condition(type_, request.query, passage.services.fhir_url)
    resource = await read_submitted(passage, type_)
    wish = Wish(
        "PUT",
        condition,
        resource.get("id") or str(uuid.uuid4()),
        resource,
        if_version=expected_version(request.header(b"if-match")),
        first=must_be_first(request),
    )
    return await _answer(passage, await _grant(passage, wish))


async def patch_where(passage: Passage, type_: str) -> Response:
    """``PATCH [type]?…``: exactly one match is patched."""
    await passage.authenticate(Action.UPDATE)
    check_writable(type_)
    condition = read_condition(type_, passage.request.query, passage.services.fhir_url)
    patch = await read_patch(passage.request)
    if_version = expected_version(passage.request.header(b"if-match"))
    return await _answer(
        passage, await _grant(passage, Wish("PATCH", condition, "", patch=patch, if_version=if_version))
    )


async def delete_where(passage: Passage, type_: str) -> Response:
    """``DELETE [type]?…``: one match is deleted, and nothing if there is none; several are refused."""
    await passage.authenticate(Action.DELETE)
    condition = read_condition(type_, passage.request.query, passage.services.fhir_url)
    if_version = expected_version(passage.request.header(b"if-match"))
    outcome = await _grant(passage, Wish("DELETE", condition, "", if_version=if_version))
    return Response(204, headers=version_headers(outcome.stored) if outcome.stored else ())


async def _grant(passage: Passage, wish: Wish) -> Outcome:
    async def plan() -> Plan:
        guards = await passage.services.vault.guards(wish.condition.guards)
        found = await look_up(passage, wish.condition)
        settled = await settle(passage, wish, found)
        return Plan(
            [settled.operation],
            guard=guards.prepared(settled.guards),
            seen=found.matches,
            decisions=found.decisions,
            query=wish.condition.url,
        )

    (outcome,) = await carry_out_plan(passage, _ACTIONS[wish.method], plan)
    return outcome


async def _answer(passage: Passage, outcome: Outcome) -> Response:
    if outcome.stored is None:  # only deletes come to nothing
        raise AssertionError
    status = 201 if outcome.created else 200
    said = await remarks(passage, outcome.stored) if outcome.changed else ()
    return written(outcome.stored, status, passage.services.fhir_url, return_preference(passage.request), said)


async def settle(passage: Passage, wish: Wish, found: Found) -> Settled:
    """What a wish comes to, with what its condition means now.

    Raises Problem: 412 for several matches, 404 for a patch of nothing, 400 for a client's id that is another than
    that of the match.
    """
    if len(found.matches) > 1:
        raise await several(passage, _ACTIONS[wish.method], found, wish.condition, wish.at)
    if not found.matches:
        return await _settle_nothing(passage, wish, found)
    (match,) = found.matches
    if wish.method == "POST":
        return Settled(Outcome(match, found.decisions[-1], changed=False))
    resource = wish.resource
    if resource is not None:
        if resource.get("id", match.id) != match.id:
            where = f"{wish.at}.resource.id" if wish.at else f"{match.type}.id"
            raise problem(400, "invalid", "The condition matches a record with another id than the body's.", where)
        resource = {**resource, "id": match.id}
    operation = Operation(
        match.type,
        match.id,
        resource,
        if_version=wish.if_version,
        first=wish.first,
        patch=wish.patch,
        found_version=match.version,
        at=wish.at,
    )
    return Settled(operation)


async def _settle_nothing(passage: Passage, wish: Wish, found: Found) -> Settled:
    type_ = wish.condition.type
    if wish.method == "DELETE":
        return Settled(Outcome(None, found.decisions[0]))  # who may ask is told that there is nothing
    if wish.method == "PATCH":
        await passage.record(Action.UPDATE, "failed", query=wish.condition.url, reason="NotFound")
        raise problem(404, "not-found", "The condition matches nothing; there is nothing to patch.", wish.at)
    if wish.if_version is not None:
        raise problem(412, "conflict", "The condition matches nothing, and If-Match asks for a version.", wish.at)
    # With an id of the client's this is an update as create (R4 #cond-update): there must be no record of this id.
    chosen = wish.method == "PUT" and "id" in (wish.resource or {})
    operation = Operation(type_, wish.new_id, wish.resource, creates=not chosen, first=chosen, at=wish.at)
    return Settled(operation, wish.condition.guards)

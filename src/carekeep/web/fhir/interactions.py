"""Create, read, vread, update, patch and delete of one record."""

import uuid
from collections.abc import Awaitable
from typing import TypeVar

from carekeep.access import Action, Target
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.fhir.binaries import content, wants_content
from carekeep.web.fhir.bodies import expected_version, gone, return_preference, version_headers, written
from carekeep.web.fhir.conditional import create_unless
from carekeep.web.fhir.conforming import remarks
from carekeep.web.fhir.freshness import is_known, must_be_first
from carekeep.web.fhir.patches import read_patch
from carekeep.web.fhir.submitted import read_submitted
from carekeep.web.fhir.writing import Operation, carry_out, check_writable
from carekeep.web.http import Response, number
from carekeep.web.labelling import past_target
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage, target_of, what_of
from carekeep.web.problems import problem

T = TypeVar("T")


async def read(passage: Passage, type_: str, id_: str) -> Response:
    """The current version, or 304 when the client has it already."""
    await passage.authenticate(Action.READ)
    stored = await find(passage, Action.READ, type_, passage.services.vault.read(type_, id_))
    return await _release(passage, Action.READ, stored)


async def vread(passage: Passage, type_: str, id_: str, version: str) -> Response:
    """One version, current or not."""
    await passage.authenticate(Action.VREAD)
    wanted = number(version)
    if wanted is None:
        raise problem(404, "not-found", "There is no such version.")
    reading = passage.services.vault.read_version(type_, id_, wanted)
    return await _release(passage, Action.VREAD, await find(passage, Action.VREAD, type_, reading))


async def find(passage: Passage, action: Action, type_: str, reading: Awaitable[T]) -> T:
    """What is read, or a recorded failure. Who may not search a type is not told what does not exist in it."""
    try:
        return await reading
    except (NotFound, Forgotten) as error:
        await passage.demand(Action.SEARCH, Target(type_, (), ()))
        await passage.record(action, "failed", reason=type(error).__name__)
        raise


async def _release(passage: Passage, action: Action, stored: Stored) -> Response:
    """Decide on a record, make the entry of its disclosure durable, and only then answer with it.

    A 304 has its entry too: it tells that the record is there, and is as the client knows it.
    """
    what = (what_of(stored),)
    target = past_target(passage, stored) if action is Action.VREAD else target_of(stored)
    decision = await passage.demand(action, target, what=what)
    await passage.record(action, "permitted", decision=decision, what=what, patients=stored.patients)
    if stored.deleted:
        raise gone(stored)
    stored = abide(decision, stored)
    if is_known(passage.request, stored):
        return Response(304, headers=version_headers(stored))
    if stored.type == "Binary" and wants_content(passage.request):
        return content(stored)
    return Response(200, stored.body, headers=version_headers(stored))


async def create(passage: Passage, type_: str) -> Response:
    """A new record with an id of ours, unless If-None-Exist finds that it is there."""
    search = passage.request.header(b"if-none-exist")
    if search is not None:
        return await create_unless(passage, type_, search)
    await passage.authenticate(Action.CREATE)
    check_writable(type_)
    resource = await read_submitted(passage, type_)
    operation = Operation(type_, str(uuid.uuid4()), resource, creates=True)
    return await _write(passage, Action.CREATE, operation)


async def update(passage: Passage, type_: str, id_: str) -> Response:
    """The next version of a record, or its first under an id that the client chose."""
    await passage.authenticate(Action.UPDATE)
    check_writable(type_)
    resource = await read_submitted(passage, type_)
    if resource.get("id") != id_:
        raise problem(400, "invalid", "The id in the body must be the one in the URL.", f"{type_}.id")
    request = passage.request
    if_version = expected_version(request.header(b"if-match"))
    operation = Operation(type_, id_, resource, if_version=if_version, first=must_be_first(request))
    return await _write(passage, Action.UPDATE, operation)


async def patch(passage: Passage, type_: str, id_: str) -> Response:
    """The next version of a record, told by what changes."""
    await passage.authenticate(Action.UPDATE)
    check_writable(type_)
    change = await read_patch(passage.request)
    if_version = expected_version(passage.request.header(b"if-match"))
    try:
        return await _write(passage, Action.UPDATE, Operation(type_, id_, None, if_version=if_version, patch=change))
    except (NotFound, Forgotten) as error:
        await passage.demand(Action.SEARCH, Target(type_, (), ()))
        await passage.record(Action.UPDATE, "failed", reason=type(error).__name__)
        raise


async def delete(passage: Passage, type_: str, id_: str) -> Response:
    """A last version without content."""
    await passage.authenticate(Action.DELETE)
    check_writable(type_)
    if_version = expected_version(passage.request.header(b"if-match"))
    (outcome,) = await carry_out(passage, Action.DELETE, [Operation(type_, id_, None, if_version=if_version)])
    return Response(204, headers=version_headers(outcome.stored) if outcome.stored else ())


async def _write(passage: Passage, action: Action, operation: Operation) -> Response:
    (outcome,) = await carry_out(passage, action, [operation])
    if outcome.stored is None:  # only deletes come to nothing
        raise AssertionError(action)
    status = 201 if outcome.created else 200
    preference = return_preference(passage.request)
    said = await remarks(passage, outcome.stored)
    return written(outcome.stored, status, passage.services.fhir_url, preference, said)

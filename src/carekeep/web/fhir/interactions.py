"""Create, read, vread, update, delete and history of one record."""

import uuid
from collections.abc import Awaitable
from typing import TypeVar

from carekeep.access import Action, Target
from carekeep.fhir import Issue
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.fhir.bodies import expected_version, read_resource, return_preference, version_headers, written
from carekeep.web.fhir.bundles import history_bundle
from carekeep.web.fhir.writing import Operation, carry_out, check_writable
from carekeep.web.http import Response, number
from carekeep.web.passage import Passage, target_of, what_of
from carekeep.web.problems import Problem, problem

_MAX_HISTORY = 500
T = TypeVar("T")


async def read(passage: Passage, type_: str, id_: str) -> Response:
    """The current version."""
    await passage.authenticate(Action.READ)
    stored = await _find(passage, Action.READ, type_, passage.services.vault.read(type_, id_))
    return await _release(passage, Action.READ, stored)


async def vread(passage: Passage, type_: str, id_: str, version: str) -> Response:
    """One version, current or not."""
    await passage.authenticate(Action.VREAD)
    wanted = number(version)
    if wanted is None:
        raise problem(404, "not-found", "There is no such version.")
    reading = passage.services.vault.read_version(type_, id_, wanted)
    return await _release(passage, Action.VREAD, await _find(passage, Action.VREAD, type_, reading))


async def history(passage: Passage, type_: str, id_: str) -> Response:
    """The versions of one record, newest first."""
    await passage.authenticate(Action.HISTORY)
    count, before = _history_page(passage)
    reading = passage.services.vault.history(type_, id_, before=before, count=count + 1)
    versions = await _find(passage, Action.HISTORY, type_, reading)
    decision = None
    for version in versions:
        decision = await passage.demand(Action.HISTORY, target_of(version), what=(what_of(version),))
    shown = versions[:count]
    await passage.record(
        Action.HISTORY,
        "permitted",
        decision=decision,
        what=tuple(map(what_of, shown)),
        patients=dict.fromkeys(patient for stored in shown for patient in stored.patients),
    )
    more = shown[-1].version if len(versions) > count else None
    return Response(200, history_bundle(passage.services.fhir_url, f"{type_}/{id_}", shown, count, more))


def _history_page(passage: Passage) -> tuple[int, int | None]:
    """``_count``, and ``_before`` of our own next links."""
    numbers: dict[str, int] = {}
    for name, value in passage.request.pairs():
        if name == "_format":
            continue
        if name not in {"_count", "_before"}:
            raise problem(400, "not-supported", "This parameter of history is not supported.", name)
        given = number(value)
        if given is None:
            raise problem(400, "value", f"{name} must be a number.", name)
        numbers[name] = given
    return max(1, min(numbers.get("_count", 50), _MAX_HISTORY)), numbers.get("_before")


async def _find(passage: Passage, action: Action, type_: str, reading: Awaitable[T]) -> T:
    """What is read, or a recorded failure. Who may not search a type is not told what does not exist in it."""
    try:
        return await reading
    except (NotFound, Forgotten) as error:
        await passage.demand(Action.SEARCH, Target(type_, (), ()))
        await passage.record(action, "failed", reason=type(error).__name__)
        raise


async def _release(passage: Passage, action: Action, stored: Stored) -> Response:
    """Decide on a record, make the entry of its disclosure durable, and only then answer with it."""
    what = (what_of(stored),)
    decision = await passage.demand(action, target_of(stored), what=what)
    await passage.record(action, "permitted", decision=decision, what=what, patients=stored.patients)
    if stored.deleted:
        raise gone(stored)
    return Response(200, stored.body, headers=version_headers(stored))


def gone(stored: Stored) -> Problem:
    """The 410 of a deleted record; its history is still there."""
    issue = Issue("error", "deleted", "", f"{stored.reference} was deleted.")
    return Problem(410, issue, headers=((b"etag", b'W/"%d"' % stored.version),))


async def create(passage: Passage, type_: str) -> Response:
    """A new record with an id of ours."""
    await passage.authenticate(Action.CREATE)
    check_writable(type_)
    resource = await read_resource(passage.request, type_)
    operation = Operation(type_, str(uuid.uuid4()), resource, creates=True)
    return await _write(passage, Action.CREATE, operation)


async def update(passage: Passage, type_: str, id_: str) -> Response:
    """The next version of a record, or its first under an id that the client chose."""
    await passage.authenticate(Action.UPDATE)
    check_writable(type_)
    resource = await read_resource(passage.request, type_)
    if resource.get("id") != id_:
        raise problem(400, "invalid", "The id in the body must be the one in the URL.", f"{type_}.id")
    if_version = expected_version(passage.request.header(b"if-match"))
    return await _write(passage, Action.UPDATE, Operation(type_, id_, resource, if_version=if_version))


async def delete(passage: Passage, type_: str, id_: str) -> Response:
    """A last version without content."""
    await passage.authenticate(Action.DELETE)
    if_version = expected_version(passage.request.header(b"if-match"))
    (outcome,) = await carry_out(passage, Action.DELETE, [Operation(type_, id_, None, if_version=if_version)])
    return Response(204, headers=version_headers(outcome.stored) if outcome.stored else ())


async def _write(passage: Passage, action: Action, operation: Operation) -> Response:
    (outcome,) = await carry_out(passage, action, [operation])
    if outcome.stored is None:  # only deletes come to nothing
        raise AssertionError(action)
    status = 201 if outcome.created else 200
    return written(outcome.stored, status, passage.services.fhir_url, return_preference(passage.request))

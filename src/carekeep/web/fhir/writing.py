"""Changes to records: decided one by one, made durable together with their one ledger entry."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from carekeep.access import Action, Decision, Target
from carekeep.fhir import relative_references
from carekeep.fhir.patch import Patch
from carekeep.records import Draft, NotFound, Place, Stored
from carekeep.storage import Conflict, Prepared, bump
from carekeep.web.fhir.bodies import gone
from carekeep.web.fhir.conforming import asks_of_targets, demand_conformance, demand_targets
from carekeep.web.fhir.consenting import demand_own_terms
from carekeep.web.fhir.patches import patched
from carekeep.web.fhir.provenances import of_emergency
from carekeep.web.fhir.proxies import Proxies
from carekeep.web.labelling import Labels
from carekeep.web.passage import Passage, target_of, together, what_of
from carekeep.web.problems import Problem, as_problem, problem
from carekeep.web.subscriptions.keeping import kept, released
from carekeep.web.writable import UNWRITABLE, target_of_resource, topics_of

_ATTEMPTS = 5
_AT_A_STRETCH = 50  # operations of a Bundle before other requests get their turn


@dataclass(frozen=True, slots=True)
class Operation:
    """One change: ``resource`` is the new content, ``patch`` how to make it from the current one; neither: a delete.

    ``creates`` says that the record must be new, ``first`` that it must have no current version (If-None-Match on a
    write); else it is an update, which may create under the client's id. ``id`` is never missing: creates get theirs
    before. ``found_version`` is the version that a condition found: if it is current no more, the condition may be true
    no more. ``at`` is the place in a Bundle that issues name. ``asks`` is what is decided in the place of CREATE and
    UPDATE: an action that permits less, and is asked only by code that keeps to its own rules.
    """

    type: str
    id: str
    resource: dict[str, Any] | None
    creates: bool = False
    if_version: int | None = None
    first: bool = False
    patch: Patch | None = None
    found_version: int | None = None
    at: str = ""
    asks: Action | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation came to.

    ``stored`` is None where there was nothing to delete; ``changed`` is False where it is what a condition found, and
    nothing was written. ``beside`` is what is committed with it that is no record.
    """

    stored: Stored | None
    decision: Decision
    created: bool = False
    changed: bool = True
    beside: tuple[Prepared[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, as it was planned just now, and what was looked up for it.

    An ``Outcome`` among the operations is one that needs nothing done. ``guard`` are steps that conflict when what was
    looked up may be true no more; ``seen`` are records that the conditions found, ``query`` the conditions themselves.
    """

    operations: Sequence[Operation | Outcome]
    guard: Prepared[None] = field(default_factory=lambda: Prepared(None, ()))
    seen: Sequence[Stored] = ()
    decisions: Sequence[Decision] = ()
    query: str | None = None


@dataclass(frozen=True, slots=True)
class _Context:
    """What the operations of one attempt share."""

    draft: Draft
    labels: Labels
    proxies: Proxies


async def carry_out(passage: Passage, action: str, operations: Sequence[Operation]) -> list[Outcome]:
    """Decide on every operation and commit all of them, or raise and leave nothing.

    Another writer may have been first; then all is read, decided and drafted anew. Raises Problem (403, 405, 409, 412),
    Forgotten, KeyDestroyed, and StorageError.
    """
    plan = Plan(operations)

    async def unchanged() -> Plan:
        return plan

    return await carry_out_plan(passage, action, unchanged)


async def carry_out_plan(passage: Passage, action: str, make_plan: Callable[[], Awaitable[Plan]]) -> list[Outcome]:
    """Like ``carry_out``, for what depends on other records: every attempt plans anew, with what is there then."""
    for _ in range(_ATTEMPTS):
        plan = await make_plan()
        draft = passage.services.vault.draft()
        try:
            outcomes = await _apply_all(passage, draft, plan.operations)
            await _commit(passage, action, draft, plan, outcomes)
        except Conflict:
            continue
        return outcomes
    raise problem(409, "conflict", "Others keep changing the same records. Read again and retry.")


async def _apply_all(passage: Passage, draft: Draft, operations: Sequence[Operation | Outcome]) -> list[Outcome]:
    operations = [_at_home(passage, each) for each in operations]
    labels = Labels.of(passage, _own(operations))
    context = _Context(draft, labels, Proxies(passage, labels.own))
    outcomes: list[Outcome] = []
    for operation in operations:
        outcomes.append(operation if isinstance(operation, Outcome) else await _apply(passage, context, operation))
        if not len(outcomes) % _AT_A_STRETCH:
            await asyncio.sleep(0)
    await _check_targets(passage, operations, outcomes)
    return outcomes


def _at_home(passage: Passage, operation: Operation | Outcome) -> Operation | Outcome:
    """The operation with references to this server made relative, before anything is decided on whose record it is."""
    if isinstance(operation, Outcome) or operation.resource is None:
        return operation
    resource = relative_references(operation.resource, passage.services.fhir_url)
    return operation if resource is operation.resource else replace(operation, resource=resource)


def _own(operations: Sequence[Operation | Outcome]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is written in whole, by the references that it will have."""
    for each in operations:
        if isinstance(each, Operation) and each.resource is not None:
            yield f"{each.type}/{each.id}", each.resource


async def _check_targets(
    passage: Passage, operations: Sequence[Operation | Outcome], outcomes: Sequence[Outcome]
) -> None:
    """Raises 422 where a reference must lead somewhere and does not. After the decisions: it tells what exists."""
    if not asks_of_targets(passage, (each.stored for each in outcomes)):
        return
    written: dict[str, list[Stored]] = {}
    for operation, outcome in zip(operations, outcomes, strict=True):
        if isinstance(operation, Operation) and outcome.stored is not None:
            written.setdefault(operation.at, []).append(outcome.stored)
    await demand_targets(passage, written)


async def _commit(passage: Passage, action: str, draft: Draft, plan: Plan, outcomes: list[Outcome]) -> None:
    prepared: list[Prepared[Any]] = [draft.prepared(), plan.guard, *(row for each in outcomes for row in each.beside)]
    touched = [outcome.stored for outcome in outcomes if outcome.stored is not None]
    topics = topics_of(outcome.stored.type for outcome in outcomes if outcome.changed and outcome.stored is not None)
    prepared += [Prepared(None, (bump(topic),)) for topic in topics]
    told = (*touched, *draft.stored, *plan.seen)
    disclosed = list({(stored.reference, stored.version): stored for stored in told}.values())
    await passage.record(
        action,
        "permitted",
        *prepared,
        decision=together([*plan.decisions, *(outcome.decision for outcome in outcomes)]),
        what=tuple(map(what_of, disclosed)),
        patients=dict.fromkeys(patient for stored in disclosed for patient in stored.patients),
        query=plan.query,
    )
    for topic in topics:
        passage.services.generations.changed(topic)


async def _apply(passage: Passage, context: _Context, operation: Operation) -> Outcome:
    """Draft one operation. Of a Bundle, whatever goes wrong says which entry it is about."""
    try:
        return await _draft(passage, context, operation)
    except Exception as error:
        found = as_problem(error) if operation.at and not isinstance(error, Conflict) else None
        if found is None:
            raise
        issues = (replace(issue, expression=_below(operation.at, issue.expression)) for issue in found.issues)
        raise Problem(found.status, *issues) from None


def _below(at: str, expression: str) -> str:
    """The place in a Bundle for a place in the resource of one of its entries."""
    rest = expression.partition(".")[2]
    return f"{at}.resource.{rest}" if rest else at


async def _draft(passage: Passage, context: _Context, operation: Operation) -> Outcome:
    if operation.patch is not None:
        return await _patch(passage, context, operation, operation.patch)
    if operation.resource is None:
        return await _delete(passage, context.draft, operation)
    check_writable(operation.type)
    if operation.creates:
        return await _create(passage, context, operation, operation.resource)
    try:
        found = await passage.services.vault.locate(operation.type, operation.id)
    except NotFound:
        if operation.if_version is not None:
            missing = f"There is no {operation.type}/{operation.id} to match If-Match."
            raise problem(412, "conflict", missing) from None
        return await _create(passage, context, operation, operation.resource)
    return await _update(passage, context, operation, operation.resource, found)


async def _create(passage: Passage, context: _Context, operation: Operation, resource: dict[str, Any]) -> Outcome:
    resource = await context.labels.apply({**resource, "id": operation.id})
    resource, owners = await context.proxies.apply(resource)
    resource, beside = await kept(passage, resource, None)
    decision = await passage.demand(operation.asks or Action.CREATE, target_of_resource(resource, owners))
    await demand_own_terms(passage, Action.CREATE, resource, None)
    await demand_conformance(passage, resource)
    stored = await context.draft.create(resource, operation.id, owners)
    provenance = of_emergency(passage, stored, decision)
    if provenance is not None:
        await context.draft.create(provenance, provenance["id"], stored.patients)
    return Outcome(stored, decision, created=True, beside=beside)


async def _update(
    passage: Passage,
    context: _Context,
    operation: Operation,
    resource: dict[str, Any],
    found: tuple[Stored, Place],
) -> Outcome:
    current, place = found
    action = operation.asks or Action.UPDATE
    await passage.demand(action, target_of(current), what=(what_of(current),))
    await _demand_whole(passage, current)
    resource = await context.labels.apply(resource)
    resource, owners = await context.proxies.apply(resource)
    resource, beside = await kept(passage, resource, current)
    decision = await passage.demand(action, target_of_resource(resource, owners))
    await demand_own_terms(passage, Action.UPDATE, resource, current)
    await demand_conformance(passage, resource)
    _check_version(operation, current)
    if operation.first and not current.deleted:
        raise problem(412, "conflict", f"{current.reference} exists already; the request asks that it does not.")
    stored = await context.draft.update(resource, current, place, owners)
    return Outcome(stored, decision, created=current.deleted, beside=beside)


async def _patch(passage: Passage, context: _Context, operation: Operation, patch: Patch) -> Outcome:
    check_writable(operation.type)
    found = await passage.services.vault.locate(operation.type, operation.id)
    current = found[0]
    decision = await passage.demand(Action.UPDATE, target_of(current), what=(what_of(current),))
    if current.deleted:
        await passage.record(Action.UPDATE, "failed", decision=decision, what=(what_of(current),))
        raise gone(current)
    _check_version(operation, current)
    lenient = passage.services.profiles.strictness.is_lenient(operation.type)
    resource = relative_references(patched(current, patch, lenient=lenient), passage.services.fhir_url)
    return await _update(passage, context, operation, resource, found)


async def _delete(passage: Passage, draft: Draft, operation: Operation) -> Outcome:
    """Deleting what is not there is no error (FHIR R4 §3.1.0.7); it is decided all the same."""
    try:
        current, place = await passage.services.vault.locate(operation.type, operation.id)
    except NotFound:
        return Outcome(None, await passage.demand(Action.DELETE, Target(operation.type, (), ())))
    decision = await passage.demand(Action.DELETE, target_of(current), what=(what_of(current),))
    await demand_own_terms(passage, Action.DELETE, None, current)
    _check_version(operation, current)
    if current.deleted:
        return Outcome(None, decision)
    return Outcome(await draft.delete(current, place), decision, beside=await released(passage, current))


async def _demand_whole(passage: Passage, current: Stored) -> None:
    """Raises 403, recorded, when the person reads but a part: they would write back less, or be shown more."""
    decision = await passage.judge(Action.READ, target_of(current))
    if decision.permitted and decision.obligations is not None:
        what = (what_of(current),)
        await passage.record(Action.UPDATE, "denied", decision=decision, what=what, patients=current.patients)
        raise problem(403, "forbidden", "You see but a part of this record, so you cannot change it.")


def _check_version(operation: Operation, current: Stored) -> None:
    """Raises 412. After the decision: which version is current is for those who may change the record.

    Raises Conflict when a condition found another version: then all is to be looked up anew.
    """
    if operation.found_version not in {None, current.version}:
        raise Conflict("The record that a condition found was changed.")
    if operation.if_version not in {None, current.version}:
        raise problem(
            412, "conflict", f"{current.reference} is at version {current.version}, not {operation.if_version}."
        )


def check_writable(type_: str) -> None:
    """Raises 405 for types that clients may not write."""
    if type_ in UNWRITABLE:
        raise problem(405, "not-supported", UNWRITABLE[type_])

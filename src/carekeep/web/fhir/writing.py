"""Changes to records: decided one by one, made durable together with their one ledger entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carekeep.access import CARE_TYPES, Action, Decision, Target
from carekeep.fhir import labels_of, patients_of
from carekeep.records import Draft, NotFound, Stored, VersionMismatch
from carekeep.storage import Conflict, Prepared, bump
from carekeep.web.passage import Passage, target_of, together, what_of
from carekeep.web.problems import problem

_ATTEMPTS = 5
CARE_TOPIC = "care"
UNWRITABLE = {"AuditEvent": "The ledger writes AuditEvents; nobody else does."}


@dataclass(frozen=True, slots=True)
class Operation:
    """One change: ``resource`` is None for a delete; ``id`` None never (creates get theirs before).

    ``creates`` says that the record must be new; else it is an update, which may create under the client's id.
    """

    type: str
    id: str
    resource: dict[str, Any] | None
    creates: bool = False
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation came to: ``stored`` is None where there was nothing to delete."""

    stored: Stored | None
    decision: Decision
    created: bool = False


async def carry_out(passage: Passage, action: str, operations: Sequence[Operation]) -> list[Outcome]:
    """Decide on every operation and commit all of them, or raise and leave nothing.

    Another writer may have been first; then all is read, decided and drafted anew. Raises Problem (403, 404, 409),
    VersionMismatch, Forgotten, KeyDestroyed, and StorageError.
    """
    for _ in range(_ATTEMPTS):
        draft = passage.services.vault.draft()
        outcomes = [await _apply(passage, draft, operation) for operation in operations]
        try:
            await _commit(passage, action, draft, outcomes)
        except Conflict:
            continue
        return outcomes
    raise problem(409, "conflict", "Others keep changing the same records. Read again and retry.")


async def _commit(passage: Passage, action: str, draft: Draft, outcomes: list[Outcome]) -> None:
    prepared: list[Prepared[Any]] = [draft.prepared()]
    touched = tuple(outcome.stored for outcome in outcomes if outcome.stored is not None)
    care = any(stored.type in CARE_TYPES for stored in touched)
    if care:
        prepared.append(Prepared(None, (bump(CARE_TOPIC),)))
    await passage.record(
        action,
        "permitted",
        *prepared,
        decision=together([outcome.decision for outcome in outcomes]),
        what=tuple(map(what_of, touched)),
        patients=dict.fromkeys(patient for stored in touched for patient in stored.patients),
    )
    if care:
        passage.services.generations.changed(CARE_TOPIC)


async def _apply(passage: Passage, draft: Draft, operation: Operation) -> Outcome:
    if operation.resource is None:
        return await _delete(passage, draft, operation)
    check_writable(operation.type)
    if operation.creates:
        return await _create(passage, draft, operation, operation.resource)
    try:
        current, place = await passage.services.vault.locate(operation.type, operation.id, operation.if_version)
    except NotFound:
        if operation.if_version is not None:
            raise VersionMismatch(f"There is no {operation.type}/{operation.id} to match If-Match.") from None
        return await _create(passage, draft, operation, operation.resource)
    await passage.demand(Action.UPDATE, target_of(current), what=(what_of(current),))
    decision = await passage.demand(Action.UPDATE, target_of_resource(operation.resource))
    stored = await draft.update(operation.resource, current, place)
    return Outcome(stored, decision, created=current.deleted)


async def _create(passage: Passage, draft: Draft, operation: Operation, resource: dict[str, Any]) -> Outcome:
    resource["id"] = operation.id
    decision = await passage.demand(Action.CREATE, target_of_resource(resource))
    return Outcome(await draft.create(resource, operation.id), decision, created=True)


async def _delete(passage: Passage, draft: Draft, operation: Operation) -> Outcome:
    """Deleting what is not there is no error (FHIR R4 §3.1.0.7); it is decided all the same."""
    try:
        current, place = await passage.services.vault.locate(operation.type, operation.id, operation.if_version)
    except NotFound:
        return Outcome(None, await passage.demand(Action.DELETE, Target(operation.type, (), ())))
    decision = await passage.demand(Action.DELETE, target_of(current), what=(what_of(current),))
    if current.deleted:
        return Outcome(None, decision)
    return Outcome(await draft.delete(current, place), decision)


def check_writable(type_: str) -> None:
    """Raises 405 for types that clients may not write."""
    if type_ in UNWRITABLE:
        raise problem(405, "not-supported", UNWRITABLE[type_])


def target_of_resource(resource: dict[str, Any]) -> Target:
    """What the policies see of a resource that is not stored yet."""
    return Target(resource["resourceType"], patients_of(resource), labels_of(resource))

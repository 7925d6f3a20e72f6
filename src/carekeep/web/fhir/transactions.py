"""Transaction and batch Bundles (FHIR R4, http.html#transaction).

A transaction's changes are one unit: decided one by one, committed with one entry, or nothing. Its reads are requests
of their own that see the changes; that they can be answered is checked before, since one that cannot be undoes all.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from carekeep.access import Action
from carekeep.fhir import (
    BundleEntry,
    BundleRefused,
    EntryResponse,
    Issue,
    RequestBundle,
    conditional_references,
    dump_json,
    entry_issues,
    format_instant,
    operation_outcome,
    parse_bundle,
    processing_order,
    response_bundle,
    rewrite_references,
)
from carekeep.fhir.validation.strictness import Strictness
from carekeep.web.fhir.batches import Route, alone, each_alone, status_line
from carekeep.web.fhir.bodies import MAX_BUNDLE, expected_version, read_json, return_preference
from carekeep.web.fhir.conditional import Wish
from carekeep.web.fhir.conditions import Condition, read_condition
from carekeep.web.fhir.conforming import remarks
from carekeep.web.fhir.patches import patch_of
from carekeep.web.fhir.previews import check_reads
from carekeep.web.fhir.settling import Job, Resolved, Settlement
from carekeep.web.fhir.writing import Operation, Outcome, Plan, carry_out_plan
from carekeep.web.http import Response
from carekeep.web.labelling import mark_of
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

TRANSACTION = "fhir:bundle:transaction"
_READS = frozenset({"GET", "HEAD"})
_MOST_ISSUES = 50


async def bundle(passage: Passage, route: Route) -> Response:
    """Process the Bundle in the body."""
    await passage.authenticate(Action.SEARCH)
    try:
        asked = parse_bundle(await read_json(passage.request, MAX_BUNDLE))
    except BundleRefused as refused:
        raise Problem(400, *refused.issues) from None
    if asked.kind == "batch":
        responses = await each_alone(passage, route, asked.entries)
    else:
        responses = await _all_or_nothing(passage, route, asked)
    answer = response_bundle(asked.kind, responses)
    if labels := mark_of([response.resource for response in responses if response.resource is not None]):
        answer = {"resourceType": "Bundle", "meta": {"security": labels}, **answer}
    return Response(200, dump_json(answer))


async def _all_or_nothing(passage: Passage, route: Route, asked: RequestBundle) -> list[EntryResponse]:
    transaction = _Transaction(passage, asked.entries)
    responses = await transaction.commit()
    for entry in transaction.reads:
        responses[entry.position] = await alone(passage, route, entry)
    return [responses[position] for position in range(len(asked.entries))]


class _Transaction:
    """The changes of one transaction. Its entries are checked when it is made: raises Problem (400, 422)."""

    def __init__(self, passage: Passage, entries: Sequence[BundleEntry]) -> None:
        self._passage = passage
        ordered = processing_order(entries)
        self.reads = [entry for entry in ordered if entry.method in _READS]
        changes = [_with_id(entry) for entry in ordered if entry.method not in _READS]
        references, base = _conditional_references(changes), passage.services.fhir_url
        self._conditions = {
            text: (read_condition(text.partition("?")[0], text, base, at), at) for text, at in references.items()
        }
        self._jobs = _jobs(changes, references, passage.services.profiles.strictness, base)
        self._resolved = Resolved()

    async def commit(self) -> dict[int, EntryResponse]:
        """Make the changes durable; the responses are by the positions of the entries."""
        if not self._jobs:
            await check_reads(self._passage, self.reads, self._resolved)
            return {}
        outcomes = await carry_out_plan(self._passage, TRANSACTION, self._plan)
        by_position = dict(zip(self._resolved.operations, outcomes, strict=True))
        for position, other in self._resolved.same_as.items():
            by_position[position] = replace(by_position[other], created=False)
        fhir_url, preference = self._passage.services.fhir_url, return_preference(self._passage.request)
        return {
            position: _response(fhir_url, outcome, preference, await self._remarks(outcome))
            for position, outcome in by_position.items()
        }

    async def _remarks(self, outcome: Outcome) -> Sequence[Issue]:
        return await remarks(self._passage, outcome.stored) if outcome.stored and outcome.changed else ()

    async def _plan(self) -> Plan:
        conditions = [job.wish.condition for job in self._jobs if job.wish is not None]
        # The counters first: what is created under a condition from here on is noticed at commit.
        guards = await self._passage.services.vault.guards([each for one in conditions for each in one.guards])
        resolved = self._resolved = await Settlement(self._passage, self._jobs, self._conditions).resolve()
        await check_reads(self._passage, self.reads, resolved)
        return Plan(
            list(resolved.operations.values()),
            guard=guards.prepared(resolved.guards),
            seen=resolved.seen,
            decisions=resolved.decisions,
            query="\n".join(dict.fromkeys(resolved.queries)) or None,
        )


def _with_id(entry: BundleEntry) -> BundleEntry:
    """The entry with an id for what it creates, if it creates."""
    given = entry.resource.get("id") if entry.method == "PUT" and entry.resource else None
    return entry if entry.id is not None else replace(entry, id=given or str(uuid.uuid4()))


def _conditional_references(entries: Iterable[BundleEntry]) -> dict[str, str]:
    """The searches that stand for references, and where each is met first."""
    found: dict[str, str] = {}
    known = {entry.full_url for entry in entries}
    for entry in entries:
        for reference in conditional_references(entry.resource) if entry.resource else ():
            if reference not in known:
                found.setdefault(reference, f"Bundle.entry[{entry.position}].resource")
    return found


def _jobs(entries: Sequence[BundleEntry], references: Iterable[str], strictness: Strictness, base: str) -> list[Job]:
    """The entries as jobs. They are validated with their references as far as these are known now."""
    targets = {entry.full_url: f"{entry.type}/{entry.id}" for entry in entries if entry.full_url}
    targets |= {text: f"{text.partition('?')[0]}/pending" for text in references}
    issues: list[Issue] = []
    jobs: list[Job] = []
    for entry in entries:
        checked = entry
        if entry.resource is not None:
            checked = replace(entry, resource=rewrite_references(entry.resource, targets, entry.full_url))
        found = entry_issues(checked, lenient=strictness.is_lenient(entry.type) and entry.method != "PATCH")
        issues += [issue for issue in found if issue.severity in {"error", "fatal"}]
        if not issues:
            jobs.append(_job(checked, entry.resource, base))
    if issues:
        raise Problem(422, *issues[:_MOST_ISSUES])
    return jobs


def _job(entry: BundleEntry, original: dict[str, Any] | None, base: str) -> Job:
    at = f"Bundle.entry[{entry.position}]"
    patch = None
    resource = entry.resource
    if entry.method == "PATCH" and resource is not None:
        patch, resource = patch_of(resource, f"{at}.resource"), None
    elif entry.method == "POST" and resource is not None:
        resource = {**resource, "id": entry.id}
    if_version = _version(entry, at)
    first = _must_be_first(entry, at)
    condition = _condition(entry, base, at)
    new_id = str(entry.id)
    if condition is None:
        operation = Operation(
            entry.type, new_id, resource, entry.method == "POST", if_version, first=first, patch=patch, at=at
        )
        return Job(entry.position, entry.full_url, operation, None, original)
    method: Any = entry.method
    wish = Wish(method, condition, new_id, resource, patch, if_version, first, at)
    return Job(entry.position, entry.full_url, None, wish, original)


def _condition(entry: BundleEntry, base: str, at: str) -> Condition | None:
    if entry.if_none_exist is not None:
        return read_condition(entry.type, entry.if_none_exist, base, f"{at}.request.ifNoneExist")
    return None if entry.search is None else read_condition(entry.type, entry.search, base, f"{at}.request.url")


def _version(entry: BundleEntry, at: str) -> int | None:
    try:
        return expected_version(entry.if_match)
    except Problem as found:
        raise Problem(400, *(replace(i, expression=f"{at}.request.ifMatch") for i in found.issues)) from None


def _must_be_first(entry: BundleEntry, at: str) -> bool:
    if entry.if_none_match not in {None, "*"}:
        where = f"{at}.request.ifNoneMatch"
        raise problem(400, "not-supported", "ifNoneMatch of a change can only be *.", where)
    return entry.if_none_match == "*"


def _response(fhir_url: str, outcome: Outcome, preference: str, said: Sequence[Issue]) -> EntryResponse:
    stored = outcome.stored
    if stored is None or stored.deleted:
        return EntryResponse(status=status_line(204))
    told = operation_outcome([Issue("information", "informational", "", "Done."), *said])
    return EntryResponse(
        status=status_line(201 if outcome.created else 200),
        location=f"{fhir_url}/{stored.reference}/_history/{stored.version}",
        etag=f'W/"{stored.version}"',
        last_modified=format_instant(stored.last_updated_ms),
        full_url=f"{fhir_url}/{stored.reference}",
        resource=orjson.Fragment(stored.body) if preference not in {"minimal", "OperationOutcome"} else None,
        outcome=told if preference == "OperationOutcome" else None,
    )

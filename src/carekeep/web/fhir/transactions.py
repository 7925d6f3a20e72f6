"""Transaction and batch Bundles (FHIR R4, http.html#transaction).

A transaction's changes are one unit: decided one by one, committed with one entry, or nothing. Its reads, and every
entry of a batch, are requests of their own and go the way of every request.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from http import HTTPStatus
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
    parse_bundle,
    processing_order,
    response_bundle,
    rewrite_references,
)
from carekeep.web.fhir.bodies import MAX_BUNDLE, expected_version, read_json
from carekeep.web.fhir.searching import single_match
from carekeep.web.fhir.writing import Operation, Outcome, carry_out
from carekeep.web.http import Request, Response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, answer, as_problem

_AT_ONCE = 16
TRANSACTION = "fhir:bundle:transaction"
_READS = frozenset({"GET", "HEAD"})
Route = Callable[[Passage, Request], Awaitable[Response]]


async def bundle(passage: Passage, route: Route) -> Response:
    """Process the Bundle in the body."""
    await passage.authenticate(Action.SEARCH)
    try:
        asked = parse_bundle(await read_json(passage.request, MAX_BUNDLE))
    except BundleRefused as refused:
        raise Problem(400, *refused.issues) from None
    if asked.kind == "batch":
        responses = await _each_alone(passage, route, asked.entries)
    else:
        responses = await _all_or_nothing(passage, route, asked)
    return Response(200, dump_json(response_bundle(asked.kind, responses)))


async def _each_alone(passage: Passage, route: Route, entries: Sequence[BundleEntry]) -> list[EntryResponse]:
    responses: list[EntryResponse] = []
    for start in range(0, len(entries), _AT_ONCE):
        some = entries[start : start + _AT_ONCE]
        responses += await asyncio.gather(*(_alone(passage, route, entry) for entry in some))
    return responses


async def _alone(passage: Passage, route: Route, entry: BundleEntry) -> EntryResponse:
    """One entry as a request of its own, with the outer request's person, purpose and id."""
    if entry.issues:
        return _told(answer(Problem(400, *entry.issues)))
    request = _request_of(passage.request, entry)
    try:
        response = await route(passage.within(request), request)
    except Exception as error:
        problem = as_problem(error)
        if problem is None:
            raise
        response = answer(problem)
    return _told(response)


def _request_of(outer: Request, entry: BundleEntry) -> Request:
    body = b"" if entry.resource is None else dump_json(entry.resource)
    headers = {b"content-type": b"application/fhir+json", b"content-length": b"%d" % len(body)}
    for name, value in ((b"if-match", entry.if_match), (b"if-none-match", entry.if_none_match)):
        if value is not None:
            headers[name] = value.encode("ascii", "replace")
    if prefer := outer.headers.get(b"prefer"):
        headers[b"prefer"] = prefer
    segments = ["fhir", entry.type]
    if entry.id is not None:
        segments.append(entry.id)
    if entry.history:
        segments.append("_history")
        segments += [entry.version] if entry.version is not None else []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return Request(entry.method, tuple(segments), entry.search or "", headers, outer.address, receive)


def _told(response: Response) -> EntryResponse:
    headers = dict(response.headers)
    content = orjson.Fragment(response.body) if response.body else None
    failed = response.status >= HTTPStatus.BAD_REQUEST
    return EntryResponse(
        status=_status(response.status),
        location=headers[b"location"].decode() if b"location" in headers else None,
        etag=headers[b"etag"].decode() if b"etag" in headers else None,
        resource=None if failed else content,
        outcome=content if failed else None,
    )


async def _all_or_nothing(passage: Passage, route: Route, asked: RequestBundle) -> list[EntryResponse]:
    entries = await _with_targets(passage, asked.entries)
    issues = [issue for entry in entries for issue in entry_issues(entry) if issue.severity in {"error", "fatal"}]
    if issues:
        raise Problem(422, *issues[:50])
    changes = [entry for entry in processing_order(entries) if entry.method not in _READS]
    outcomes = await carry_out(passage, TRANSACTION, [_operation(entry) for entry in changes]) if changes else []
    responses = {
        entry.position: _changed(passage.services.fhir_url, outcome)
        for entry, outcome in zip(changes, outcomes, strict=True)
    }
    for entry in entries:
        if entry.method in _READS:
            responses[entry.position] = await _alone(passage, route, entry)
    return [responses[position] for position in range(len(entries))]


async def _with_targets(passage: Passage, entries: Sequence[BundleEntry]) -> list[BundleEntry]:
    """The entries with ids for what they create, and with references that mean something outside of the Bundle."""
    named = [
        replace(entry, id=str(uuid.uuid4())) if entry.method == "POST" and not entry.if_none_exist else entry
        for entry in entries
    ]
    targets = {entry.full_url: f"{entry.type}/{entry.id}" for entry in named if entry.full_url and entry.id}
    for entry in named:
        if entry.method not in _READS and (entry.search or entry.if_none_exist):
            at = f"Bundle.entry[{entry.position}].request"
            raise Problem(400, Issue("error", "not-supported", at, "Conditional changes are not supported yet."))
        for reference in conditional_references(entry.resource) if entry.resource else ():
            if reference not in targets:
                at = f"Bundle.entry[{entry.position}].resource"
                targets[reference] = await single_match(passage, reference, at)
    return [
        replace(entry, resource=rewrite_references(entry.resource, targets, entry.full_url))
        if entry.resource
        else entry
        for entry in named
    ]


def _operation(entry: BundleEntry) -> Operation:
    resource = dict(entry.resource) if entry.resource is not None else None
    if entry.method == "PATCH" or entry.id is None:
        at = f"Bundle.entry[{entry.position}].request.method"
        raise Problem(400, Issue("error", "not-supported", at, "Patches are not supported yet."))
    return Operation(
        entry.type, entry.id, resource, creates=entry.method == "POST", if_version=expected_version(entry.if_match)
    )


def _changed(fhir_url: str, outcome: Outcome) -> EntryResponse:
    stored = outcome.stored
    if stored is None or stored.deleted:
        return EntryResponse(status=_status(204))
    location = f"{fhir_url}/{stored.reference}/_history/{stored.version}"
    return EntryResponse(
        status=_status(201 if outcome.created else 200),
        location=location,
        etag=f'W/"{stored.version}"',
        last_modified=format_instant(stored.last_updated_ms),
        full_url=f"{fhir_url}/{stored.reference}",
        resource=orjson.Fragment(stored.body),
    )


def _status(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"

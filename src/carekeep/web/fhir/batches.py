"""Entries of a Bundle as requests of their own: all of a batch, and the reads of a transaction."""

import asyncio
import base64
import string
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson

from carekeep.fhir import BundleEntry, EntryResponse, dump_json, interval_of
from carekeep.web.fhir.patches import JSON_PATCH
from carekeep.web.http import Request, Response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, answer, as_problem, problem

_AT_ONCE = 16
_JOBS = frozenset({"export", "import"})  # their answer is where the job is, for which a batch has no place
Route = Callable[[Passage, Request], Awaitable[Response]]


async def each_alone(passage: Passage, route: Route, entries: Sequence[BundleEntry]) -> list[EntryResponse]:
    """What becomes of the entries of a batch: the failure of one is nothing to the others."""
    responses: list[EntryResponse] = []
    for start in range(0, len(entries), _AT_ONCE):
        some = entries[start : start + _AT_ONCE]
        responses += await asyncio.gather(*(alone(passage, route, entry) for entry in some))
    return responses


async def alone(passage: Passage, route: Route, entry: BundleEntry) -> EntryResponse:
    """One entry as a request of its own, with the outer request's person, purpose and id."""
    if entry.issues:
        return _told(entry, answer(Problem(400, *entry.issues)))
    if entry.operation in _JOBS:
        at = f"Bundle.entry[{entry.position}].request.url"
        return _told(entry, answer(problem(400, "not-supported", "A bulk job is asked for by itself.", at)))
    request = _request_of(passage.request, entry)
    try:
        response = await route(passage.within(request), request)
    except Exception as error:
        found = as_problem(error)
        if found is None:
            raise
        response = answer(found)
    return _told(entry, response)


def _request_of(outer: Request, entry: BundleEntry) -> Request:
    body, kind = _body_of(entry)
    headers = {
        b"accept": b"application/fhir+json",
        b"content-type": kind,
        b"content-length": b"%d" % len(body),
    }
    since = interval_of(entry.if_modified_since)
    given = {
        b"if-match": entry.if_match,
        b"if-none-match": entry.if_none_match,
        b"if-none-exist": entry.if_none_exist,
        b"if-modified-since": _http_date(since.start) if since else None,
    }
    for name, value in given.items():
        if value is not None:
            headers[name] = quote(value, safe=string.printable).encode()
    if prefer := outer.headers.get(b"prefer"):
        headers[b"prefer"] = prefer
    segments = ["fhir", entry.type]
    if entry.id is not None:
        segments.append(entry.id)
    if entry.history:
        segments.append("_history")
        segments += [entry.version] if entry.version is not None else []
    segments += [entry.within] if entry.within is not None else []
    segments += [f"${entry.operation}"] if entry.operation is not None else []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    method = "GET" if entry.method == "HEAD" else entry.method
    return Request(method, tuple(segments), entry.search or "", headers, outer.address, receive, outer.certificate)


def _http_date(ms: int) -> str:
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC), usegmt=True)


def _body_of(entry: BundleEntry) -> tuple[bytes, bytes]:
    """The body that the entry stands for, and its type: a Binary in a PATCH carries the patch (R4, http.html#patch)."""
    resource = entry.resource
    if resource is None:
        return b"", b"application/fhir+json"
    if entry.method == "PATCH" and resource["resourceType"] == "Binary":
        media, data = resource.get("contentType"), resource.get("data")
        if isinstance(media, str) and media.split(";")[0].strip().lower() == JSON_PATCH and isinstance(data, str):
            try:
                return base64.b64decode(data, validate=True), JSON_PATCH.encode()
            except ValueError:
                pass  # told as what it is: no patch
    return dump_json(resource), b"application/fhir+json"


def _told(entry: BundleEntry, response: Response) -> EntryResponse:
    headers = dict(response.headers)
    content = orjson.Fragment(response.body) if response.body and entry.method != "HEAD" else None
    failed = response.status >= HTTPStatus.BAD_REQUEST
    return EntryResponse(
        status=status_line(response.status),
        location=headers[b"location"].decode() if b"location" in headers else None,
        etag=headers[b"etag"].decode() if b"etag" in headers else None,
        resource=None if failed else content,
        outcome=content if failed else None,
    )


def status_line(status: int) -> str:
    """A status as the response of an entry tells it."""
    return f"{status} {HTTPStatus(status).phrase}"

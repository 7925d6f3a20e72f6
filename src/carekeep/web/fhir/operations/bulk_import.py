"""``$import``: kicking it off, with the resources in the body or with the places where they lie."""

from dataclasses import replace
from typing import Any

import orjson

from carekeep.access import Action, Target
from carekeep.fhir import RESOURCE_TYPES
from carekeep.storage import StorageError
from carekeep.web.bulk.fetching import permitted_source
from carekeep.web.bulk.importing import Cutter, input_part
from carekeep.web.bulk.jobs import TOPIC, Job, Jobs, State
from carekeep.web.bulk.opening import KEPT_MS, accepted, asker_of, jobs_of, open_job, request_url, require_async
from carekeep.web.bulk.orders import File, ImportOrder, Progress
from carekeep.web.http import MAX_HEADER, BadRequest, Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

LARGEST_UPLOAD = 8 * 1024**3
MOST_INPUTS = 1_000
_RECEIVING_MS = 3600 * 1000
_MAX_BODY = 1024 * 1024
_LINES = frozenset({"application/fhir+ndjson", "application/ndjson", "application/x-ndjson"})
_FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_NOWHERE = (
    "This server fetches nothing: its settings name no import_sources. Send the resources themselves, one to a line, "
    "as application/fhir+ndjson."
)


async def import_records(passage: Passage, _type: str, _id: str) -> Response:
    """``[base]/$import``: NDJSON in the body, or JSON (or Parameters) that says where it lies."""
    await passage.authenticate(Action.BULK_IMPORT)
    require_async(passage)
    content_type = (passage.request.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type in _LINES:
        return await _receive(passage)
    if content_type not in {"application/json", "application/fhir+json"}:
        raise problem(415, "not-supported", "Send application/fhir+ndjson, or JSON that says where the resources lie.")
    decision = await passage.judge(Action.BULK_IMPORT, Target())
    inputs, source = _inputs(await passage.request.body(_MAX_BODY)) if decision.permitted else ((), None)
    for _, url in inputs:
        _check_source(passage, url)
    order = replace(_order(passage), inputs=inputs, source=source)
    return accepted(passage, await open_job(passage, Action.BULK_IMPORT, Target(), order, State.RUNNING))


def _order(passage: Passage) -> ImportOrder:
    return ImportOrder(
        asker=asker_of(passage),
        action=Action.BULK_IMPORT,
        request=request_url(passage),
        moment_ms=passage.services.clock(),
    )


def _check_source(passage: Passage, url: str) -> None:
    sources = passage.services.import_sources
    if not sources:
        raise problem(400, "not-supported", _NOWHERE, "input.url")
    if not permitted_source(url, sources):
        raise problem(400, "forbidden", "An input is not below one of the server's import_sources.", "input.url")


async def _receive(passage: Passage) -> Response:
    """Take the body in, part by part, sealed as it comes; the job begins when all of it is durable."""
    services, jobs = passage.services, jobs_of(passage)
    job = await open_job(passage, Action.BULK_IMPORT, Target(), _order(passage), State.RECEIVING)
    progress = Progress(expires_ms=services.clock() + _RECEIVING_MS, files=(File("input", "", source="(body)"),))
    try:
        job = await _received(passage, jobs, replace(job, progress=progress))
    except (BadRequest, StorageError):
        await passage.record(Action.BULK_IMPORT, "failed", jobs.prepare_delete(job.id), reason="the upload broke off")
        raise
    return accepted(passage, job)


async def _received(passage: Passage, jobs: Jobs, job: Job) -> Job:
    cutter, size, more = Cutter(), 0, True
    while more:
        message = await passage.request.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The body ended before its end.")
        data, more = message.get("body", b""), message.get("more_body", False)
        size += len(data)
        if size > LARGEST_UPLOAD:
            raise BadRequest(f"The body may be at most {LARGEST_UPLOAD} bytes.", 413)
        for part in cutter.feed(data):
            job = await _keep(passage, jobs, job, part, State.RECEIVING)
    for part in cutter.end():
        job = await _keep(passage, jobs, job, part, State.RECEIVING)
    services = passage.services
    progress = replace(job.progress, expires_ms=services.clock() + KEPT_MS)
    await services.database.commit(jobs.advance(job, progress, State.RUNNING).steps)
    services.generations.changed(TOPIC)
    return job


async def _keep(passage: Passage, jobs: Jobs, job: Job, part: bytes, state: State) -> Job:
    progress, chunk = input_part(job.progress, 0, part)
    await passage.services.database.commit(jobs.advance(job, progress, state, (chunk,)).steps)
    return replace(job, progress=progress, step=job.step + 1)


def _inputs(body: bytes) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Type and URL of each input, and the source they are said to be from."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise problem(400, "structure", "The body is not JSON.") from None
    if isinstance(given, dict) and given.get("resourceType") == "Parameters":
        given = _from_parameters(given)
    if not isinstance(given, dict) or not isinstance(given.get("input"), list) or not given["input"]:
        raise problem(400, "required", "Say where the resources lie: input, each with type and url.", "input")
    if given.get("inputFormat", "ndjson") not in _FORMATS:
        raise problem(400, "not-supported", "Inputs are application/fhir+ndjson.", "inputFormat")
    storage = given.get("storageDetail", {"type": "https"})
    if not isinstance(storage, dict) or storage.get("type") != "https":
        raise problem(400, "not-supported", "Inputs are fetched over https.", "storageDetail")
    if len(given["input"]) > MOST_INPUTS:
        raise problem(400, "too-costly", f"At most {MOST_INPUTS} inputs are taken at once.", "input")
    source = given.get("inputSource")
    if source is not None and (not isinstance(source, str) or not 0 < len(source) <= MAX_HEADER or " " in source):
        raise problem(400, "value", "inputSource is a URI.", "inputSource")
    return tuple(_input(number, each) for number, each in enumerate(given["input"])), source


def _input(number: int, given: Any) -> tuple[str, str]:
    type_, url = (given.get("type"), given.get("url")) if isinstance(given, dict) else (None, None)
    if not isinstance(url, str) or not isinstance(type_, str) or type_ not in RESOURCE_TYPES:
        raise problem(400, "value", "An input has a resource type and a url.", f"input[{number}]")
    return type_, url


def _from_parameters(body: dict[str, Any]) -> dict[str, Any]:
    """The same as other servers take it: parameters inputFormat, inputSource, storageDetail and input, with parts."""
    found: dict[str, Any] = {"input": []}
    listed = body.get("parameter")
    for parameter in listed if isinstance(listed, list) else []:
        if not isinstance(parameter, dict):
            raise problem(400, "structure", "A parameter is an object.", "Parameters.parameter")
        parts = parameter.get("part")
        value = {part.get("name"): _value(part) for part in parts if isinstance(part, dict)} if parts else None
        if parameter.get("name") == "input":
            found["input"].append(value)
        elif isinstance(name := parameter.get("name"), str):
            found[name] = value if value is not None else _value(parameter)
    return found


def _value(parameter: dict[str, Any]) -> Any:
    return next((value for name, value in parameter.items() if name.startswith("value")), None)

"""``/bulk/[job]``: how far a job is, its manifest, its files, and its end."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from email.utils import formatdate

import orjson

from carekeep.access import Action
from carekeep.fhir import Issue
from carekeep.records import Walker
from carekeep.storage import Conflict
from carekeep.web.bulk.disclosing import Disclosure
from carekeep.web.bulk.jobs import ID_LENGTH, Job, State
from carekeep.web.bulk.manifests import manifest
from carekeep.web.bulk.opening import jobs_of
from carekeep.web.bulk.orders import ExportOrder
from carekeep.web.bulk.running import order_target
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_pieces, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_NDJSON = b"application/fhir+ndjson"
_JSON = b"application/json"
_FILE = re.compile(r"(\d{1,6})\.ndjson", re.ASCII)
_RETRY_S = b"2"


class BulkRoutes:
    """The ASGI application at ``/bulk``. A job is there for the account that asked for it, and for nobody else."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._walker = Walker(services.database, services.keyring)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; files leave piece by piece."""
        passage: Passage | None = None
        pieces: AsyncIterator[bytes] | None = None
        try:
            request = read_request(scope, receive)
            passage = Passage(self._services, request)
            response, pieces = await self._route(passage, request)
        except Exception as error:  # noqa: BLE001 - the last line of defence
            found = as_problem(error)
            response = answer(found) if found else unexpected(error, "bulk jobs")
        response = replace(response, headers=(*response.headers, *(passage.trace() if passage else ())))
        if pieces is None:
            await send_response(response, send)
        else:  # what goes wrong from here on breaks the connection off
            await send_pieces(response, pieces, send)

    async def _route(self, passage: Passage, request: Request) -> tuple[Response, AsyncIterator[bytes] | None]:
        match (request.method, request.segments[1:]):
            case ("GET", (job, file)):
                return await self._download(passage, job, file)
            case ("GET", (job,)):
                return await self._status(passage, job), None
            case ("DELETE", (job,)):
                return await self._delete(passage, job), None
        raise problem(404, "not-found", "There is nothing at this URL.")

    async def _job(self, passage: Passage, text: str) -> Job:
        """The job, if it is the asker's and its time is not over. Raises 404, which is recorded."""
        principal = await passage.authenticate(Action.BULK_EXPORT)
        job = await jobs_of(passage).get(_id(text))
        own = job is not None and job.owner.hex() == principal.account_id
        if job is None or not own or job.progress.expires_ms <= self._services.clock():
            reason = "no such job" if job is None or own else "a job of another account"
            await passage.record(Action.BULK_EXPORT, "denied", query=f"job {text[:64]}", reason=reason)
            raise _gone()
        return job

    async def _status(self, passage: Passage, text: str) -> Response:
        job = await self._job(passage, text)
        if job.state is State.FAILED:
            status, code = (403, "forbidden") if job.progress.forbidden else (500, "processing")
            raise Problem(status, Issue("error", code, "", job.progress.failure or "The job failed."))
        if job.state is not State.DONE:
            return Response(202, headers=((b"x-progress", _progress(job)), (b"retry-after", _RETRY_S)))
        await passage.record(job.order.action, "permitted", query=f"manifest of job {text}", reason="own job")
        expires = formatdate(job.progress.expires_ms // 1000, usegmt=True).encode()
        body = orjson.dumps(manifest(self._services.fhir_url, job))
        return Response(200, body, _JSON, headers=((b"expires", expires),))

    async def _delete(self, passage: Passage, text: str) -> Response:
        job = await self._job(passage, text)
        try:
            gone = jobs_of(passage).prepare_delete(job.id)
            await passage.record(
                job.order.action, "permitted", gone, query=f"job {text}", reason="deleted; its key is destroyed"
            )
        except Conflict:
            raise _gone() from None
        return Response(202)

    async def _download(self, passage: Passage, text: str, file: str) -> tuple[Response, AsyncIterator[bytes]]:
        """Decide as at the kick-off, and give the first piece and those that follow."""
        job = await self._job(passage, text)
        found = _FILE.fullmatch(file)
        index = int(found[1]) if found else -1
        files = job.progress.files
        if job.state is not State.DONE or not 0 <= index < len(files) or files[index].kind == "input":
            raise _gone()
        await passage.demand(Action(job.order.action), order_target(job.order))
        pieces = Disclosure(passage, jobs_of(passage), self._walker, job, index).pieces()
        first = await anext(pieces, b"")
        return Response(200, first, _NDJSON), pieces


def _gone() -> Problem:
    return problem(404, "not-found", "There is no such job, or no such file in it.")


def _id(text: str) -> bytes:
    if len(text) != 2 * ID_LENGTH or not re.fullmatch("[0-9a-f]*", text):
        raise _gone()
    return bytes.fromhex(text)


def _progress(job: Job) -> bytes:
    progress = job.progress
    if isinstance(job.order, ExportOrder):
        return f"{progress.looked:,} records looked at, {progress.taken:,} taken".encode()
    return f"{progress.taken:,} records loaded, {progress.skipped:,} unchanged".encode()

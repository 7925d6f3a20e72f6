"""Inputs of an import that lie elsewhere: fetched over HTTPS from places that the settings name, and from nowhere else.

A URL that a client gives makes the server itself send a request, from inside of the network. So only addresses below
those that an operator wrote down are taken, redirects are not followed, and nothing of the answer but lines is used.
"""

import asyncio
import http.client
import ssl
from dataclasses import replace
from urllib.parse import urlsplit

from carekeep.web.bulk.importing import Cutter, input_part
from carekeep.web.bulk.jobs import Chunk, Job, Jobs, State
from carekeep.web.bulk.orders import File, ImportOrder, Progress
from carekeep.web.services import Services

LARGEST_INPUT = 8 * 1024**3
_BLOCK = 256 * 1024
_TIMEOUT_S = 30.0


def permitted_source(url: str, sources: tuple[str, ...]) -> bool:
    """Whether a URL is below one of the places in the settings, spelled the same, without ``..`` and the like."""
    parts = urlsplit(url)
    plain = (
        url.isascii() and url.isprintable() and not {"..", "."} & set(parts.path.split("/")) and "%" not in parts.path
    )
    return plain and not parts.fragment and "@" not in parts.netloc and any(url.startswith(each) for each in sources)


async def fetch_input(services: Services, jobs: Jobs, job: Job, order: ImportOrder) -> str | None:
    """Fetch the next input into sealed chunks of the job. None when it is there; else what went wrong.

    An input that an interrupted process left half is fetched anew. Raises Conflict, StorageError.
    """
    number = job.progress.fetched
    type_, url = order.inputs[number]
    if not permitted_source(url, services.import_sources):  # the settings may have changed since the kick-off
        return "An input is not below one of the import_sources of this server's settings."
    files = (*job.progress.files[:number], File("input", type_, source=url))
    job = await _moved(services, jobs, job, replace(job.progress, files=files), (), (number,))
    connection = _connection(url)
    try:
        return await _receive(services, jobs, job, connection, url)
    except (OSError, http.client.HTTPException) as error:
        return f"Input {number + 1} could not be fetched: {type(error).__name__}."
    finally:
        connection.close()


async def _receive(
    services: Services, jobs: Jobs, job: Job, connection: http.client.HTTPSConnection, url: str
) -> str | None:
    number = job.progress.fetched
    response = await asyncio.to_thread(_ask, connection, url)
    if response.status != http.client.OK:
        return f"Input {number + 1} could not be fetched: its server answered {response.status}."
    cutter, size = Cutter(), 0
    while data := await asyncio.to_thread(response.read, _BLOCK):
        size += len(data)
        if size > LARGEST_INPUT:
            return f"Input {number + 1} is larger than {LARGEST_INPUT:,} bytes."
        for part in cutter.feed(data):
            progress, chunk = input_part(job.progress, number, part)
            job = await _moved(services, jobs, job, progress, (chunk,))
    if response.length:  # what http.client still expected: the connection broke
        return f"Input {number + 1} ended before its end."
    progress, chunks = job.progress, list[Chunk]()
    for part in cutter.end():
        progress, chunk = input_part(progress, number, part)
        chunks.append(chunk)
    await _moved(services, jobs, job, replace(progress, fetched=number + 1), tuple(chunks))
    return None


async def _moved(
    services: Services,
    jobs: Jobs,
    job: Job,
    progress: Progress,
    chunks: tuple[Chunk, ...],
    dropped: tuple[int, ...] = (),
) -> Job:
    await services.database.commit(jobs.advance(job, progress, State.RUNNING, chunks, dropped).steps)
    return replace(job, progress=progress, step=job.step + 1)


def _connection(url: str) -> http.client.HTTPSConnection:
    parts = urlsplit(url)
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S, context=context)


def _ask(connection: http.client.HTTPSConnection, url: str) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    connection.request("GET", target, headers={"Accept": "application/fhir+ndjson", "Accept-Encoding": "identity"})
    return connection.getresponse()

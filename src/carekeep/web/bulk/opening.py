"""Opening a job for a request: decided, bounded in number, and durable together with its entry."""

import os
from collections.abc import Iterable
from typing import Any

from carekeep.access import Action, Target
from carekeep.fhir import Issue
from carekeep.records import Stored
from carekeep.storage import Prepared, bump
from carekeep.web.bulk.jobs import TOPIC, Job, Jobs, State
from carekeep.web.bulk.manifests import job_url
from carekeep.web.bulk.orders import Asker, Order, Progress
from carekeep.web.http import Response
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import Problem, problem

KEPT_MS = 24 * 3600 * 1000
MOST_UNFINISHED, MOST_KEPT = 4, 100  # jobs of one account
_RETRY_S = b"60"


async def open_job(
    passage: Passage, action: Action, target: Target, order: Order, state: State, *, seen: Iterable[Stored] = ()
) -> Job:
    """Decide, and make the job durable together with its entry. Raises Problem (403, 429)."""
    services = passage.services
    decision = await passage.demand(action, target)
    jobs = jobs_of(passage)
    unfinished, kept = await jobs.counts(bytes.fromhex(order.asker.account))
    if unfinished >= MOST_UNFINISHED or kept >= MOST_KEPT:
        text = f"At most {MOST_UNFINISHED} jobs of an account run at once, and {MOST_KEPT} are kept. Delete some."
        busy = Issue("error", "throttled", "", text)
        raise Problem(429, busy, headers=((b"retry-after", _RETRY_S),))
    prepared = jobs.prepare_new(order, Progress(expires_ms=services.clock() + KEPT_MS), state)
    woken: Prepared[Any] = Prepared(None, (bump(TOPIC),))
    await passage.record(
        action,
        "permitted",
        prepared,
        woken,
        decision=decision,
        what=tuple(map(what_of, seen)),
        patients=target.patients,
        query=f"{order.request} as job {prepared.value.id.hex()}",
    )
    services.generations.changed(TOPIC)
    return prepared.value


def accepted(passage: Passage, job: Job) -> Response:
    """202, and where to ask how far it is."""
    url = job_url(passage.services.fhir_url, job.id)
    return Response(202, headers=((b"content-location", url.encode()),))


def jobs_of(passage: Passage) -> Jobs:
    """The jobs, as a request sees them: it makes, reads and removes them, and works on none."""
    services = passage.services
    return Jobs(services.database, services.keyring, services.clock, os.urandom, f"request {passage.request_id}")


def asker_of(passage: Passage) -> Asker:
    """Who asks, as the job will remember it."""
    principal = passage.principal
    return Asker(
        account=principal.account_id,
        session=principal.session,
        facts=principal.as_session().kept(),
        address=passage.request.address,
        purpose=passage.purpose,
    )


def request_url(passage: Passage) -> str:
    """The full URL of the kick-off, as the manifest repeats it."""
    request = passage.request
    path = "/".join(request.segments[1:])
    return f"{passage.services.fhir_url}/{path}" + (f"?{request.query}" if request.query else "")


def require_async(passage: Passage) -> None:
    """Raises 400 without ``Prefer: respond-async``: these answers are never ready at once."""
    prefer = (passage.request.header(b"prefer") or "").replace(" ", "")
    if "respond-async" not in prefer.replace(";", ",").split(","):
        raise problem(400, "required", "Send Prefer: respond-async. The files are made beside the requests.")

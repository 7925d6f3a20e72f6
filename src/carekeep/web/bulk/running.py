"""The task beside the requests that works on bulk jobs, in whichever worker has them.

Every step begins from what the database says and ends in one unit that moves it on, so that a process may die at any
point: another one takes the job when the lease is over, and goes on from the last position. Two that hold one job at
once (a clock that jumped) cannot both move it: the unit expects the step that it started from.
"""

import asyncio
import logging
import os
from dataclasses import replace

from carekeep.access import Action, Purpose, Target
from carekeep.encryption import Tampered
from carekeep.identity import Session
from carekeep.records import Walker
from carekeep.storage import Conflict, Prepared, StorageError
from carekeep.web.bulk.exporting import SETTLE_MS, ExportStep
from carekeep.web.bulk.fetching import fetch_input
from carekeep.web.bulk.importing import import_step
from carekeep.web.bulk.jobs import TOPIC, Job, Jobs, State
from carekeep.web.bulk.messages import export_messages
from carekeep.web.bulk.opening import KEPT_MS
from carekeep.web.bulk.orders import Asker, ExportOrder, ImportOrder
from carekeep.web.http import Request
from carekeep.web.outliving import principal_now
from carekeep.web.passage import Passage
from carekeep.web.services import Services

EXPIRED = "fhir:bulk:expire"
_IDLE_S = 1.0
_log = logging.getLogger("carekeep.bulk")
_LOST = "The account that asked for this, its device, or what its app was allowed, has ended."
_DEFECT = "The server failed at this job. Its log says where."
_BROKEN = "Something that was stored does not open. Run `carekeep ledger verify`."


class BulkRunner:
    """Works on jobs for as long as ``run`` is not cancelled. ``holder`` must be unique to the process."""

    def __init__(self, services: Services, holder: str) -> None:
        self._services = services
        self._jobs = Jobs(services.database, services.keyring, services.clock, os.urandom, holder)
        self._walker = Walker(services.database, services.keyring)
        self._wake = asyncio.Event()
        services.generations.watch(TOPIC, self._wake.set)

    async def run(self) -> None:
        """Turn after turn; waits for a new job, or a second, when there was nothing to do. Cancel the task to stop."""
        while True:
            self._wake.clear()
            try:
                busy = await self.turn()
            except StorageError:
                _log.warning("The database cannot be reached; bulk jobs wait.")
                busy = False
            if busy:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def turn(self) -> bool:
        """One step of every job that may be worked on. Says whether any of them moved. Raises StorageError."""
        for id_ in await self._jobs.expired():
            await self._expire(id_)
        moved = False
        for id_ in await self._jobs.runnable():
            moved |= await self._step(id_)
        return moved

    async def _step(self, id_: bytes) -> bool:
        try:
            job = await self._jobs.get(id_)
            if job is None or job.state is not State.RUNNING:
                return False
            await self._jobs.claim(job)
            return await self._work(job)
        except Conflict:
            return False  # somebody else has it, or changed what it was about to change: the next turn sees
        except Tampered:
            _log.error("Job %s does not open, or met a row that does not.", id_.hex())
            return await self._give_up(id_, _BROKEN)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect that one job meets must not stop the others
            # The class only: messages of unknown exceptions can hold what was in a record.
            _log.error("Job %s stopped: unexpected %s.", id_.hex(), type(error).__name__)
            return await self._give_up(id_, _DEFECT)

    async def _work(self, job: Job) -> bool:
        order = job.order
        passage = await self._passage(order.asker, job)
        if passage is None:
            return await self._fail(job, _LOST, forbidden=True)
        decision = await passage.judge(Action(order.action), order_target(order))
        if not decision.permitted:
            return await self._fail(job, decision.reason, forbidden=True)
        if isinstance(order, ImportOrder):
            return await self._import(passage, job, order)
        if self._services.clock() < order.moment_ms + SETTLE_MS:
            return False
        return await self._export(passage, job, order)

    async def _export(self, passage: Passage, job: Job, order: ExportOrder) -> bool:
        step = ExportStep(passage, self._walker, order, job.progress)
        progress, ended = await step.run()
        gathered = step.gathered
        if not ended:
            await self._services.database.commit(
                self._jobs.advance(job, progress, State.RUNNING, gathered.chunks).steps
            )
            return True
        gathered.add_lines("error", "OperationOutcome", export_messages(gathered.notices, order.ignored))
        progress = replace(progress, files=tuple(gathered.files), expires_ms=self._services.clock() + KEPT_MS)
        done = self._jobs.advance(job, progress, State.DONE, gathered.chunks)
        await passage.record(order.action, "permitted", done, reason=f"export finished: {progress.taken} records")
        return True

    async def _import(self, passage: Passage, job: Job, order: ImportOrder) -> bool:
        if job.progress.fetched < len(order.inputs):
            failure = await fetch_input(self._services, self._jobs, job, order)
            return True if failure is None else await self._give_up(job.id, failure)
        await import_step(passage, self._jobs, job, order)
        return True

    async def _fail(self, job: Job, reason: str, *, forbidden: bool = False) -> bool:
        """The job stops for good; what it had found is dropped."""
        files = range(len(job.progress.files))
        progress = replace(job.progress, files=(), failure=reason, forbidden=forbidden)
        failed = self._jobs.advance(job, progress, State.FAILED, dropped=files)
        nobody = self._bare_passage(job.order.asker, job)
        await nobody.record(job.order.action, "denied" if forbidden else "failed", failed, reason=reason)
        return True

    async def _give_up(self, id_: bytes, reason: str) -> bool:
        """Fail a job from its newest state; one that does not open itself is removed."""
        try:
            job = await self._jobs.get(id_)
        except Tampered:
            await self._expire(id_)
            return True
        return job is not None and await self._fail(job, reason)

    async def _expire(self, id_: bytes) -> None:
        """Remove a job with its key."""
        passage = Passage(self._services, _nowhere(None))
        passage.purpose = Purpose.HSYSADMIN
        try:
            gone: Prepared[None] = self._jobs.prepare_delete(id_)
            await passage.record(EXPIRED, "permitted", gone, reason=f"job {id_.hex()} expired; its key is destroyed")
        except Conflict:
            return

    async def _passage(self, asker: Asker, job: Job) -> Passage | None:
        """The way of the account that asked, as it is now; None when that is over."""
        session = Session.read(asker.session, 0, asker.facts)
        principal = await principal_now(self._services, bytes.fromhex(asker.account), session)
        if principal is None:
            return None
        passage = self._bare_passage(asker, job)
        passage.principal = principal
        passage.describe(passage.principal)
        return passage

    def _bare_passage(self, asker: Asker, job: Job) -> Passage:
        passage = Passage(self._services, _nowhere(asker.address))
        passage.suspect(asker.account)
        passage.purpose = Purpose(asker.purpose)
        passage.request_id = job.id.hex()
        return passage


def order_target(order: ExportOrder | ImportOrder) -> Target:
    """What the policies are asked about: one patient's records, or the whole of them."""
    if isinstance(order, ExportOrder) and order.own and order.patients:
        return Target("Patient", order.patients, ())
    return Target()


def _nowhere(address: str | None) -> Request:
    """A request that nobody sent: a job goes the way of requests without being one."""

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    return Request("POST", (), "", {}, address, receive)

"""The task that keeps the log witnessed: by one process, for ever, and quiet about what it said already."""

import asyncio
import logging
from pathlib import Path

import pytest

from carekeep.audit.tile_table import TileMissing
from carekeep.audit.tiles import Place
from carekeep.audit.witnessing.running import WATCH_EVERY, Witnessing
from carekeep.storage import Database, Lease, StorageError
from tests.audit.witnessing.around import around

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Turns:
    """Stands for submitting and watching: counts, and fails as it is told."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.count = 0

    async def turn(self) -> None:
        self.count += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault


async def run_for(task: Witnessing, lease: Lease) -> None:
    with pytest.raises(asyncio.CancelledError):
        await task.run(lease)


@on_sqlite
async def test_it_goes_on_after_faults_and_says_each_once(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beats = 0

    async def sleep(_: float) -> None:
        nonlocal beats
        beats += 1
        if beats > WATCH_EVERY:
            raise asyncio.CancelledError

    system = await around(database, tmp_path)
    missing, gone = TileMissing(Place(0, 0)), StorageError("it is away")
    submitting, watching = Turns(missing, missing, missing, None, gone, gone, None, gone), Turns()
    task = Witnessing(submitting, watching, sleep)  # type: ignore[arg-type]
    lease = Lease(database, "witnesses", "one", system.time)
    other = Lease(database, "witnesses", "other", system.time)
    assert await lease.hold()
    with caplog.at_level(logging.WARNING, "carekeep.witnesses"):
        await run_for(task, lease)
    assert (submitting.count, watching.count) == (WATCH_EVERY, 1)
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL, logging.WARNING, logging.WARNING]
    assert await other.hold()  # it let go of the lease


@on_sqlite
async def test_only_the_holder_of_the_lease_works(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    beats = 0

    async def sleep(_: float) -> None:
        nonlocal beats
        beats += 1
        if beats > 3:
            raise asyncio.CancelledError

    assert await Lease(database, "witnesses", "other", system.time).hold()
    idle = Turns()
    task = Witnessing(idle, idle, sleep)  # type: ignore[arg-type]
    await run_for(task, Lease(database, "witnesses", "one", system.time))
    assert idle.count == 0

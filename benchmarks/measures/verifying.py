"""Verifying the ledger: the tree, and the pins that bind it to the rows."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.report import Figure, Goal
from benchmarks.stage import Stage
from carekeep.app import System, open_system
from carekeep.audit import Agent, Entry, check_pins, verify_tree
from carekeep.storage import Finding

_GROUP = "ledger verify"
_AT_ONCE = 1000


def measure(stage: Stage) -> Iterator[Figure]:
    """Over as many entries as the scale asks for, or more if the run has made them."""
    hospital = stage.hospital

    async def work() -> tuple[int, float, float]:
        async with open_system(hospital.settings, hospital.passphrase) as system:
            await _fill(system, stage.scale.entries)
            count, tree_s = await _timed(verify_tree(system.database, system.sequencer.key))
            _, pins_s = await _timed(check_pins(system.services.ledger, {}))
            return count, tree_s, pins_s

    count, tree_s, pins_s = asyncio.run(work())
    yield Figure(_GROUP, f"the log: {count:,} entries, tiles, root", count / tree_s, "entries/s", Goal(200_000))
    yield Figure(_GROUP, "opening every entry, for its pins", count / pins_s, "entries/s")


async def _fill(system: System, count: int) -> None:
    """Entries like those of reads."""
    entry = Entry(
        action="fhir:record:read",
        agent=Agent(account="0" * 32, role="app", session="0" * 64, address="127.0.0.1"),
        purpose="TREAT",
        outcome="permitted",
        request_id="0" * 16,
        at_ms=system.services.clock(),
    )
    for _ in range(0, count, _AT_ONCE):
        await asyncio.gather(*(system.services.ledger.record(entry) for _ in range(_AT_ONCE)))
    while await system.sequencer.integrate():
        pass


async def _timed(steps: AsyncIterator[Any]) -> tuple[int, float]:
    """How many entries were walked, and in how many seconds."""
    begun, walked = time.perf_counter(), 0
    async for step in steps:
        if isinstance(step, Finding):
            raise AssertionError(f"{step.where}: {step.what}")  # noqa: TRY004 - no wrong type, a wrong ledger
        walked = step
    return walked, time.perf_counter() - begun

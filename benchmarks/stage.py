"""What the measurements have in common: how long, how large, where, and one hospital for those that share it."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks import baselines, setting
from benchmarks.client import Task
from benchmarks.load import Result, generate
from benchmarks.servers import Serving, free_port
from benchmarks.setting import Hospital
from carekeep.app import open_system
from carekeep.cli.loading import Loader

OK = frozenset({200})
CREATED = frozenset({201})
ANY_CHANGE = frozenset({200, 201, 204})


@dataclass(frozen=True, slots=True)
class Scale:
    """``seconds`` of each measurement, after ``warmup_s``; how many patients; how many times the data in ``growth``.

    ``millions``: the patients of the two hospitals of that measure. ``checks``: requests in ``deciding``; ``rounds``:
    turns in ``flooding``; ``ledger``: entries of the log that proofs are taken from.
    """

    seconds: float
    warmup_s: float
    patients: int
    growth_patients: int
    growth: tuple[int, ...]
    millions: tuple[int, int]
    connections: tuple[int, ...]
    entries: int
    bundles: int
    checks: int
    rounds: int
    ledger: int


FULL = Scale(
    seconds=8,
    warmup_s=1,
    patients=200,
    growth_patients=20,
    growth=(1, 10, 100),
    millions=(185, 18_200),
    connections=(1, 32, 64, 256),
    entries=100_000,
    bundles=60,
    checks=3_000,
    rounds=5,
    ledger=10_000_000,
)
QUICK = Scale(
    seconds=1,
    warmup_s=0.2,
    patients=5,
    growth_patients=2,
    growth=(1, 10),
    millions=(2, 20),
    connections=(1, 32),
    entries=3_000,
    bundles=4,
    checks=300,
    rounds=2,
    ledger=200_000,
)


@dataclass(frozen=True)
class Stage:
    """Where measurements happen: everything is below ``folder`` and goes with it."""

    folder: Path
    scale: Scale
    peaks: list[float] = field(default_factory=list)

    @cached_property
    def hospital(self) -> Hospital:
        """The hospital in Carekeep on SQLite, made when it is first asked for."""
        return setting.build(self.folder / "carekeep", self.scale.patients, free_port())

    @cached_property
    def open_file(self) -> Path:
        """The same hospital in the open store."""
        path = self.folder / "open.db"
        baselines.fill(path, setting.simulated(self.scale.patients, self.hospital.now))
        return path

    def run(
        self,
        serving: Serving,
        requests: Sequence[bytes],
        connections: int,
        expected: Collection[int],
        *,
        cycle: bool = True,
    ) -> tuple[Result, float]:
        """Load a server; what came of it, and the server's processor time for each answer in microseconds."""
        scale = self.scale
        task = Task(
            serving.port, serving.certificate, tuple(requests), connections, scale.seconds, scale.warmup_s, cycle
        )
        before = serving.cpu_seconds()
        result = generate(task, serving.client_cores, expected)
        cpu_us = (serving.cpu_seconds() - before) / result.answers * 1e6
        self.peaks.append(serving.resident_mib())
        return result, cpu_us


def add(hospital: Hospital, resources: Sequence[dict[str, Any]]) -> None:
    """Put more records into a hospital whose server does not run."""

    async def load() -> None:
        async with open_system(hospital.settings, hospital.passphrase) as system:
            loader = Loader(system.services, "benchmark")
            await loader.load(("added", resource) for resource in resources)
            while await system.sequencer.integrate():
                pass

    asyncio.run(load())

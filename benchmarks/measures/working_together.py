"""One and two workers, on SQLite and on PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import asking, setting
from benchmarks.report import Figure, rate
from benchmarks.servers import carekeep, free_port
from benchmarks.setting import Hospital
from benchmarks.stage import ANY_CHANGE, CREATED, OK, Stage, add

_GROUP = "workers"
_CONNECTIONS = 64
_WORKERS = (1, 2)
_SERVER = Path(__file__).parents[2] / "tests" / "storage" / "postgres_process.py"


def measure(stage: Stage) -> Iterator[Figure]:
    """Read, create and the mixed script for each number of workers and each database."""
    patients = stage.scale.growth_patients * 2
    yield from _figures(stage, "SQLite", setting.build(stage.folder / "together", patients, free_port()))
    with postgres() as url:
        hospital = setting.build(stage.folder / "together-postgres", patients, free_port(), url)
        count = hospital.sample.resources
        yield Figure(_GROUP, "PostgreSQL: carekeep import", count / hospital.loading_s, "resources/s")
        yield from _figures(stage, "PostgreSQL", hospital)


def _figures(stage: Stage, database: str, hospital: Hospital) -> Iterator[Figure]:
    reads, creates = asking.reads(hospital, hospital.app), asking.creates(hospital)
    for workers in _WORKERS:
        prefix = f"{workers}-workers"
        add(hospital, asking.doomed(hospital, prefix))
        mixed = asking.mixed(hospital, prefix)
        with carekeep(hospital, workers) as serving:
            name = f"{database}, {workers} worker{'s' * (workers > 1)}"
            yield rate(_GROUP, f"{name}: read", stage.run(serving, reads, _CONNECTIONS, OK))
            yield rate(_GROUP, f"{name}: create", stage.run(serving, creates, _CONNECTIONS, CREATED))
            figure = rate(_GROUP, f"{name}: mixed", stage.run(serving, mixed, _CONNECTIONS, ANY_CHANGE, cycle=False))
            yield figure


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of the run's own, as durable as PostgreSQL is by default."""
    command = [sys.executable, str(_SERVER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise RuntimeError("PostgreSQL did not start; its reason is above.")
        yield url

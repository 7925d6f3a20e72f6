"""Bringing records in: transaction Bundles over HTTP, and ``carekeep import``."""

from collections.abc import Iterator
from itertools import islice

from benchmarks import asking
from benchmarks.client import Task
from benchmarks.load import generate
from benchmarks.report import Figure, Goal
from benchmarks.servers import carekeep
from benchmarks.setting import SEED
from benchmarks.stage import OK, Stage
from carekeep import simulation

_GROUP = "import"
_CONNECTIONS = 8
_LONGEST_S = 60.0


def measure(stage: Stage) -> Iterator[Figure]:
    """Charts that the hospital does not have yet go by HTTP; the other figure is that of the hospital's own load."""
    hospital, scale = stage.hospital, stage.scale
    larger = simulation.Hospital(SEED, scale.patients + scale.bundles, hospital.now)
    charts = [list(chart.resources) for chart in islice(larger.people(), scale.patients, None)]
    resources = sum(map(len, charts))
    with carekeep(hospital) as serving:
        requests = tuple(asking.transactions(hospital, charts))
        task = Task(serving.port, serving.certificate, requests, _CONNECTIONS, _LONGEST_S, cycle=False)
        result = generate(task, serving.client_cores, OK)
        if result.count < len(requests):
            raise AssertionError(f"{result.count} of {len(requests)} Bundles were taken in {_LONGEST_S:.0f} seconds.")
    name = f"transaction Bundles of {resources // len(charts)} over HTTP"
    yield Figure(
        _GROUP,
        name,
        resources / result.seconds,
        "resources/s",
        Goal(2000),
        _CONNECTIONS,
        result.p50_ms,
        result.p99_ms,
        client_busy=result.client_busy,
    )
    sample = hospital.sample
    yield Figure(_GROUP, "carekeep import", sample.resources / hospital.loading_s, "resources/s", Goal(2000))

"""Creating an Observation: validated, encrypted, indexed, in the ledger, on the disk."""

from collections.abc import Iterator
from functools import partial

from benchmarks import asking
from benchmarks.baselines import OpenStore
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import baseline, carekeep
from benchmarks.stage import CREATED, Stage

_GROUP = "create: POST Observation"


def measure(stage: Stage) -> Iterator[Figure]:
    """Open and Carekeep at each number of connections."""
    hospital, settings = stage.hospital, stage.hospital.settings
    requests = asking.creates(hospital)
    best = {"open": 0.0, "Carekeep": 0.0}
    for name, server in (
        ("open", partial(baseline, settings, partial(OpenStore, stage.open_file, settings.fhir_url))),
        ("Carekeep", partial(carekeep, hospital)),
    ):
        with server() as serving:
            for connections in stage.scale.connections:
                figure = rate(_GROUP, name, stage.run(serving, requests, connections, CREATED))
                best[name] = max(best[name], figure.value)
                yield figure
    yield Figure(_GROUP, "Carekeep, best", best["Carekeep"], "/s", Goal(2500))
    yield Figure(_GROUP, "of open, best to best", 100 * best["Carekeep"] / best["open"], "%")

"""Create, read, update and delete, 10/60/25/5, over 64 connections; and the most memory that one worker has had."""

from collections.abc import Iterator

from benchmarks import asking
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import carekeep
from benchmarks.stage import ANY_CHANGE, Stage, add

_GROUP = "mixed CRUD 10/60/25/5"
_CONNECTIONS = 64


def measure(stage: Stage) -> Iterator[Figure]:
    """One worker on SQLite."""
    hospital = stage.hospital
    add(hospital, asking.doomed(hospital, "mixed"))
    with carekeep(hospital) as serving:
        requests = asking.mixed(hospital, "mixed")
        yield rate(_GROUP, "Carekeep", stage.run(serving, requests, _CONNECTIONS, ANY_CHANGE, cycle=False), 4500)
        yield Figure(
            _GROUP, "memory of the server, highest of the run", max(stage.peaks), "MiB", Goal(400, at_most=True)
        )

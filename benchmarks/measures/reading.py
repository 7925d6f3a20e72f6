"""A secured read, beside the bare server and the open store."""

from collections.abc import Iterator
from functools import partial

from benchmarks import asking
from benchmarks.baselines import Bare, OpenStore
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import Serving, baseline, carekeep
from benchmarks.stage import OK, Stage
from carekeep.fhir import dump_json
from carekeep.web.http import Response

_GROUP = "read: GET Observation/id"
# As many bytes of headers as a real answer has.
_HEADERS = (
    (b"etag", b'W/"1"'),
    (b"last-modified", b"Mon, 01 Jun 2026 09:00:00 GMT"),
    (b"x-request-id", b"0" * 16),
    (b"x-ledger-entry", b"0" * 32),
)


def measure(stage: Stage) -> Iterator[Figure]:
    """At each number of connections, and what part of bare and open it is at the most favourable."""
    hospital, settings = stage.hospital, stage.hospital.settings
    reads = asking.reads(hospital, hospital.app)
    observations = hospital.sample.observations
    typical = sorted((dump_json(each) for each in observations), key=len)[len(observations) // 2]
    best: dict[str, float] = {}

    def figures(name: str, serving: Serving) -> Iterator[Figure]:
        for connections in stage.scale.connections:
            figure = rate(_GROUP, name, stage.run(serving, reads, connections, OK))
            best[name] = max(best.get(name, 0), figure.value)
            yield figure

    with baseline(settings, partial(Bare, Response(200, typical, headers=_HEADERS))) as serving:
        yield from figures("bare", serving)
    with baseline(settings, partial(OpenStore, stage.open_file, settings.fhir_url)) as serving:
        yield from figures("open", serving)
    with carekeep(hospital) as serving:
        yield from figures("Carekeep, an app", serving)
        clinicians = asking.reads(hospital, hospital.clinician)
        connections = stage.scale.connections[-1]
        yield rate(_GROUP, "Carekeep, a clinician in care", stage.run(serving, clinicians, connections, OK))
    secured = best["Carekeep, an app"]
    yield Figure(_GROUP, "Carekeep, best", secured, "/s", Goal(8000))
    yield Figure(_GROUP, "of bare, best to best", 100 * secured / best["bare"], "%", Goal(50))
    yield Figure(_GROUP, "of open, best to best", 100 * secured / best["open"], "%")

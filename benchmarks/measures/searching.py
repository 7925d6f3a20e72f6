"""Three searches; the third kind of asker is a clinician, whose searches look at their own patients only."""

from collections.abc import Iterator
from functools import partial

from benchmarks import asking
from benchmarks.baselines import OpenStore
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import baseline, carekeep
from benchmarks.stage import OK, Stage

_GROUP = "search"
_CONNECTIONS = 16
_GOAL = 1500
_P99_MS = 20


def measure(stage: Stage) -> Iterator[Figure]:
    """Open, Carekeep for an app, Carekeep for a clinician."""
    hospital, settings = stage.hospital, stage.hospital.settings
    searches = {
        "Observation?patient=&code=&date=ge": asking.by_patient_code_and_date(hospital),
        "Patient?family=": asking.by_family(hospital, hospital.app),
        "Patient?identifier=": asking.by_identifier(hospital),
    }
    with baseline(settings, partial(OpenStore, stage.open_file, settings.fhir_url)) as serving:
        for name, requests in searches.items():
            yield rate(_GROUP, f"open: {name}", stage.run(serving, requests, _CONNECTIONS, OK))
    with carekeep(hospital) as serving:
        for name, requests in searches.items():
            figure = rate(_GROUP, name, stage.run(serving, requests, _CONNECTIONS, OK), _GOAL)
            yield figure
            yield Figure(_GROUP, f"{name} p99", figure.p99_ms or 0.0, "ms", Goal(_P99_MS, at_most=True))
        own = asking.by_family(hospital, hospital.clinician)
        yield rate(_GROUP, "a clinician: Patient?family=", stage.run(serving, own, _CONNECTIONS, OK))

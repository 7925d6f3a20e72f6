"""The same questions to 1, 10 and 100 times the data, one at a time."""

import shutil
from collections.abc import Iterator

from benchmarks import asking, setting
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import carekeep, free_port
from benchmarks.stage import OK, Stage

_GROUP = "growth (one connection)"
_LIMIT = 1.3


def measure(stage: Stage) -> Iterator[Figure]:
    """Read, and two indexed searches, in a hospital of its own for each size."""
    first: dict[str, float] = {}
    for times in stage.scale.growth:
        home = stage.folder / f"growth-{times}"
        hospital = setting.build(home, stage.scale.growth_patients * times, free_port())
        count = hospital.sample.resources
        yield Figure(_GROUP, f"{times}x: import of {count:,}", count / hospital.loading_s, "resources/s")
        questions = {
            "read": asking.reads(hospital, hospital.app),
            "Observation?patient=&code=&date=ge": asking.by_patient_code_and_date(hospital),
            "Patient?identifier=": asking.by_identifier(hospital),
        }
        with carekeep(hospital) as serving:
            for name, requests in questions.items():
                figure = rate(_GROUP, f"{times}x: {name}", stage.run(serving, requests, 1, OK))
                yield figure
                p50 = figure.p50_ms or 0.0
                if name in first:
                    goal = Goal(_LIMIT, at_most=True)
                    yield Figure(_GROUP, f"{times}x: {name}, p50 to that of 1x", p50 / first[name], "x", goal)
                first.setdefault(name, p50)
        shutil.rmtree(home)

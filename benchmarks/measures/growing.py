"""The same questions to ever more data, one at a time."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks import asking, setting
from benchmarks.report import Figure, Goal, rate
from benchmarks.servers import carekeep, free_port
from benchmarks.setting import Hospital
from benchmarks.stage import OK, Stage

_Ask = Callable[[Hospital], dict[str, list[bytes]]]


def measure(stage: Stage) -> Iterator[Figure]:
    """Read, and two indexed searches, in hospitals of 1, 10 and 100 times the data."""
    patients = [stage.scale.growth_patients * times for times in stage.scale.growth]
    yield from _Growth(stage, "growth (one connection)", limit=1.3).figures(patients, _few)


def measure_millions(stage: Stage) -> Iterator[Figure]:
    """More questions, in a hospital of 20,000 resources and in one of two million."""
    yield from _Growth(stage, "millions (one connection)", limit=1.5).figures(stage.scale.millions, _more)


def _few(hospital: Hospital) -> dict[str, list[bytes]]:
    return {
        "read": asking.reads(hospital, hospital.app),
        "Observation?patient=&code=&date=ge": asking.by_patient_code_and_date(hospital),
        "Patient?identifier=": asking.by_identifier(hospital),
    }


def _more(hospital: Hospital) -> dict[str, list[bytes]]:
    return _few(hospital) | {
        "Observation?patient=": asking.of_patient(hospital),
        "Observation?code=": asking.by_code(hospital),
        "a clinician: Patient?family=": asking.by_family(hospital, hospital.clinician),
    }


@dataclass(frozen=True, slots=True)
class _Growth:
    """``limit``: how many times what it takes in the first hospital a question may take in the others."""

    stage: Stage
    group: str
    limit: float

    def figures(self, patients: Sequence[int], ask: _Ask) -> Iterator[Figure]:
        """One hospital after the other; each is thrown away when it has answered."""
        first: dict[str, Figure] = {}
        for number in patients:
            home = self.stage.folder / f"growth-{number}"
            hospital = setting.build(home, number, free_port())
            count = hospital.sample.resources
            size = f"{count:,}"
            yield Figure(self.group, f"{size}: import", count / hospital.loading_s, "resources/s")
            with carekeep(hospital) as serving:
                for name, requests in ask(hospital).items():
                    figure = rate(self.group, f"{size}: {name}", self.stage.run(serving, requests, 1, OK))
                    yield figure
                    if name in first:
                        yield from self._compared(f"{size}: {name}", figure, first[name])
                    first.setdefault(name, figure)
            shutil.rmtree(home)

    def _compared(self, name: str, figure: Figure, first: Figure) -> Iterator[Figure]:
        goal = Goal(self.limit, at_most=True)
        yield Figure(self.group, f"{name}, p50 to the first", (figure.p50_ms or 0) / (first.p50_ms or 1), "x", goal)
        yield Figure(self.group, f"{name}, CPU to the first", (figure.cpu_us or 0) / (first.cpu_us or 1), "x")

"""Reads while others try passwords: at another login each time, from another address each time, and always the same.

The two take turns with reads alone, so that each is compared with the machine as it was at that moment.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks import asking
from benchmarks.client import Task
from benchmarks.load import Result, WrongAnswers, generate, run
from benchmarks.report import Figure, Goal
from benchmarks.servers import Serving, carekeep
from benchmarks.setting import Hospital
from benchmarks.stage import OK, Stage

_GROUP = "reads during a flood of password sign-ins"
_READING = 64  # connections
_FLOODING = 32
_MOST_LOST = 10.0  # %
_REFUSED = frozenset({401, 429, 503})
_FRACTION = 4  # of the seconds of a measurement, for each phase
_TRIES = 20_000


@dataclass(frozen=True, slots=True)
class _Turn:
    """Reads alone and during the flood, in one round; and answers to the flood, a second."""

    alone: Result
    flooded: Result
    refused: float


def measure(stage: Stage) -> Iterator[Figure]:
    """What reads lose, for tries that must be checked, and for tries that the throttle refuses."""
    hospital = stage.hospital
    reads = asking.reads(hospital, hospital.app)
    floods = {"many logins": _many_logins(hospital), "one login": _one_login(hospital)}
    with carekeep(hospital) as serving:
        for name, flood in floods.items():
            turns = [_turn(stage, serving, reads, flood) for _ in range(stage.scale.rounds)]
            yield from _told(name, turns)


def _told(name: str, turns: Sequence[_Turn]) -> Iterator[Figure]:
    alone, flooded = ([getattr(turn, which) for turn in turns] for which in ("alone", "flooded"))
    for label, results in ((f"{name}: alone", alone), (f"{name}: flooded", flooded)):
        yield Figure(
            _GROUP,
            label,
            statistics.median(result.per_second for result in results),
            "/s",
            connections=_READING,
            p50_ms=statistics.median(result.p50_ms for result in results),
            p99_ms=statistics.median(result.p99_ms for result in results),
        )
    lost = statistics.median(100 * (1 - turn.flooded.per_second / turn.alone.per_second) for turn in turns)
    yield Figure(_GROUP, f"{name}: lost", lost, "%", Goal(_MOST_LOST, at_most=True))
    refused = statistics.median(turn.refused for turn in turns)
    yield Figure(_GROUP, f"{name}: sign-ins refused", refused, "/s", connections=_FLOODING)


def _turn(stage: Stage, serving: Serving, reads: Sequence[bytes], flood: Sequence[bytes]) -> _Turn:
    alone = generate(_task(stage, serving, reads, _READING), serving.client_cores, OK)
    with ThreadPoolExecutor(1) as beside:
        flooding = beside.submit(_flood, _task(stage, serving, flood, _FLOODING), serving.client_cores)
        flooded = generate(_task(stage, serving, reads, _READING), serving.client_cores, OK)
        return _Turn(alone, flooded, flooding.result())


def _flood(task: Task, cores: Collection[int]) -> float:
    """Answers a second, until the last of those under way has come."""
    begun = time.perf_counter()
    statuses: Counter[int] = sum((tally.statuses for tally in run(task, cores)), Counter())
    if not statuses.keys() <= _REFUSED:
        raise WrongAnswers(f"A try to sign in was answered otherwise than by a refusal: {dict(statuses)}.")
    return statuses.total() / (time.perf_counter() - begun)


def _task(stage: Stage, serving: Serving, requests: Sequence[bytes], connections: int) -> Task:
    scale = stage.scale
    return Task(
        serving.port, serving.certificate, tuple(requests), connections, scale.seconds / _FRACTION, scale.warmup_s
    )


def _many_logins(hospital: Hospital) -> list[bytes]:
    return [_try(hospital, f"nobody-{number}", f"2001:db8:{number:x}::1") for number in range(_TRIES)]


def _one_login(hospital: Hospital) -> list[bytes]:
    return [_try(hospital, "physician", "192.0.2.7")]


def _try(hospital: Hospital, login: str, address: str) -> bytes:
    """A wrong password, through the front that tells the address."""
    body = json.dumps({"login": login, "password": "not the password at all"}).encode()
    front = hospital.settings.front_secret_file.read_text("ascii").strip()
    lines = [
        "POST /auth/sign-in HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"x-carekeep-front: {front}",
        f"x-forwarded-for: {address}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

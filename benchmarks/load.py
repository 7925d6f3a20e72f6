"""Load from processes of its own, pinned to the cores that the server does not have."""

import math
import multiprocessing
import os
from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

from benchmarks.client import Tally, Task, drive

_MOST_PROCESSES = 4
_STARTING_S = 60.0
_fork = multiprocessing.get_context("fork")


class WrongAnswers(Exception):
    """The server answered with other statuses than the measurement needs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. Latencies in milliseconds; ``client_busy``: 1.0 means that the clients could not do more.

    ``answers`` counts those of the warm-up too, ``count`` does not.
    """

    answers: int
    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    client_busy: float
    connections: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.count / self.seconds


def generate(task: Task, cores: Collection[int], expected: Collection[int]) -> Result:
    """Run ``task`` and say what came of it; see ``run``.

    Raises WrongAnswers for any status that is not ``expected``, and when there was no answer at all.
    """
    return _result(task, run(task, cores), expected)


def run(task: Task, cores: Collection[int]) -> list[Tally]:
    """Run ``task`` from one process for each core (at most 4, and no more than connections); blocks until it is over.

    Raises what the clients raise as RuntimeError.
    """
    count = min(len(cores), _MOST_PROCESSES, task.connections)
    pipes, processes = [], []
    for number, core in zip(range(count), sorted(cores), strict=False):
        share = task.connections // count + (number < task.connections % count)
        part = replace(task, connections=share, requests=_turned(task, number, count))
        receiving, sending = _fork.Pipe(duplex=False)
        process = _fork.Process(target=_run, args=(part, core, sending), daemon=True)
        process.start()
        sending.close()
        pipes.append(receiving)
        processes.append(process)
    tallies = [_received(pipe, task.warmup_s + task.seconds + _STARTING_S) for pipe in pipes]
    for process in processes:
        process.join()
    return tallies


def _turned(task: Task, number: int, count: int) -> tuple[bytes, ...]:
    """Each process its own part of the requests, or, going round, the same from another place on."""
    if not task.cycle:
        return task.requests[number::count]
    start = number * len(task.requests) // count
    return task.requests[start:] + task.requests[:start]


def _run(task: Task, core: int, sending: Connection) -> None:
    os.sched_setaffinity(0, {core})
    try:
        tally = drive(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other end shall say it
        sending.send(f"{type(error).__name__}: {error}")
        return
    sending.send((tally.latencies.tobytes(), dict(tally.statuses), tally.seconds, tally.busy, tally.received))


def _received(pipe: Connection, patience_s: float) -> Tally:
    if not pipe.poll(patience_s):
        raise RuntimeError("A client process did not come to an end.")
    told = pipe.recv()
    if isinstance(told, str):
        raise RuntimeError(f"A client process failed: {told}")  # noqa: TRY004 - it is what the process said
    latencies, statuses, seconds, busy, received = told
    values = array("d")
    values.frombytes(latencies)
    return Tally(values, Counter(statuses), seconds, busy, received)


def _result(task: Task, tallies: list[Tally], expected: Collection[int]) -> Result:
    statuses: Counter[int] = sum((tally.statuses for tally in tallies), Counter())
    wrong = {status: count for status, count in statuses.items() if status not in expected}
    if wrong:
        raise WrongAnswers(f"Answers with other statuses than {sorted(expected)}: {wrong}.")
    latencies = sorted(value for tally in tallies for value in tally.latencies)
    if not latencies:
        raise WrongAnswers("Not one answer came in the time that was measured.")
    return Result(
        answers=statuses.total(),
        count=len(latencies),
        seconds=max(tally.seconds for tally in tallies),
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        client_busy=max(tally.busy for tally in tallies),
        connections=task.connections,
    )


def percentile(ordered: list[float], part: float) -> float:
    """The smallest of the ordered values that at least ``part`` of them do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]

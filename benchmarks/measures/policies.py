"""Decisions alone, in one process and on one core: asked again, and asked for the first time.

No request, no relations, no ledger: what the policies themselves take. "In other circumstances" is what nothing at all
was remembered of; another person in the same circumstances is alike to policies that name nobody.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.report import Figure, Goal
from benchmarks.stage import Stage
from carekeep.access import AccessRequest, Action, Decider, Purpose, Relation, Target
from carekeep.identity import Kind, Principal

_GROUP = "decisions alone (processor time of one core)"
_REPEATED, _NEW = 200_000, 4_500
_QUARTER_MS = 15 * 60 * 1000
_TRUSTED = Principal(
    account_id="00" * 16,
    kind=Kind.PRACTITIONER,
    name="A clinician",
    fhir_user="Practitioner/1",
    session="",
    assurance=2,
    authenticated_ms=0,
    app=None,
    grants=frozenset(),
)


def measure(stage: Stage) -> Iterator[Figure]:
    """Decisions a second, permitted and denied."""
    del stage
    decider = Decider.load()
    for name, relations in (("permitted", frozenset({Relation.CARE_TEAM})), ("denied", frozenset[Relation]())):
        asked = _request(relations)
        people = (replace(asked, principal=replace(_TRUSTED, account_id=f"{n:032x}")) for n in range(_NEW))
        later = (replace(asked, risk=n % 50, now_ms=n // 50 * _QUARTER_MS) for n in range(_NEW))
        yield _figure(f"{name}, asked again", _per_second(decider, [asked] * _REPEATED), 100_000)
        yield _figure(f"{name}, by another person", _per_second(decider, list(people)), 10_000)
        yield _figure(f"{name}, in other circumstances", _per_second(decider, list(later)), 10_000)


def _request(relations: frozenset[Relation]) -> AccessRequest:
    target = Target("Observation", ("p1",))
    return AccessRequest(
        _TRUSTED, Action.READ, target, Purpose.TREAT, relations, break_glass=False, now_ms=0, risk=0, zone="inside"
    )


def _figure(name: str, per_second: float, goal: float) -> Figure:
    return Figure(_GROUP, name, per_second, "/s", Goal(goal))


def _per_second(decider: Decider, requests: Sequence[AccessRequest]) -> float:
    begun = time.thread_time_ns()
    for request in requests:
        decider.decide(request)
    return len(requests) / ((time.thread_time_ns() - begun) / 1e9)

"""What a denial asks of the person: never more than is needed, and nothing where nothing would help."""

from dataclasses import replace

import pytest
from hypothesis import given

from carekeep.access import AccessRequest, Action, Decision, Purpose, Relation, StepUp, Target
from carekeep.access.step_up import together
from tests.access.people import ADMINISTRATOR, DECIDER, PATIENT, PRACTITIONER, SYSTEM, ask
from tests.access.requests import requests
from tests.access.test_guard import CARE, guard

MINUTE_MS, SECOND_MS = 60_000, 1_000
READ = ask(PRACTITIONER, Action.READ, relations=[Relation.CARE_TEAM])
MANAGE = ask(ADMINISTRATOR, Action.ACCOUNT_MANAGE, Target())
DESTROY = replace(MANAGE, action=Action.KEY_DESTROY)
EXPORT = ask(PATIENT, Action.PATIENT_EXPORT, Target("Patient", ("p1",)), Purpose.PATRQT, [Relation.SELF])


def old(request: AccessRequest, minutes: int) -> AccessRequest:
    return replace(request, now_ms=minutes * MINUTE_MS)


def sure(request: AccessRequest, assurance: int) -> AccessRequest:
    principal = request.principal
    assert not isinstance(principal, type)
    return replace(request, principal=replace(principal, assurance=assurance))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("request_", "enough"),
    [
        (replace(READ, zone="outside"), StepUp(2, None)),
        (replace(EXPORT, zone="outside"), StepUp(2, None)),
        (replace(READ, risk=50), StepUp(2, None)),
        (old(replace(READ, risk=50), 60), StepUp(2, 900)),
        (sure(MANAGE, 1), StepUp(2, None)),
        (old(MANAGE, 60), StepUp(2, 3600)),
        (old(sure(MANAGE, 1), 60), StepUp(2, 3600)),
        (old(sure(MANAGE, 3), 60), StepUp(3, 3600)),
        (old(DESTROY, 15), StepUp(2, 900)),
        (replace(READ, risk=80), None),
        (ask(PRACTITIONER, Action.READ), None),
        (ask(ADMINISTRATOR, Action.READ), None),
        (replace(ask(SYSTEM, Action.READ, purpose=Purpose.HOPERAT), risk=50), None),
    ],
)
def test_what_is_enough(request_: AccessRequest, enough: StepUp | None) -> None:
    decision = DECIDER.decide(request_)
    assert not decision.permitted
    assert decision.step_up == enough


def after(request: AccessRequest, enough: StepUp) -> AccessRequest:
    """The same request after a sign-in that is just enough."""
    request = sure(request, enough.assurance)
    if enough.max_age_s is None:
        return request
    since = request.now_ms - enough.max_age_s * SECOND_MS + 1
    return replace(request, principal=replace(request.principal, authenticated_ms=since))  # type: ignore[type-var]


@given(requests())
def test_what_is_promised_is_kept_and_is_the_least(request: AccessRequest) -> None:
    decision = DECIDER.decide(request)
    enough = decision.step_up
    if enough is None:
        # Nothing that the person could do about the sign-in would help, unless nobody is there to do it.
        best = after(request, StepUp(3, 900))
        assert decision.permitted or request.principal.kind == "app" or not DECIDER.decide(best).permitted
        return
    assert not decision.permitted
    assert DECIDER.decide(after(request, enough)).permitted
    if enough.assurance > request.principal.assurance:
        weaker = replace(enough, assurance=enough.assurance - 1, max_age_s=900)
        assert not DECIDER.decide(after(request, weaker)).permitted


@pytest.mark.parametrize(
    ("steps", "enough"),
    [
        ([StepUp(2, None)], StepUp(2, None)),
        ([StepUp(2, None), StepUp(1, 900), StepUp(1, 3600)], StepUp(2, 900)),
        ([StepUp(2, None), None], None),
        ([], None),
    ],
)
def test_what_is_enough_for_all(steps: list[StepUp | None], enough: StepUp | None) -> None:
    assert together(steps) == enough


async def decided(action: Action, relations: dict[str, frozenset[Relation]], patients: tuple[str, ...]) -> Decision:
    """For a clinician with one factor only, from outside, on an enrolled device."""
    target = Target("Appointment", patients)
    return await guard(relations).decide(PRACTITIONER, action, target, Purpose.TREAT, "198.51.100.7")


async def test_a_record_of_two_patients_asks_only_for_what_would_help() -> None:
    """To read, a relation to one of them is enough, so signing in again would do; to write it takes both."""
    one = {"p2": CARE}
    assert (await decided(Action.READ, one, ("p1", "p2"))).step_up == StepUp(2, None)
    assert (await decided(Action.READ, one, ("p2", "p1"))).step_up == StepUp(2, None)
    assert (await decided(Action.UPDATE, one, ("p1", "p2"))).step_up is None
    assert (await decided(Action.UPDATE, one, ("p2", "p1"))).step_up is None

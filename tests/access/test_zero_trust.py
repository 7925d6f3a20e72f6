"""The seven tenets of NIST SP 800-207: one request that is permitted, and each thing that it depends on changed alone.

docs/zero-trust.md names the tests of each tenet.
"""

import itertools
from dataclasses import dataclass, replace

import pytest

from carekeep.access import AccessRequest, Action, Decision, Guard, Purpose, Relation, Target, Zones
from carekeep.access.decision import visible
from carekeep.access.vocabulary import DeviceTrust
from carekeep.identity import Delegation, DeviceStanding
from tests.access.people import DECIDER, INSIDE, OUTSIDE, PRACTITIONER, Person, ask
from tests.access.test_guard import CARE, Opened, Related

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
NOW_MS = 1_000 * HOUR_MS
EVERYWHERE = Zones()
RECORD = Target("Observation", ("p1",))
HEALTHY = DeviceStanding("0d" * 16, managed=True, failing=False, healthy_until_ms=NOW_MS + HOUR_MS)
CLINICIAN = replace(PRACTITIONER, assurance=2, authenticated_ms=NOW_MS - 30 * MINUTE_MS, device=HEALTHY)


@dataclass(frozen=True)
class Known:
    """A risk that was found out."""

    risk: int

    def of(self, principal: object, address: str | None) -> int:
        del principal, address
        return self.risk


@dataclass(frozen=True)
class Situation:
    """Everything that a decision is made of: by itself, it is permitted."""

    person: Person = CLINICIAN
    action: Action = Action.UPDATE
    target: Target = RECORD
    purpose: Purpose = Purpose.TREAT
    address: str | None = OUTSIDE
    risk: int = 0
    relations: frozenset[Relation] = CARE
    now_ms: int = NOW_MS
    zones: Zones = EVERYWHERE

    async def decide(self) -> Decision:
        guard = Guard(
            DECIDER,
            Related({"p1": self.relations}),
            Opened(frozenset()),
            lambda: self.now_ms,
            zones=self.zones,
            risk=Known(self.risk),
        )
        return await guard.decide(self.person, self.action, self.target, self.purpose, self.address)


GOOD = Situation()
ADMINISTRATION = replace(
    GOOD,
    person=replace(CLINICIAN, kind="administrator", fhir_user=None),
    action=Action.ACCOUNT_MANAGE,
    target=Target(),
    purpose=Purpose.HSYSADMIN,
)


def with_person(situation: Situation, **changed: object) -> Situation:
    return replace(situation, person=replace(situation.person, **changed))  # type: ignore[arg-type]


def through_app(scopes: str, patient: str = "p1") -> Situation:
    return with_person(GOOD, app="An app", delegation=Delegation("c", "An app", scopes, patient))


VISITORS = Zones.read({"outside": ["10.1.0.0/16"]})
FAILING = replace(HEALTHY, failing=True)
FLIPPED = {
    "device: it fails a check": (GOOD, with_person(GOOD, device=FAILING), "device.failing"),
    "device: it is not known": (GOOD, with_person(GOOD, device=None), "outside.unknown-device"),
    "risk: it is high": (GOOD, replace(GOOD, risk=80), "risk.high"),
    "risk: it is raised": (GOOD, replace(GOOD, risk=50), "risk.raised"),
    "assurance: one factor": (GOOD, with_person(GOOD, assurance=1), "outside.needs-second-factor"),
    "network: from outside": (
        with_person(replace(GOOD, address=INSIDE), assurance=1),
        with_person(GOOD, assurance=1),
        "outside.needs-second-factor",
    ),
    "network: from the part that is for visitors": (
        with_person(replace(GOOD, address=INSIDE), device=None),
        with_person(replace(GOOD, address=INSIDE, zones=VISITORS), device=None),
        "outside.unknown-device",
    ),
    "network: it is not known": (
        with_person(replace(GOOD, address=INSIDE), device=None),
        with_person(replace(GOOD, address=None), device=None),
        "outside.unknown-device",
    ),
    "relation: the care has ended": (GOOD, replace(GOOD, relations=frozenset()), None),
    "purpose: not to treat": (GOOD, replace(GOOD, purpose=Purpose.HRESCH), None),
    "employment: not a clinician any more": (GOOD, with_person(GOOD, kind="auditor"), "auditor.no-records"),
    "employment: an account that nothing is known of": (GOOD, with_person(GOOD, kind="robot"), None),
    "scope: an app that was to read": (through_app("patient/*.cruds"), through_app("patient/*.rs"), "scope"),
    "scope: an app that was started for somebody else": (
        through_app("patient/*.cruds"),
        through_app("patient/*.cruds", "p2"),
        "scope",
    ),
    "age of proof: administration after an hour": (
        ADMINISTRATION,
        replace(ADMINISTRATION, now_ms=NOW_MS + 30 * MINUTE_MS),
        "administration.needs-fresh-sign-in",
    ),
    "assurance: administration with one factor": (
        replace(ADMINISTRATION, address=INSIDE),
        with_person(replace(ADMINISTRATION, address=INSIDE), assurance=1),
        "administration.needs-fresh-sign-in",
    ),
    "device: administration from one that is not known": (
        ADMINISTRATION,
        with_person(ADMINISTRATION, device=None),
        "outside.unknown-device",
    ),
}


@pytest.mark.parametrize(("before", "after", "policy"), FLIPPED.values(), ids=FLIPPED)
async def test_each_input_alone_turns_permission_into_denial(
    before: Situation, after: Situation, policy: str | None
) -> None:
    assert (await before.decide()).permitted
    decision = await after.decide()
    assert not decision.permitted
    assert decision.reason.startswith("Denied: ")
    assert (policy in decision.policies) if policy else not decision.policies


async def test_less_is_left_not_nothing() -> None:
    """From outside on a device that nobody knows, a clinician still reads; what is taken away is writing."""
    unknown = with_person(GOOD, device=None)
    left = [action for action in Action if (await replace(unknown, action=action).decide()).permitted]
    assert {Action.READ, Action.SESSION, Action.SIGN_OUT} <= set(left)
    assert set(left).isdisjoint({Action.HISTORY, Action.CREATE, Action.UPDATE, Action.DELETE, Action.BULK_EXPORT})


async def test_a_report_counts_until_it_is_too_old() -> None:
    """The same session on the same device, an hour later: it is a device that is known, and healthy no more."""
    seen = [
        replace(ask(CLINICIAN, Action.READ, relations=CARE), now_ms=now)
        for now in (HEALTHY.healthy_until_ms - 1, HEALTHY.healthy_until_ms)
    ]
    assert [visible(request).device for request in seen] == [DeviceTrust.MANAGED, DeviceTrust.KNOWN]


ASSURANCES, AGES_MINUTES, RISKS = (1, 2, 3), (0, 30, 60, 24 * 60), (0, 49, 50, 79, 80, 100)
ZONES = ("inside", "ward", "outside")
DEVICES = (
    None,
    HEALTHY,
    FAILING,
    replace(HEALTHY, managed=False),
    replace(HEALTHY, healthy_until_ms=0),
    replace(FAILING, healthy_until_ms=0),
)


def every_situation(action: Action, target: Target, *, break_glass: bool) -> list[AccessRequest]:
    """A known clinician in an emergency, with every combination of all that is not the clinician."""
    return [
        AccessRequest(
            replace(PRACTITIONER, assurance=assurance, authenticated_ms=NOW_MS - age * MINUTE_MS, device=device),
            action,
            target,
            Purpose.ETREAT,
            frozenset(),
            break_glass,
            NOW_MS,
            risk,
            zone,
        )
        for assurance, age, risk, zone, device in itertools.product(ASSURANCES, AGES_MINUTES, RISKS, ZONES, DEVICES)
    ]


@pytest.mark.parametrize(
    ("action", "target"),
    [(Action.BREAK_GLASS, Target("Patient", ("p1",))), (Action.FIND_IN_EMERGENCY, Target("Patient"))],
)
def test_care_never_waits(action: Action, target: Target) -> None:
    """Emergency access is opened, and a stranger found, in every combination of device, network, sign-in and risk."""
    asked = every_situation(action, target, break_glass=False)
    assert len(asked) == len(ASSURANCES) * len(AGES_MINUTES) * len(RISKS) * len(ZONES) * len(DEVICES)
    assert all(DECIDER.decide(request).permitted for request in asked)


@pytest.mark.parametrize(
    ("action", "target"),
    [
        (Action.SEARCH, Target("Observation")),
        (Action.READ, RECORD),
        (Action.VREAD, RECORD),
        (Action.HISTORY, RECORD),
        (Action.CREATE, RECORD),
    ],
)
def test_an_emergency_that_is_open_is_of_use(action: Action, target: Target) -> None:
    asked = every_situation(action, target, break_glass=action is not Action.SEARCH)
    assert all(DECIDER.decide(request).permitted for request in asked)


def test_whoever_may_ask_sees_and_ends_their_own_session() -> None:
    """A person whom everything speaks against can still sign out."""
    for kind, action in itertools.product(
        ("practitioner", "patient", "administrator", "auditor"), (Action.SESSION, Action.SIGN_OUT)
    ):
        for request in every_situation(action, Target(), break_glass=False):
            person = replace(PRACTITIONER, kind=kind, assurance=1, device=request.principal.device)
            assert DECIDER.decide(replace(request, principal=person)).permitted

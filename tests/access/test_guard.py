"""The guard: looks up what holds towards each patient of a record, and never mixes two patients up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from carekeep.access import Action, BreakGlass, Guard, Purpose, Relation, Relationships, Target, owner_label
from tests.access.people import DECIDER, INSIDE, PATIENT, PRACTITIONER, SYSTEM, VERY_RESTRICTED, Person

CARE = frozenset({Relation.CARE_TEAM})
MET = frozenset({Relation.ENCOUNTER})
BOTH = Target("Appointment", ("p1", "p2"))
PERMITTED = True
DENIED = False


@dataclass
class Related(Relationships):
    """Relations as a table."""

    table: Mapping[str, frozenset[Relation]]
    asked: list[str] = field(default_factory=list)

    async def between(self, principal: Person, patient_id: str) -> frozenset[Relation]:  # type: ignore[override]
        assert principal.kind in {"practitioner", "patient"}
        self.asked.append(patient_id)
        return self.table.get(patient_id, frozenset())


@dataclass
class Opened(BreakGlass):
    """Emergencies as a set of patients."""

    patients: frozenset[str]

    async def is_open(self, principal: Person, patient_id: str, _type: str) -> str | None:  # type: ignore[override]
        assert principal.kind == "practitioner"
        return patient_id if patient_id in self.patients else None


def guard(table: Mapping[str, frozenset[Relation]], *emergencies: str) -> Guard:
    return Guard(DECIDER, Related(table), Opened(frozenset(emergencies)), lambda: 0)


# Relations to patients, open emergencies, the action on a record of p1 and p2, the purpose, and the verdict.
SHARED_BY_TWO = [
    ({"p1": CARE}, (), Action.READ, Purpose.TREAT, PERMITTED),
    ({"p2": CARE}, (), Action.READ, Purpose.TREAT, PERMITTED),
    ({}, (), Action.READ, Purpose.TREAT, DENIED),
    ({"p1": CARE}, (), Action.UPDATE, Purpose.TREAT, DENIED),
    ({"p2": CARE}, (), Action.CREATE, Purpose.TREAT, DENIED),
    ({"p1": CARE, "p2": MET}, (), Action.CREATE, Purpose.TREAT, PERMITTED),
    ({"p1": CARE, "p2": MET}, (), Action.DELETE, Purpose.TREAT, DENIED),
    ({"p1": CARE, "p2": CARE}, (), Action.DELETE, Purpose.TREAT, PERMITTED),
    ({}, ("p2",), Action.READ, Purpose.ETREAT, PERMITTED),
    ({}, ("p2",), Action.READ, Purpose.TREAT, DENIED),
    ({}, ("p3",), Action.READ, Purpose.ETREAT, DENIED),
    ({"p1": CARE}, ("p2",), Action.CREATE, Purpose.ETREAT, DENIED),
    ({"p1": CARE}, ("p2",), Action.UPDATE, Purpose.ETREAT, DENIED),
]


@pytest.mark.parametrize(("table", "emergencies", "action", "purpose", "permitted"), SHARED_BY_TWO)
async def test_a_record_of_two_patients(
    table: Mapping[str, frozenset[Relation]],
    emergencies: tuple[str, ...],
    action: Action,
    purpose: Purpose,
    permitted: bool,
) -> None:
    decision = await guard(table, *emergencies).decide(PRACTITIONER, action, BOTH, purpose, INSIDE)
    assert decision.permitted == permitted


async def test_a_label_is_not_lifted_by_a_relation_to_somebody_else() -> None:
    """On p1's care team, met p2: an update needs each, and p2's very restricted record is not for who only met p2."""
    restricted = Target("Appointment", ("p1", "p2"), (VERY_RESTRICTED,))
    decision = await guard({"p1": CARE, "p2": MET}).decide(
        PRACTITIONER, Action.UPDATE, restricted, Purpose.TREAT, INSIDE
    )
    assert decision.policies == ("label.very-restricted",)


async def test_a_patient_reads_what_is_in_their_compartment_too() -> None:
    own = guard({"p1": frozenset({Relation.SELF})})
    assert (await own.decide(PATIENT, Action.READ, BOTH, Purpose.PATRQT, INSIDE)).permitted
    assert not (
        await own.decide(PATIENT, Action.READ, Target("Observation", ("p2",)), Purpose.PATRQT, INSIDE)
    ).permitted


async def test_who_has_no_relations_is_asked_for_none() -> None:
    related = Related({})
    asked = Guard(DECIDER, related, Opened(frozenset()), lambda: 0)
    assert (await asked.decide(SYSTEM, Action.UPDATE, BOTH, Purpose.HOPERAT, INSIDE)).permitted
    assert (await asked.decide(PRACTITIONER, Action.SEARCH, BOTH, Purpose.TREAT, INSIDE)).permitted
    assert (await asked.decide(PRACTITIONER, Action.READ, Target("Medication"), Purpose.TREAT, INSIDE)).permitted
    assert related.asked == []


async def test_every_policy_that_let_a_change_through_is_named() -> None:
    decision = await guard({"p1": CARE}, "p2").decide(
        PRACTITIONER, Action.CREATE, Target("Flag", ("p1", "p2")), Purpose.ETREAT, INSIDE
    )
    assert decision.policies == ("care.write", "emergency.care")


async def test_what_is_kept_for_an_account_is_its_owners() -> None:
    mine, somebodys = (
        Target("Subscription", (), (owner_label(name),)) for name in (PRACTITIONER.account_id, "ff" * 16)
    )
    for action in (Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE):
        assert (await guard({}).decide(PRACTITIONER, action, mine, Purpose.TREAT, INSIDE)).permitted
        assert not (await guard({}).decide(PRACTITIONER, action, somebodys, Purpose.TREAT, INSIDE)).permitted
    assert (await guard({}).decide(SYSTEM, Action.DELETE, somebodys, Purpose.HOPERAT, INSIDE)).permitted
    redirecting = await guard({}).decide(SYSTEM, Action.UPDATE, somebodys, Purpose.HOPERAT, INSIDE)
    assert redirecting.policies == ("subscription.owner-changes",)


async def test_an_owners_label_opens_nothing_else() -> None:
    label = (owner_label(PRACTITIONER.account_id),)
    for target in (
        Target("Group", (), label),
        Target("Observation", ("p1",), label),
        Target("Subscription", ("p1",), label),
    ):
        assert not (await guard({}).decide(PRACTITIONER, Action.READ, target, Purpose.TREAT, INSIDE)).permitted

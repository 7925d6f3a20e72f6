"""Consents in the guard: what they open and close by the policies, for whom they count, and what is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from carekeep.access import Action, BreakGlass, Decision, Guard, Purpose, Relation, Relationships, Target
from carekeep.access.consents import Consents, Delegates, Implicit
from carekeep.access.rights import ANYTHING, Proposed
from carekeep.records import NotFound, Stored
from tests.access.consents.writing import CONSENTS, consent
from tests.access.people import APP, DECIDER, INSIDE, PATIENT, PRACTITIONER, SYSTEM, Person

GP = replace(PRACTITIONER, fhir_user="Practitioner/gp")
UNKNOWN = replace(PRACTITIONER, fhir_user=None)
CARE = {"p1": frozenset({Relation.CARE_TEAM})}
NOBODY: dict[str, frozenset[Relation]] = {}
PULSE = Target("Observation", ("p1",), (), Proposed({"resourceType": "Observation", "id": "pulse"}))


@dataclass
class Records:
    """A records room that holds consents by patient, and counts what it is asked."""

    consents: Mapping[str, Sequence[dict[str, Any]]]
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    async def find(self, type_: str, query: Sequence[tuple[str, str]], patient: str | None) -> list[dict[str, Any]]:
        assert query
        self.asked.append((type_, patient))
        if type_ == "PractitionerRole":
            role = {"resourceType": type_, "id": "gp-role", "practitioner": {"reference": "Practitioner/gp"}}
            return [role] if patient is None else []
        return list(self.consents.get(patient or "", ())) if type_ == "Consent" else []

    async def care_records(self, references: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        assert references
        return {}

    async def read(self, type_: str, id_: str) -> Stored:
        raise NotFound(f"There is no {type_}/{id_}.")


class Related(Relationships):
    """Relations as a table; names as they are."""

    def __init__(self, records: Records, table: Mapping[str, frozenset[Relation]]) -> None:
        super().__init__(records, lambda: 0)
        self.table = table

    async def between(self, principal: Person, patient_id: str) -> frozenset[Relation]:  # type: ignore[override]
        assert principal.kind != "app"
        return self.table.get(patient_id, frozenset())


@dataclass
class Opened(BreakGlass):
    """Emergencies as a set of patients."""

    patients: frozenset[str]

    async def is_open(self, principal: Person, patient_id: str, type_: str = "") -> str | None:  # type: ignore[override]
        assert (principal.kind, type_) == ("practitioner", PULSE.type)
        return patient_id if patient_id in self.patients else None


def texts(*names: str, patient: str = "p1") -> list[dict[str, Any]]:
    return [consent(CONSENTS[name], name, patient) for name in names]


def guard(
    records: Records,
    table: Mapping[str, frozenset[Relation]],
    *emergencies: str,
    implicit: Implicit = Implicit.ALL_NORMAL,
) -> Guard:
    book = Consents(records, lambda: 0, implicit)
    return Guard(DECIDER, Related(records, table), Opened(frozenset(emergencies)), lambda: 0, consents=book)


async def decide(
    who: Person,
    action: Action,
    purpose: Purpose,
    *names: str,
    table: Mapping[str, frozenset[Relation]] = NOBODY,
    emergencies: Sequence[str] = (),
    implicit: Implicit = Implicit.ALL_NORMAL,
) -> Decision:
    asked = guard(Records({"p1": texts(*names)}), table, *emergencies, implicit=implicit)
    return await asked.decide(who, action, PULSE, purpose, INSIDE)


READ, UPDATE, CREATE = Action.READ, Action.UPDATE, Action.CREATE
TREAT, ETREAT, HRESCH = Purpose.TREAT, Purpose.ETREAT, Purpose.HRESCH
# Who, towards p1 related how, does what, what for, with which consents; the verdict, and the policy that made it.
DECISIONS: list[tuple[Person, Mapping[str, frozenset[Relation]], Action, Purpose, tuple[str, ...], bool, str]] = [
    (GP, CARE, READ, TREAT, (), True, "care.read"),
    (GP, CARE, READ, TREAT, ("deny-gp",), False, "consent.deny"),
    (GP, CARE, Action.HISTORY, TREAT, ("deny-gp",), False, "consent.deny"),
    (GP, CARE, UPDATE, TREAT, ("deny-gp",), False, "consent.deny"),
    (GP, CARE, Action.DELETE, TREAT, ("deny-gp",), False, "consent.deny"),
    (GP, CARE, CREATE, TREAT, ("deny-gp",), True, "care.write"),
    (PRACTITIONER, CARE, READ, TREAT, ("deny-gp",), True, "care.read"),
    (GP, NOBODY, READ, TREAT, ("deny-gp",), False, ""),
    (GP, NOBODY, READ, TREAT, ("permit-gp",), True, "consent.named"),
    (GP, NOBODY, READ, TREAT, ("permit-everybody",), False, ""),
    (GP, NOBODY, UPDATE, TREAT, ("permit-gp",), False, ""),
    (GP, NOBODY, CREATE, TREAT, ("permit-gp",), False, ""),
    (GP, NOBODY, READ, Purpose.HOPERAT, ("permit-gp",), False, ""),
    (UNKNOWN, NOBODY, READ, TREAT, ("permit-everybody",), False, ""),
    (GP, NOBODY, READ, HRESCH, ("permit-gp",), False, ""),
    (GP, NOBODY, READ, HRESCH, ("research",), True, "consent.research"),
    (SYSTEM, NOBODY, READ, HRESCH, ("research",), True, "consent.research"),
    (SYSTEM, NOBODY, READ, HRESCH, ("research", "deny-research"), False, ""),
    (APP, NOBODY, READ, HRESCH, ("research",), False, ""),
    (SYSTEM, NOBODY, READ, Purpose.HPAYMT, ("deny-payment",), False, "consent.deny"),
    (SYSTEM, NOBODY, READ, Purpose.PUBHLTH, ("deny-all",), True, "system.records"),
    (SYSTEM, NOBODY, UPDATE, Purpose.HOPERAT, ("deny-all",), True, "system.records"),
    (PATIENT, {"p1": frozenset({Relation.SELF})}, READ, Purpose.PATRQT, ("deny-all",), True, "own.read"),
]


@pytest.mark.parametrize(("who", "table", "action", "purpose", "names", "permitted", "policy"), DECISIONS)
async def test_what_consents_make_of_a_request(
    who: Person,
    table: Mapping[str, frozenset[Relation]],
    action: Action,
    purpose: Purpose,
    names: tuple[str, ...],
    permitted: bool,
    policy: str,
) -> None:
    decision = await decide(who, action, purpose, *names, table=table)
    assert (decision.permitted, decision.policies) == (permitted, (policy,) if policy else ())
    decided = policy.startswith("consent.") or purpose is Purpose.PUBHLTH  # which passes a denial, and names it
    assert decision.consents == (tuple(f"Consent/{name}" for name in names) if decided else ())


async def test_a_stranger_is_not_told_that_there_is_a_consent() -> None:
    with_it, without = [await decide(GP, READ, TREAT, *names) for names in (("deny-gp",), ())]
    assert with_it == without


async def test_an_emergency_passes_every_denial_and_says_which() -> None:
    for implicit in Implicit:
        decision = await decide(GP, READ, ETREAT, "deny-gp", emergencies=["p1"], implicit=implicit)
        assert decision.permitted
        assert decision.consents == ("Consent/deny-gp",)
        assert (await decide(GP, READ, ETREAT, emergencies=["p1"], implicit=implicit)).permitted
    assert not (await decide(GP, READ, TREAT, "deny-gp", emergencies=["p1"], table=CARE)).permitted


# What holds without a consent (IHE PCF, Implicit Option), for care, payment, and with a consent to both.
IMPLICIT = [
    (Implicit.ALL_NORMAL, True, True),
    (Implicit.BASIC_NORMAL, True, False),
    (Implicit.BREAK_GLASS_ONLY, False, False),
    (Implicit.DENY, False, False),
]


@pytest.mark.parametrize(("implicit", "care", "payment"), IMPLICIT)
async def test_what_holds_without_a_consent(implicit: Implicit, care: bool, payment: bool) -> None:
    for who, table, purpose, expected in (
        (GP, CARE, TREAT, care),
        (SYSTEM, NOBODY, Purpose.HPAYMT, payment),
    ):
        assert (await decide(who, READ, purpose, table=table, implicit=implicit)).permitted == expected
        agreed = await decide(who, READ, purpose, "pcf-basic-treat", table=table, implicit=implicit)
        assert agreed.permitted
    own = {"p1": frozenset({Relation.SELF})}
    assert (await decide(PATIENT, READ, Purpose.PATRQT, table=own, implicit=implicit)).permitted


async def test_consents_are_looked_up_once_and_anew_when_they_change() -> None:
    records = Records({"p1": texts("deny-gp")})
    asked = guard(records, CARE)
    for _ in range(3):
        await asked.decide(GP, READ, PULSE, TREAT, INSIDE)
    assert records.asked.count(("Consent", "p1")) == 1
    book = Consents(records, lambda: 0)
    await book.of("p1")
    records.consents = {}
    assert len(await book.of("p1")) == 1
    book.forget_cached()
    assert await book.of("p1") == ()


async def test_content_counts_only_where_a_consent_asks_for_it_or_none_is_known() -> None:
    book = Consents(Records({"p1": texts("deny-gp"), "p2": texts("pcf-timeframe", patient="p2")}), lambda: 0)
    assert book.need_content(["p1"]), "not known yet"
    await book.of("p1")
    await book.of("p2")
    assert [book.need_content(patients) for patients in ([], ["p1"], ["p2"], ["p1", "p2"])] == [
        False,
        False,
        True,
        True,
    ]


async def test_somebody_elses_consent_says_nothing_here() -> None:
    book = Consents(Records({"p1": texts("deny-all", patient="p2")}), lambda: 0)
    assert await book.of("p1") == ()


async def test_a_stored_consent_that_cannot_be_read_lets_nobody_in() -> None:
    old = consent("permit", "old") | {"modifierExtension": [{}]}
    asked = guard(Records({"p1": [old]}), CARE)
    decision = await asked.decide(GP, READ, PULSE, TREAT, INSIDE)
    assert (decision.permitted, decision.consents) == (False, ("Consent/old",))


async def test_an_author_is_known_by_the_role_too() -> None:
    asked = guard(Records({"p1": texts("pcf-not-authoredby")}), CARE)
    by_role = Proposed({"resourceType": "Observation", "performer": [{"reference": "PractitionerRole/gp-role"}]})
    by_other = Proposed({"resourceType": "Observation", "performer": [{"reference": "PractitionerRole/other"}]})
    said = [
        (await asked.decide(PRACTITIONER, READ, replace(PULSE, content=each), TREAT, INSIDE)).permitted
        for each in (by_role, by_other)
    ]
    assert said == [False, True]


async def test_before_any_record_is_looked_at_there_may_be_one_that_is_permitted() -> None:
    anything = Target("Observation", ("p1",), (), ANYTHING)
    for name, expected in (("deny-psy", True), ("pcf-timeframe", True), ("deny-gp", False), ("deny-all", False)):
        asked = guard(Records({"p1": texts(name)}), CARE)
        assert (await asked.decide(GP, READ, anything, TREAT, INSIDE)).permitted == expected


async def test_nobody_acts_for_anybody_without_a_record() -> None:
    records = Records({"p1": texts("mother")})
    delegates = Delegates(records, Consents(records, lambda: 0), lambda: 0)
    assert await delegates.patient_of("RelatedPerson/mother") is None

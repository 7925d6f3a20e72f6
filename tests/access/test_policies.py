"""What the policies that come with Carekeep promise, whatever else is asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import AccessRequest, Action, Decider, PolicyFile, Purpose, Relation, Target
from carekeep.access.policy_text import bundled_policies, bundled_schema
from tests.access.people import (
    ADMINISTRATOR,
    AUDITOR,
    DECIDER,
    OBSERVATION,
    PATIENT,
    PRACTITIONER,
    SYSTEM,
    VERY_RESTRICTED,
    Person,
    ask,
)
from tests.access.requests import people, requests, targets

OF_A_PATIENT = targets.filter(lambda target: bool(target.patients))
NOBODY: frozenset[Relation] = frozenset()
TAKING = {Action.READ, Action.VREAD, Action.HISTORY, Action.UPDATE, Action.DELETE}
PERMIT_ALL = """
@id("all") @title("All") @reason("All.") @law("none")
permit (principal, action, resource);
"""
GENEROUS = Decider([*bundled_policies(), PolicyFile("all.cedar", PERMIT_ALL)], bundled_schema())


@given(requests(people, OF_A_PATIENT, st.just(NOBODY), st.just(value=False)))
def test_no_stranger_gets_a_patients_record(request: AccessRequest) -> None:
    if not DECIDER.decide(request).permitted:
        return
    assert request.action not in TAKING
    if request.action is Action.CREATE:
        assert request.target.type == "Patient"
        assert request.principal.kind == "practitioner"


@given(requests(break_glass=st.just(value=False)))
def test_break_glass_takes_nothing_away(request: AccessRequest) -> None:
    if DECIDER.decide(request).permitted:
        assert DECIDER.decide(replace(request, break_glass=True)).permitted


@given(requests(break_glass=st.just(value=True)))
def test_break_glass_gives_only_what_it_is_for(request: AccessRequest) -> None:
    """What it adds is reading and adding, for a known practitioner who says ETREAT."""
    if DECIDER.decide(request).permitted and not DECIDER.decide(replace(request, break_glass=False)).permitted:
        assert request.principal.kind == "practitioner"
        assert request.purpose is Purpose.ETREAT
        assert request.action in TAKING | {Action.CREATE}
        assert request.relations or (
            request.principal.fhir_user and request.action not in {Action.UPDATE, Action.DELETE}
        )


@given(requests(st.builds(Person, kind=st.sampled_from(["administrator", "auditor"]))))
def test_who_runs_or_audits_the_system_sees_no_record(request: AccessRequest) -> None:
    """What was done with records is not what they say: auditors account for disclosures."""
    no_record = {Action.CAPABILITY_READ, Action.DISCLOSURE_READ}
    permitted = DECIDER.decide(request).permitted
    assert not (permitted and request.action.startswith("fhir:") and request.action not in no_record)


@given(requests())
def test_a_forbid_wins_over_any_permit(request: AccessRequest) -> None:
    """With everything permitted, what is denied is what a forbid says, and each says so."""
    forbids = {policy.id for policy in GENEROUS.policies if not policy.permits}
    decision = GENEROUS.decide(request)
    assert decision.permitted == forbids.isdisjoint(decision.policies)
    if not decision.permitted:
        assert not DECIDER.decide(request).permitted
        assert decision.reason.startswith("Denied: ")


def case_name(value: object) -> str:
    if isinstance(value, AccessRequest):
        return f"{value.principal.kind}-{value.action.name.lower()}-{value.target.type}"
    return str(value)


RESTRICTED = Target("Observation", ("p1",), (VERY_RESTRICTED,))
FORBIDDEN = [
    (ask(ADMINISTRATOR, Action.READ), "administrator.no-records"),
    (ask(ADMINISTRATOR, Action.SEARCH), "administrator.no-records"),
    (ask(ADMINISTRATOR, Action.BREAK_GLASS), "administrator.no-records"),
    (ask(replace(ADMINISTRATOR, assurance=1), Action.KEY_DESTROY, Target()), "keys.destroy-needs-second-factor"),
    (ask(AUDITOR, Action.DELETE, Target("Organization")), "auditor.no-records"),
    (ask(PRACTITIONER, Action.UPDATE, purpose=Purpose.ETREAT, break_glass=True), "emergency.changes-nothing"),
    (ask(PRACTITIONER, Action.DELETE, purpose=Purpose.ETREAT, break_glass=True), "emergency.changes-nothing"),
    (
        ask(PRACTITIONER, Action.CREATE, Target("CareTeam", ("p1",)), Purpose.ETREAT, break_glass=True),
        "emergency.ends",
    ),
    (ask(PRACTITIONER, Action.READ, RESTRICTED, relations=[Relation.ENCOUNTER]), "label.very-restricted"),
    (ask(PRACTITIONER, Action.UPDATE, RESTRICTED, relations=[Relation.APPOINTMENT]), "label.very-restricted"),
]


@pytest.mark.parametrize(("request_", "policy"), FORBIDDEN, ids=case_name)
def test_what_is_forbidden_by_which_policy(request_: AccessRequest, policy: str) -> None:
    assert DECIDER.decide(request_).policies == (policy,)
    assert not GENEROUS.decide(request_).permitted


LABELLED = [
    (ask(PRACTITIONER, Action.READ, RESTRICTED, relations=[Relation.CARE_TEAM]), "care.read"),
    (ask(PRACTITIONER, Action.READ, RESTRICTED, Purpose.ETREAT, break_glass=True), "emergency.care"),
    (ask(PATIENT, Action.READ, RESTRICTED, Purpose.PATRQT, [Relation.SELF]), "own.read"),
    (ask(SYSTEM, Action.READ, RESTRICTED, Purpose.HOPERAT), "system.records"),
    (ask(PRACTITIONER, Action.CREATE, replace(RESTRICTED, type="Patient")), "care.register"),
]


@pytest.mark.parametrize(("request_", "policy"), LABELLED, ids=case_name)
def test_a_very_restricted_record_is_still_for_some(request_: AccessRequest, policy: str) -> None:
    assert DECIDER.decide(request_).policies == (policy,)
    assert DECIDER.decide(request_).permitted


def test_an_open_emergency_is_not_used_without_being_stated() -> None:
    """A label that only emergencies lift stays, though one is open, for who comes with an everyday purpose."""
    request = ask(PRACTITIONER, Action.READ, RESTRICTED, Purpose.TREAT, [Relation.ENCOUNTER], break_glass=True)
    assert not DECIDER.decide(request).permitted
    assert DECIDER.decide(replace(request, purpose=Purpose.ETREAT)).permitted


def test_a_clinician_whom_nobody_knows_opens_no_emergency() -> None:
    target = Target("Patient", ("p1",))
    known = ask(PRACTITIONER, Action.BREAK_GLASS, target, Purpose.ETREAT)
    assert DECIDER.decide(known).permitted
    unknown = replace(known, principal=replace(PRACTITIONER, fhir_user=None))
    assert not DECIDER.decide(unknown).permitted
    assert "not bound to a Practitioner record" in DECIDER.decide(unknown).reason


def test_a_group_is_not_part_of_a_patients_own_chart() -> None:
    own = ask(PATIENT, Action.READ, Target("Group", ("p1", "p2")), Purpose.PATRQT, [Relation.SELF])
    assert not DECIDER.decide(own).permitted
    assert DECIDER.decide(replace(own, target=OBSERVATION)).permitted


def test_nobody_deletes_the_patient_record_but_a_system() -> None:
    request = ask(PRACTITIONER, Action.DELETE, Target("Patient", ("p1",)), relations=[Relation.CARE_TEAM])
    assert not DECIDER.decide(request).permitted
    assert "nobody but a system the Patient record" in DECIDER.decide(request).reason
    assert DECIDER.decide(replace(request, principal=SYSTEM)).permitted


WHY = [
    (ask(PRACTITIONER, Action.READ), "no care relationship with this patient, and no emergency access is open"),
    (ask(PRACTITIONER, Action.READ, break_glass=True), "emergency access is open, but the request does not state it"),
    (ask(PRACTITIONER, Action.BREAK_GLASS), "opened with the purpose of use ETREAT"),
    (ask(PRACTITIONER, Action.READ, purpose=Purpose.HPAYMT, relations=[Relation.CARE_TEAM]), "for treatment only"),
    (ask(PRACTITIONER, Action.READ, purpose=Purpose.HRESCH), "the patient's own consent to research"),
    (ask(PRACTITIONER, Action.DELETE, relations=[Relation.ENCOUNTER]), "only the care team deletes"),
    (ask(PRACTITIONER, Action.READ, Target("Binary")), "not part of the directory"),
    (ask(PRACTITIONER, Action.UPDATE, Target("Organization")), "kept by a system of the organization"),
    (ask(PRACTITIONER, Action.LEDGER_READ, Target()), "a practitioner account the right audit:ledger:read"),
    (ask(PATIENT, Action.READ, purpose=Purpose.PATRQT), "their own records only"),
    (ask(PATIENT, Action.UPDATE, purpose=Purpose.PATRQT, relations=[Relation.SELF]), "read their records here"),
    (ask(PATIENT, Action.READ, relations=[Relation.SELF]), "for their own request only"),
    (ask(Person("app", None), Action.READ), "this app has no grant"),
    (ask(SYSTEM, Action.READ, purpose=Purpose.PATRQT), "not among those that a system"),
    (ask(SYSTEM, Action.READ, purpose=Purpose.HRESCH), "the patient's own consent to research"),
    (ask(PATIENT, Action.READ, purpose=Purpose.PATRQT, relations=[Relation.DELEGATE]), "to act for them"),
]


@pytest.mark.parametrize(("request_", "words"), WHY, ids=case_name)
def test_a_denial_says_why_and_names_nobody(request_: AccessRequest, words: str) -> None:
    decision = DECIDER.decide(request_)
    assert not decision.permitted
    assert decision.policies == ()
    assert words in decision.reason
    assert decision.reason.startswith("Denied: ")
    assert not any(name in decision.reason for name in ("p1", "Practitioner/me", "a1a1", "Observation"))

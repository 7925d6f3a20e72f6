"""The decider: remembered and fresh answers agree, failures deny, and policies are exchanged whole or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import AccessRequest, Action, Decider, PolicyFile, PolicyRefused, Purpose, Relation, Target
from carekeep.access.decision import visible
from carekeep.access.policy_text import bundled_policies, bundled_schema
from tests.access.people import DECIDER, PRACTITIONER, ask
from tests.access.requests import requests

READ = ask(PRACTITIONER, Action.READ, relations=[Relation.CARE_TEAM])
OVERFLOWS = """
@id("overflow") @title("Overflows") @reason("Never.") @law("none")
forbid (principal, action, resource) when { context.risk + 9223372036854775807 == 0 };
"""
BY_NAME = f"""
@id("by-name") @title("By name") @reason("Not this account.") @law("none")
forbid (principal == Practitioner::"{PRACTITIONER.account_id}", action, resource);
"""
SEES = """
@id("sees") @title("Sees") @reason("Seen.") @law("none")
permit (principal is Practitioner, action, resource is PatientRecord) when {{ {condition} }};
"""


def decider_with(text: str) -> Decider:
    return Decider([*bundled_policies(), PolicyFile("more.cedar", text)], bundled_schema())


@given(st.lists(requests(), min_size=1, max_size=4))
def test_remembered_and_fresh_answers_agree(asked: list[AccessRequest]) -> None:
    for request in (*asked, *asked):
        assert DECIDER.decide(request) == DECIDER.decide_afresh(request)


@given(requests())
def test_which_patient_it_is_makes_no_difference(request: AccessRequest) -> None:
    if request.target.patients:
        other = replace(request, target=replace(request.target, patients=("somebody-else",)))
        assert visible(other) == visible(request)


def test_a_policy_that_cannot_be_evaluated_denies_what_others_permit() -> None:
    decider = decider_with(OVERFLOWS)
    assert decider.decide(READ).permitted
    failed = decider.decide(replace(READ, risk=1))
    assert not failed.permitted
    assert "policy error" in failed.reason
    assert failed == decider.decide_afresh(replace(READ, risk=1))


def test_a_request_that_is_not_of_the_schema_is_denied() -> None:
    beyond_cedar = (
        replace(READ, risk=1 << 70),
        replace(READ, zone="\ud800"),
        replace(READ, target=Target("", ("p1",))),
    )
    assert ["policy error" in DECIDER.decide(request).reason for request in beyond_cedar] == [True, True, False]


def test_a_policy_may_name_an_account() -> None:
    decider = decider_with(BY_NAME)
    assert decider.decide(READ).reason == "Not this account."
    assert decider.decide(replace(READ, principal=replace(PRACTITIONER, account_id="99" * 16))).permitted


@pytest.mark.parametrize(
    "text",
    [
        BY_NAME,
        BY_NAME.replace("::", " // who?\n ::"),
        BY_NAME.replace("principal ==", "principal in"),
        BY_NAME.replace(f'principal == Practitioner::"{PRACTITIONER.account_id}"', "principal").replace(
            "resource);", f'resource) when {{ principal == Practitioner::"{PRACTITIONER.account_id}" }};'
        ),
    ],
)
def test_people_are_not_taken_for_each_other_where_one_is_named(text: str) -> None:
    """Whoever is asked about first: else the answer to one would be remembered for all."""
    for first in (PRACTITIONER, replace(PRACTITIONER, account_id="99" * 16)):
        decider = decider_with(text)
        decider.decide(replace(READ, principal=first))
        assert not decider.decide(READ).permitted
        assert decider.decide(replace(READ, principal=replace(PRACTITIONER, account_id="99" * 16))).permitted


@pytest.mark.parametrize(
    ("condition", "request_"),
    [
        ("context.risk > 50", replace(READ, risk=51)),
        ('context.zone == "ward"', replace(READ, zone="ward")),
        ("context.assurance == 2", replace(READ, principal=replace(PRACTITIONER, assurance=2))),
        ("context.authenticated_minutes >= 30", replace(READ, now_ms=30 * 60_000)),
        ("context.break_glass", replace(READ, break_glass=True)),
        ('context.purpose == Purpose::"HRESCH"', replace(READ, purpose=Purpose.HRESCH)),
        ('context.relations.contains(Relation::"self")', replace(READ, relations=frozenset({Relation.SELF}))),
        ('principal has app && principal.app == "a"', replace(READ, principal=replace(PRACTITIONER, app="a"))),
        ('principal.grants.contains("g")', replace(READ, principal=replace(PRACTITIONER, grants=frozenset({"g"})))),
        ("!principal.identified", replace(READ, principal=replace(PRACTITIONER, fhir_user=None))),
        ('resource.type == "Flag"', replace(READ, target=Target("Flag", ("p1",)))),
        ('resource.labels.contains("s|c")', replace(READ, target=Target("Flag", ("p1",), ("s|c",)))),
    ],
)
def test_what_a_policy_can_see_changes_the_answer(condition: str, request_: AccessRequest) -> None:
    """Asked first without, so that an input that is missing from the cache's key would show."""
    decider = Decider([PolicyFile("sees.cedar", SEES.format(condition=condition))], bundled_schema())
    assert not decider.decide(READ).permitted
    assert decider.decide(request_).permitted


@pytest.mark.parametrize(
    ("age_ms", "minutes"),
    [(-5000, 0), (0, 0), (15 * 60_000 - 1, 0), (15 * 60_000, 15), (59 * 60_000, 45), (10**12, 24 * 60)],
)
def test_time_since_sign_in_is_seen_in_quarters_of_an_hour(age_ms: int, minutes: int) -> None:
    principal = replace(PRACTITIONER, authenticated_ms=10**12)
    assert visible(replace(READ, principal=principal, now_ms=10**12 + age_ms)).authenticated_minutes == minutes


def test_other_policies_hold_from_the_next_request_on() -> None:
    decider = Decider.load()
    assert decider.decide(READ).permitted
    decider.reload([*bundled_policies(), PolicyFile("more.cedar", BY_NAME)])
    assert decider.decide(READ).policies == ("by-name",)


def test_policies_that_do_not_validate_change_nothing() -> None:
    decider = Decider.load()
    before = decider.policies
    with pytest.raises(PolicyRefused, match=r"more\.cedar, line 2: .*Practitionner"):
        decider.reload([PolicyFile("more.cedar", BY_NAME.replace("Practitioner", "Practitionner"))])
    assert decider.policies == before
    assert decider.decide(READ).permitted


def test_a_schema_that_does_not_parse_is_refused() -> None:
    with pytest.raises(PolicyRefused, match=r"bad\.cedarschema: .*unexpected"):
        Decider(bundled_policies(), PolicyFile("bad.cedarschema", "entity ;"))

"""Slices of policies answer as all of them do, forbids only take away, and permits only give."""

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carekeep.access import PolicyFile
from carekeep.access.decider import shown
from carekeep.access.decision import Visible
from carekeep.access.policy_text import bundled_schema, read_policies, read_schema
from carekeep.access.rules import Rules, RulesFailed, entities_of, request_of
from carekeep.access.step_up import least_step_up
from carekeep.access.vocabulary import PRINCIPAL_TYPES
from tests.access.people import DECIDER
from tests.access.visibles import visibles

SCHEMA = read_schema(bundled_schema())
ALL = cedarpy.PolicySet.from_str("\n".join(policy.text for policy in DECIDER.policies))
FAILS = """@id("fails") @title("t") @reason("r") @law("l")
forbid (principal is App, action, resource) when { context.risk + 9223372036854775807 == 0 };"""
HEADS = st.tuples(
    st.sampled_from(["principal", "principal is Practitioner", "principal is App", 'principal == Patient::"a1"']),
    st.sampled_from(["action", 'action == Action::"fhir:record:read"', 'action in [Action::"fhir:record:create"]']),
    st.sampled_from(["resource", "resource is PatientRecord", "resource is SharedRecord"]),
)
CONDITIONS = st.sampled_from(
    ["true", "context.break_glass", "context.risk > 50", "context.relations.isEmpty()", 'context.zone == "outside"']
)


def with_more(text: str) -> Rules:
    return Rules((*DECIDER.policies, *read_policies([PolicyFile("more.cedar", text)], SCHEMA)))


@st.composite
def rules_with(draw: st.DrawFn, effect: str) -> Rules:
    head, condition = draw(HEADS), draw(CONDITIONS)
    text = f'@id("more") @title("t") @reason("r") @law("l")\n{effect} ({", ".join(head)}) when {{ {condition} }};'
    return with_more(text)


FAILING = with_more(FAILS)


@given(visibles())
def test_a_slice_answers_as_all_policies_with_the_schema(seen: Visible) -> None:
    principal = PRINCIPAL_TYPES[seen.kind]
    whole = cedarpy.is_authorized(request_of(seen, principal), ALL, entities_of(seen, principal), SCHEMA)
    assert not whole.diagnostics.errors
    verdict = DECIDER.rules.verdict(seen)
    assert verdict.permitted == whole.allowed
    assert set(verdict.policies) == set(whole.diagnostics.id_annotations_by_reason.values())


@settings(max_examples=40)
@given(rules_with("forbid"), st.lists(visibles(), min_size=5, max_size=5))
def test_a_forbid_never_permits_more(rules: Rules, asked: list[Visible]) -> None:
    for seen in asked:
        assert rules.verdict(seen).permitted <= DECIDER.rules.verdict(seen).permitted
        if "more" in rules.verdict(seen).policies:
            assert not rules.verdict(seen).permitted


@settings(max_examples=40)
@given(rules_with("permit"), st.lists(visibles(), min_size=5, max_size=5))
def test_a_permit_takes_nothing_away_and_never_beats_a_forbid(rules: Rules, asked: list[Visible]) -> None:
    for seen in asked:
        before, after = DECIDER.rules.verdict(seen), rules.verdict(seen)
        assert shown(before, seen).permitted <= shown(after, seen).permitted
        forbidden = not before.permitted and before.policies
        assert not (forbidden and after.permitted)


@given(visibles(kinds=st.just("app")))
def test_a_policy_that_cannot_be_evaluated_fails_what_its_head_covers(seen: Visible) -> None:
    if seen.risk == 0:
        FAILING.verdict(seen)
        return
    with pytest.raises(RulesFailed):
        FAILING.verdict(seen)


@given(visibles(kinds=st.just("practitioner")))
def test_a_policy_whose_head_does_not_cover_a_request_cannot_fail_it(seen: Visible) -> None:
    assert FAILING.verdict(seen) == DECIDER.rules.verdict(seen)


@given(visibles())
def test_where_signing_in_again_is_not_tried_it_would_change_nothing(seen: Visible) -> None:
    rules = DECIDER.rules
    verdict = shown(rules.verdict(seen), seen)
    if not verdict.permitted and not rules.may_step_up(seen, verdict):
        assert least_step_up(seen, lambda other: shown(rules.verdict(other), other).permitted) is None

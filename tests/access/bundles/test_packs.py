"""The packs that come with Carekeep: their own cases hold, and so does what no policies may change."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carekeep.access import Action, Purpose
from carekeep.access.bundles import PACKS, Bundle, PolicyKeeper, read_cases, run
from carekeep.access.bundles.folder import pack_cases
from carekeep.access.decider import shown
from carekeep.access.decision import Visible
from carekeep.access.rules import Rules
from carekeep.access.vocabulary import Agreement
from tests.access.people import DECIDER
from tests.access.visibles import NOBODY, visibles

ALONE_AND_TOGETHER = (*((name,) for name in PACKS), PACKS)
TAKING = st.sampled_from(
    [Action.READ, Action.VREAD, Action.HISTORY, Action.UPDATE, Action.DELETE, Action.PATIENT_EXPORT]
)
ADDED_BY_EMERGENCIES = {Action.READ, Action.VREAD, Action.HISTORY, Action.CREATE}


@cache
def rules_of(packs: tuple[str, ...]) -> Rules:
    return PolicyKeeper.check(DECIDER, Bundle("test", "1", packs))


@pytest.mark.parametrize("packs", ALONE_AND_TOGETHER, ids="+".join)
def test_no_canary_dies(packs: tuple[str, ...]) -> None:
    assert rules_of(packs).policies[: len(DECIDER.policies)] == DECIDER.policies


@pytest.mark.parametrize("name", PACKS)
def test_the_cases_of_a_pack_hold(name: str) -> None:
    results = list(run(read_cases(pack_cases(name)), rules_of((name,))))
    assert len(results) >= 5
    assert [(result.case.title, result.answer, result.by) for result in results if not result.passed] == []


@pytest.mark.parametrize("name", PACKS)
def test_every_policy_of_a_pack_decides_one_of_its_cases(name: str) -> None:
    results = run(read_cases(pack_cases(name)), rules_of((name,)))
    decided = {policy for result in results for policy in result.by}
    own = {policy.id for policy in rules_of((name,)).policies if policy.file.startswith(f"{name}/")}
    assert own - decided <= {"clinic.desk-writes"}


@pytest.mark.parametrize("packs", ALONE_AND_TOGETHER, ids="+".join)
@settings(max_examples=30)
@given(
    seen=visibles(
        actions=TAKING,
        kinds=st.sampled_from(["practitioner", "patient", "administrator", "auditor"]),
        relations=st.just(NOBODY),
        break_glass=st.just(value=False),
        consent=st.sampled_from([Agreement.NONE, Agreement.DENY]),
        shared=st.just(value=False),
    )
)
def test_no_stranger_reads_or_changes_a_patients_record(packs: tuple[str, ...], seen: Visible) -> None:
    assert not rules_of(packs).verdict(seen).permitted


@pytest.mark.parametrize("packs", ALONE_AND_TOGETHER, ids="+".join)
@settings(max_examples=30)
@given(seen=visibles(break_glass=st.just(value=True)))
def test_break_glass_widens_only_with_its_purpose_and_only_to_read_and_add(
    packs: tuple[str, ...], seen: Visible
) -> None:
    rules = rules_of(packs)
    with_it, without = rules.verdict(seen), rules.verdict(seen._replace(break_glass=False))
    if with_it.permitted and not without.permitted:
        assert seen.purpose is Purpose.ETREAT
        assert seen.kind == "practitioner"
        assert seen.action in ADDED_BY_EMERGENCIES or seen.relations


@pytest.mark.parametrize("packs", ALONE_AND_TOGETHER, ids="+".join)
@settings(max_examples=30)
@given(seen=visibles(shared=st.just(value=False), kinds=st.sampled_from(["practitioner", "app"])))
def test_a_pack_lets_nobody_do_what_a_spine_forbids(packs: tuple[str, ...], seen: Visible) -> None:
    before, after = DECIDER.rules.verdict(seen), rules_of(packs).verdict(seen)
    if before.policies and not before.permitted:
        assert not after.permitted


@settings(max_examples=50)
@given(seen=visibles(shared=st.just(value=False)))
def test_research_never_sees_names(seen: Visible) -> None:
    research = seen._replace(purpose=Purpose.HRESCH, type="Patient", action=Action.READ)
    verdict = shown(rules_of(("research",)).verdict(research), research)
    if verdict.permitted:
        assert research.consent is Agreement.PERMIT
        assert verdict.obligations is not None
        assert {"Patient.name", "Patient.telecom", "Patient.birthDate"} <= verdict.obligations.omit

"""When records may go: a table of patients, and what holds for all of them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.records.disposal import PatientFacts, RecordFacts, Rule, Start, bundled_rules, judge
from carekeep.records.disposal.due import after

MAMMOGRAM = frozenset({"http://loinc.org|24606-6"})
BIRTH = date(1960, 5, 5)
ADULT = PatientFacts((RecordFacts("Encounter", date(2016, 3, 1)), RecordFacts("Observation", date(2014, 1, 1))), BIRTH)
CHILD = replace(ADULT, birth=date(2010, 6, 1))


def rules(*schedules: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in bundled_rules() if rule.schedule in schedules)


def with_record(facts: PatientFacts, record: RecordFacts) -> PatientFacts:
    return replace(facts, records=(*facts.records, record))


DEATH = Rule("d", "own", "After death", "own", Start.DEATH, 10)

# Facts, rules, the day from which they may go, the rule that decides.
TABLE = [
    (ADULT, rules("us"), date(2021, 3, 1), "us.hospital"),
    (ADULT, rules("cautious", "us"), date(2026, 3, 1), "cautious.adults"),
    (ADULT, rules("de"), date(2026, 3, 1), "de.treatment"),
    (ADULT, rules("uk"), date(2024, 3, 1), "uk.adults"),
    (
        with_record(ADULT, RecordFacts("DiagnosticReport", date(2015, 2, 2), MAMMOGRAM)),
        rules("us"),
        date(2025, 2, 2),
        "us.mammograms",
    ),
    (
        with_record(ADULT, RecordFacts("DiagnosticReport", date(2015, 2, 2))),
        rules("us"),
        date(2021, 3, 1),
        "us.hospital",
    ),
    (
        with_record(ADULT, RecordFacts("Consent", date(2016, 3, 1))),
        rules("us"),
        date(2022, 3, 1),
        "us.hipaa-documentation",
    ),
    (CHILD, rules("cautious", "us"), date(2038, 6, 1), "cautious.minors"),
    (CHILD, rules("uk"), date(2036, 6, 1), "uk.children"),
    (
        with_record(CHILD, RecordFacts("ImagingStudy", date(2015, 2, 2))),
        rules("de"),
        date(2038, 6, 1),
        "de.x-ray-of-minors",
    ),
    # Born on the 29th of February, of age and ten years more in years without one.
    (replace(CHILD, birth=date(2008, 2, 29)), rules("cautious"), date(2036, 3, 1), "cautious.minors"),
    (replace(CHILD, birth=date(2000, 2, 29)), rules("cautious"), date(2028, 3, 1), "cautious.minors"),
    (replace(ADULT, death=date(2020, 1, 1), has_died=True), (DEATH,), date(2030, 1, 1), "d"),
    # What cannot be known keeps.
    (replace(ADULT, birth=None), rules("cautious"), None, "cautious.minors"),
    (replace(ADULT, has_died=True), (DEATH,), None, "d"),
    (replace(ADULT, in_care=True), rules("us"), None, None),
    (ADULT, (), None, None),
    (ADULT, (DEATH,), None, None),
    (PatientFacts(()), rules("cautious", "us"), None, None),
]


@pytest.mark.parametrize(("facts", "chosen", "due", "rule"), TABLE)
def test_the_longest_rule_decides(facts: PatientFacts, chosen: tuple[Rule, ...], due: date | None, rule: str) -> None:
    verdict = judge(facts, chosen, 18)
    assert (verdict.due, verdict.rule.id if verdict.rule else None) == (due, rule)
    assert verdict.why
    if due is not None:
        assert not verdict.is_due(due - timedelta(days=1))
        assert verdict.is_due(due)


def test_a_verdict_says_why_without_saying_whose() -> None:
    verdict = judge(ADULT, rules("us"), 18)
    assert verdict.why == "Hospital records: 5 years from the last day of care (42 CFR 482.24(b)(1))."
    assert "2016" not in repr(ADULT)


days = st.dates(date(1920, 1, 1), date(2030, 1, 1))
records = st.builds(
    RecordFacts, st.sampled_from(["Encounter", "Observation", "ImagingStudy", "Consent", "Patient"]), days,
    st.sampled_from([frozenset(), MAMMOGRAM]),
)  # fmt: skip
patients = st.builds(PatientFacts, st.lists(records, max_size=6).map(tuple), st.none() | days, st.none() | days)
chosen_rules = st.lists(st.sampled_from(bundled_rules()), unique=True)


@given(patients, chosen_rules, st.sampled_from(bundled_rules()))
def test_one_rule_more_never_lets_go_sooner(facts: PatientFacts, some: list[Rule], more: Rule) -> None:
    before, then = judge(facts, some, 18), judge(facts, [*some, more], 18)
    if before.terms and then.due is not None:
        assert before.due is not None
        assert then.due >= before.due


@given(patients, chosen_rules, records)
def test_one_record_more_never_lets_go_sooner(facts: PatientFacts, some: list[Rule], record: RecordFacts) -> None:
    # But for minors: care that went on after they came of age makes the rules for minors end.
    for_all = [rule for rule in some if rule.start not in {Start.BIRTH, Start.MAJORITY}]
    before, then = judge(facts, for_all, 18), judge(with_record(facts, record), for_all, 18)
    if before.terms and then.due is not None:
        assert before.due is not None
        assert then.due >= before.due


@given(days, st.integers(1, 150))
def test_years_later_is_that_day_or_the_next(day: date, years: int) -> None:
    found = after(day, years)
    assert found.year == day.year + years
    assert (found.month, found.day) in {(day.month, day.day), (3, 1)}

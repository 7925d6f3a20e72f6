"""Schedules are data: those that ship load, and one that could mean something else than was meant is refused."""

from pathlib import Path

import pytest

from carekeep.records.disposal import Retention, ScheduleRefused, Start, bundled_rules, read_rules

GOOD = """
[[rule]]
id = "own.1"
schedule = "own"
title = "All"
law = "our own"
from = "record"
years = 3
types = ["Observation"]
"""


def test_the_rules_that_ship_name_their_law() -> None:
    rules = bundled_rules()
    assert {rule.schedule for rule in rules} == {"cautious", "us", "de", "uk"}
    assert {rule.law for rule in rules} >= {"42 CFR 482.24(b)(1)", "21 CFR 900.12(c)(4)(i)", "BGB § 630f Abs. 3"}
    assert {rule.id for rule in Retention().rules} == {rule.id for rule in rules if rule.schedule in {"cautious", "us"}}


def test_an_organization_adds_its_own(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(GOOD)
    retention = Retention.read({"file": "rules.toml", "majority": 21}, tmp_path)
    assert retention.schedules == ("cautious", "us", "own")
    assert (retention.rules[-1].id, retention.rules[-1].start, retention.majority) == ("own.1", Start.RECORD, 21)
    assert Retention.read(retention.table(), tmp_path) == retention


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('types = ["Observation"]', 'typos = ["Observation"]', "typos"),  # else a rule for everything
        ('types = ["Observation"]', 'types = ["Observations"]', "Observations"),
        ('types = ["Observation"]', 'types = "Observation"', "types"),
        ('types = ["Observation"]', 'codes = ["8867-4"]', "system|code"),
        ("years = 3", "years = 0", "years"),
        ("years = 3", "years = true", "years"),
        ("years = 3", "years = 151", "years"),
        ("years = 3", "", "years"),
        ('from = "record"', 'from = "tomorrow"', "from is one of"),
        ('law = "our own"', 'law = ""', "law"),
        ('law = "our own"', 'law = "a\\nb"', "law"),
        ("[[rule]]", "[rule]", "[[rule]]"),
        ("[[rule]]", "more = 1\n[[rule]]", "[[rule]]"),
        ("[[rule]]", "[[rule", "not valid TOML"),
        (GOOD, GOOD + GOOD, "one id"),
        (GOOD, "", "[[rule]]"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_its_place(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ScheduleRefused, match=r"rules\.toml") as refused:
        read_rules(GOOD.replace(old, new), "rules.toml")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "table",
    [{"schedules": []}, {"schedules": ["fr"]}, {"schedules": "us"}, {"majority": 0}, {"file": "none.toml"}, {"x": 1}],
)
def test_settings_that_are_wrong_are_refused(table: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ScheduleRefused):
        Retention.read(table, tmp_path)

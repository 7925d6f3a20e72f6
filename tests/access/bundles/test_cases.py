"""Cases are read strictly and answered by the policies; what is not expected fails."""

import pytest

from carekeep.access import PolicyFile
from carekeep.access.bundles import Case, read_cases, run
from carekeep.access.bundles.cases import CaseRefused
from tests.access.people import DECIDER

GOOD = """
[[case]]
title = "reads"
who = "practitioner"
action = "fhir:record:read"
type = "Observation"
relations = ["care-team"]
"""


def read(text: str) -> tuple[Case, ...]:
    return read_cases([PolicyFile("x.cases.toml", text)])


@pytest.mark.parametrize(
    ("more", "passed"),
    [
        ('expect = "permitted"', True),
        ('expect = "sometimes"', True),
        ('expect = "denied"', False),
        ('expect = "permitted"\nby = "care.read"', True),
        ('expect = "permitted"\nby = ["care.read", "care.write"]', False),
        ('expect = "permitted"\nomits = ["Patient.name"]', False),
        ('expect = "permitted"\nrisk = [0, 100]', False),
        ('expect = "sometimes"\nrisk = [0, 100]', True),
        ('expect = "denied"\npurpose = ["HRESCH", "HPAYMT"]', True),
        ('expect = "permitted"\npurpose = "any"', False),
        ('expect = "denied"\nconsent = "deny"', True),
        ('expect = "denied"\npatient = false', True),
        ('expect = "permitted"\nminutes = 1440\nzone = "ward"', True),
    ],
)
def test_a_case_passes_if_all_of_it_is_as_expected(more: str, passed: bool) -> None:
    (result,) = run(read(GOOD + more), DECIDER.rules)
    assert result.passed is passed


def test_a_case_stands_for_every_combination() -> None:
    (case,) = read(GOOD + 'expect = "permitted"\npurpose = ["TREAT", "COC"]\nassurance = [1, 2, 3]')
    assert len(set(case.requests)) == 6


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[case]", "x.cases.toml: "),
        ("[case]\ntitle = 'x'", "holds tables"),
        (GOOD + 'expect = "permitted"\n[other]\na = 1', "nothing else"),
        (GOOD, "x.cases.toml, case 1: expect is one of"),
        (GOOD + 'expect = "maybe"', "expect is one of"),
        (GOOD.replace('title = "reads"', "") + 'expect = "denied"', "has no title"),
        (GOOD + 'expect = "denied"\ncolour = "red"', "case 1: .*colour"),
        (GOOD.replace("practitioner", "nurse") + 'expect = "denied"', "case 1"),
        (GOOD.replace("fhir:record:read", "peek") + 'expect = "denied"', "case 1: .*peek"),
        (GOOD.replace("care-team", "cousin") + 'expect = "denied"', "case 1: .*cousin"),
        (GOOD + 'expect = "denied"\npurpose = []', "stands for 0 requests"),
        (GOOD + f'expect = "denied"\nrisk = {list(range(101))}\nassurance = {list(range(500))}', "at most 50000"),
        (GOOD + 'expect = "denied"\n' + GOOD, "case 2"),
    ],
)
def test_a_case_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    with pytest.raises(CaseRefused, match=told):
        read(text)

"""How long one waits after wrong passwords, and when waiting does not help any more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.identity.throttle_rules import (
    MOST_IN_A_ROW,
    MOST_OF_A_BROWSER,
    MOST_OF_AN_ADDRESS,
    MOST_OF_EVERYBODY,
    MOST_OF_STRANGERS,
    WINDOW_MS,
    Count,
    Counts,
    Verdict,
    judge,
)

NOW = 1000 * WINDOW_MS
NONE = Counts(Count(), Count(), None, Count(), Count())
KNOWN = replace(NONE, browser=Count())


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (4, 0), (5, 1), (6, 2), (10, 32), (14, 512), (15, 900), (79, 900)]
)
def test_strangers_wait_longer_and_longer(failures: int, seconds: int) -> None:
    counts = replace(NONE, strangers=Count(failures, NOW))
    assert judge(counts, NOW) == Verdict(seconds * 1000, as_stranger=True)
    assert judge(counts, NOW + seconds * 1000) == Verdict(0, as_stranger=True)


def test_strangers_end_before_the_owner_does() -> None:
    worn_out = replace(KNOWN, in_a_row=Count(MOST_OF_STRANGERS, 0), strangers=Count(MOST_OF_STRANGERS, 0))
    assert judge(replace(worn_out, browser=None), NOW) == Verdict(None, as_stranger=True)
    assert judge(worn_out, NOW) == Verdict(0, as_stranger=False)


def test_a_hundred_in_a_row_is_the_end_for_everybody() -> None:
    assert judge(replace(KNOWN, in_a_row=Count(MOST_IN_A_ROW - 1, 0)), NOW).wait_ms == 0
    assert judge(replace(KNOWN, in_a_row=Count(MOST_IN_A_ROW, 0)), NOW).wait_ms is None
    assert judge(replace(NONE, in_a_row=Count(MOST_IN_A_ROW, 0)), NOW).wait_ms is None


def test_a_browser_that_fails_often_is_a_stranger() -> None:
    nine, ten = [replace(KNOWN, browser=Count(number, 0)) for number in (MOST_OF_A_BROWSER - 1, MOST_OF_A_BROWSER)]
    assert judge(nine, NOW) == Verdict(0, as_stranger=False)
    assert judge(ten, NOW) == Verdict(0, as_stranger=True)
    assert judge(replace(ten, strangers=Count(20, NOW)), NOW).wait_ms == 900_000


@pytest.mark.parametrize(
    "counts",
    [replace(NONE, address=Count(MOST_OF_AN_ADDRESS, NOW)), replace(NONE, everybody=Count(MOST_OF_EVERYBODY, NOW))],
    ids=["address", "everybody"],
)
def test_a_window_that_is_full(counts: Counts) -> None:
    assert judge(counts, NOW) == Verdict(WINDOW_MS, as_stranger=True)
    assert judge(counts, NOW + WINDOW_MS - 1) == Verdict(1, as_stranger=True)
    assert judge(replace(counts, browser=Count()), NOW) == Verdict(0, as_stranger=False)


COUNTS = st.builds(Count, st.integers(0, 200), st.integers(0, 2 * NOW))


@given(st.builds(Counts, COUNTS, COUNTS, st.none() | COUNTS, COUNTS, COUNTS))
def test_nothing_that_strangers_do_short_of_a_hundred_counts_for_a_browser_that_is_known(counts: Counts) -> None:
    quiet = replace(NONE, in_a_row=counts.in_a_row, browser=counts.browser)
    if counts.browser is not None and counts.browser.failures < MOST_OF_A_BROWSER:
        assert judge(counts, NOW) == judge(quiet, NOW)
    if counts.in_a_row.failures >= MOST_IN_A_ROW:
        assert judge(counts, NOW).wait_ms is None


def test_the_owner_has_tries_left() -> None:
    assert MOST_IN_A_ROW - MOST_OF_STRANGERS >= 2 * MOST_OF_A_BROWSER

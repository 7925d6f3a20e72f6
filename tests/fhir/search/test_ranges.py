"""The tree of ranges against plain comparison of numbers."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carekeep.fhir.search.ranges import Line, Wanted
from carekeep.fhir.search.values.dates import DAYS
from carekeep.fhir.search.values.numbers import MAGNITUDES

# Two nodes at the top, as the days have.
SMALL = Line(last=1023, levels=3, covers=4)
leaves = st.integers(-20, 1060)


def wanted_holds(wanted: Wanted, low: int, high: int | None) -> bool:
    last = 10**9 if high is None else high
    return wanted.low <= low <= wanted.high and last >= wanted.reach


@given(
    low=leaves,
    length=st.one_of(st.none(), st.integers(0, 1100)),
    bounds=st.tuples(st.none() | leaves, st.none() | leaves, st.none() | leaves),
)
@example(low=0, length=511, bounds=(None, 511, 511))
@example(low=7, length=1, bounds=(None, None, 8))
@example(low=500, length=30, bounds=(None, None, 520))
def test_whatever_is_wanted_shares_a_term(low: int, length: int | None, bounds: tuple[int | None, ...]) -> None:
    far = Wanted()
    from_, to, reach = (bound if bound is not None else default for bound, default in zip(
        bounds, (far.low, far.high, far.reach), strict=True))  # fmt: skip
    wanted = Wanted(from_, to, reach)
    high = None if length is None else low + length
    indexed = set(SMALL.index(low, high))
    if wanted_holds(wanted, low, high):
        assert indexed & set(SMALL.ask(wanted))


@given(low=st.integers(0, 1023), from_=st.integers(0, 1023), to=st.integers(0, 1023))
def test_a_point_outside_of_the_range_is_not_found(low: int, from_: int, to: int) -> None:
    shared = set(SMALL.index(low, low)) & set(SMALL.ask(Wanted(low=from_, high=to)))
    assert bool(shared) == (from_ <= low <= to)
    assert len(shared) <= 1


@given(low=st.integers(0, 1023), other=st.tuples(st.integers(0, 1023), st.integers(0, 1023)))
def test_two_questions_about_one_value_are_one(low: int, other: tuple[int, int]) -> None:
    both = Wanted(low=other[0]) & Wanted(high=other[1])
    assert both == Wanted(low=other[0], high=other[1])
    assert bool(set(SMALL.index(low, low)) & set(SMALL.ask(both))) == (other[0] <= low <= other[1])


@pytest.mark.parametrize(("line", "terms", "most"), [(DAYS, 6, 37), (MAGNITUDES, 4, 29)])
def test_costs_what_was_counted(line: Line, terms: int, most: int) -> None:
    steps = range(0, line.last, 7)
    assert {len(list(line.index(leaf, leaf))) for leaf in steps} == {terms}
    assert max(len(list(line.ask(Wanted(low=leaf)))) for leaf in steps) <= most
    assert max(len(list(line.ask(Wanted(high=leaf)))) for leaf in steps) <= most
    # A long value costs at most two terms more, an endless one a single one.
    assert max(len(list(line.index(leaf, line.last))) for leaf in steps) <= terms + 2
    assert len(list(line.index(5, None))) == terms + 1

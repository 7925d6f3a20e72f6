"""Queries against resources: the tables of cases, and dates against a slow, obvious model."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir.search import Query, index_terms, parse_query
from tests.fhir.search.cases import ALL, Case

NOW_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)


def query(type_: str, text: str) -> Query:
    pairs = [(name, value) for name, _, value in (pair.partition("=") for pair in text.split("&"))]
    return parse_query(type_, pairs, lenient=False, clock=lambda: NOW_MS)


def found_by_index(asked: Query, resource: dict[str, Any]) -> bool:
    terms = index_terms(resource)
    return all(
        (clause.terms is None or bool(clause.terms & terms))
        and (clause.ids is None or resource.get("id") in clause.ids)
        for clause in asked.clauses
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case[2]} {'finds' if case[3] else 'not'} {str(case[1])[:70]}")
def test_case(case: Case) -> None:
    type_, body, text, expected = case
    resource = {"resourceType": type_, **body}
    asked = query(type_, text)
    assert asked.matches(resource) is expected
    if expected:
        assert found_by_index(asked, resource)


def test_another_type_never_matches() -> None:
    assert not query("Patient", "gender:not=male").matches({"resourceType": "Person"})


# The model: an interval is two moments written out by datetime; each prefix is the sentence of the standard.
moments = st.datetimes(datetime(1890, 1, 1), datetime(2090, 1, 1))  # noqa: DTZ001 - the zone is added when written


def written(at: datetime, places: int) -> tuple[str, datetime, datetime]:
    """The moment with some precision, and where its interval starts and ends."""
    at = at.replace(tzinfo=UTC, microsecond=0)
    if places == 0:
        start = at.replace(month=1, day=1, hour=0, minute=0, second=0)
        return f"{at:%Y}", start, start.replace(year=start.year + 1)
    if places == 1:
        start = at.replace(day=1, hour=0, minute=0, second=0)
        return f"{at:%Y-%m}", start, (start + timedelta(days=32)).replace(day=1)
    if places == 2:
        start = at.replace(hour=0, minute=0, second=0)
        return f"{at:%Y-%m-%d}", start, start + timedelta(days=1)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}", at, at + timedelta(seconds=1)


def model(prefix: str, value: tuple[datetime, datetime], sought: tuple[datetime, datetime]) -> bool:
    contains = sought[0] <= value[0] and value[1] <= sought[1]
    above = value[1] > sought[1]
    below = value[0] < sought[0]
    return {
        "eq": contains,
        "ne": not contains,
        "gt": above,
        "lt": below,
        "ge": above or contains,
        "le": below or contains,
        "sa": value[0] >= sought[1],
        "eb": value[1] <= sought[0],
    }[prefix]


@given(
    first=moments,
    gap=st.timedeltas(timedelta(0), timedelta(days=4000)),
    places=st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    sought=st.one_of(moments, st.timedeltas(timedelta(days=-3), timedelta(days=3))),
    prefix=st.sampled_from(["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"]),
    ends=st.sampled_from(["point", "period", "no start", "no end"]),
)
def test_dates_compare_as_the_model_says(
    first: datetime,
    gap: timedelta,
    places: tuple[int, int, int],
    sought: datetime | timedelta,
    prefix: str,
    ends: str,
) -> None:
    start_text, start, point_end = written(first, places[0])
    end_text, _, end = written(first + gap, places[1])
    body: dict[str, Any] = {"effectivePeriod": {"start": start_text, "end": end_text}}
    value = (start, end)
    if ends == "point":
        body, value = {"effectiveDateTime": start_text}, (start, point_end)
    elif ends == "no start":
        del body["effectivePeriod"]["start"]
        value = (datetime.min.replace(tzinfo=UTC), end)
    elif ends == "no end":
        del body["effectivePeriod"]["end"]
        value = (start, datetime.max.replace(tzinfo=UTC))
    text, low, high = written(sought if isinstance(sought, datetime) else first + sought, places[2])
    resource = {"resourceType": "Observation", **body}
    asked = query("Observation", f"date={prefix}{text}")
    assert asked.matches(resource) is model(prefix, value, (low, high))
    if asked.matches(resource):
        assert found_by_index(asked, resource)


@given(moments, moments, moments)
def test_a_month_by_two_ends_is_one_clause(at: datetime, first: datetime, second: datetime) -> None:
    resource = {"resourceType": "Patient", "birthDate": f"{at:%Y-%m-%d}"}
    asked = query("Patient", f"birthdate=ge{first:%Y-%m-%d}&birthdate=lt{second:%Y-%m-%d}")
    assert len(asked.clauses) == 1
    assert asked.matches(resource) is (first.date() <= at.date() < second.date())
    if asked.matches(resource):
        assert found_by_index(asked, resource)
    elif datetime(1900, 1, 1) <= min(at, first, second) and max(at, first, second) < datetime(2079, 1, 1):  # noqa: DTZ001 - compared with naive moments
        # Whole days within the indexed years: the index is exact.
        assert not found_by_index(asked, resource)

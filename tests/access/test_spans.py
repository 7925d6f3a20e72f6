"""FHIR's dates and periods as stretches of milliseconds, against the standard library."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access.spans import ALWAYS, FOREVER, NEVER, Span, moment, period


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2026-05", "2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-05-03", "2026-05-03T00:00:00Z", "2026-05-04T00:00:00Z"),
        ("2026-05-03T10:20:30Z", "2026-05-03T10:20:30Z", "2026-05-03T10:20:31Z"),
        ("2026-05-03T10:20:30+02:00", "2026-05-03T08:20:30Z", "2026-05-03T08:20:31Z"),
        ("2026-05-03T22:20:30-05:30", "2026-05-04T03:50:30Z", "2026-05-04T03:50:31Z"),
        ("2026-05-03T10:20:30.5Z", "2026-05-03T10:20:30.500Z", "2026-05-03T10:20:30.501Z"),
        ("2026-05-03T10:20:30.123456789Z", "2026-05-03T10:20:30.123Z", "2026-05-03T10:20:30.124Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z"),
    ],
)
def test_a_date_stands_for_all_that_it_covers(text: str, since: str, until: str) -> None:
    assert moment(text) == Span(ms(since), ms(until))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-13",
        "2026-02-30",
        "0000",
        "9999-12-31",
        "2026-05-03T10:20Z",
        "2026-05-03T10:20:30",
        "٢٠٢٦",
        2026,
        None,
    ],
)
def test_what_is_no_date_stands_for_nothing(text: object) -> None:
    assert moment(text) is None


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - a bound
def test_an_instant_is_itself(at: datetime) -> None:
    span = moment(at.isoformat(timespec="milliseconds"))
    assert span is not None
    assert abs(span.since - at.timestamp() * 1000) <= 1


@pytest.mark.parametrize(
    ("value", "span"),
    [
        (None, ALWAYS),
        ({}, ALWAYS),
        ({"start": "2026-05-03"}, Span(ms("2026-05-03T00:00:00Z"), FOREVER)),
        ({"end": "2026-05-03"}, Span(-FOREVER, ms("2026-05-04T00:00:00Z"))),
        ({"start": "2026", "end": "2026"}, Span(ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"))),
        ({"start": "whenever"}, NEVER),
        ({"end": None}, NEVER),
        ("2026", NEVER),
    ],
)
def test_a_period_is_open_where_it_says_nothing(value: object, span: Span) -> None:
    assert period(value) == span


@given(st.integers(-10, 10), st.integers(-10, 10), st.integers(-10, 10), st.integers(-10, 10), st.integers(-12, 12))
def test_what_is_in_both_is_in_what_they_share(a: int, b: int, c: int, d: int, at: int) -> None:
    one, other = Span(a, b), Span(c, d)
    assert (at in one.within(other)) == (at in one and at in other)


def test_never_stays_never_however_it_is_stretched() -> None:
    assert 0 not in Span(NEVER.since, NEVER.until + 10**12)
    assert 0 in ALWAYS

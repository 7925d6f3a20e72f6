"""The newest of each kind, as the definition of $lastn has it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir.documents import last_of_each

Json = dict[str, Any]


def seen(id_: str, codes: str, day: str = "2026-01-01", text: str | None = None) -> Json:
    """An observation with codes "a", "b" … (one letter each)."""
    code: Json = {"coding": [{"system": "http://loinc.org", "code": each} for each in codes]} if codes else {}
    if text is not None:
        code["text"] = text
    return {"resourceType": "Observation", "id": id_, "code": code, "effectiveDateTime": day}


def groups(observations: list[Json]) -> int:
    """How many groups there are, if no two observations are of one time."""
    dated = [{**each, "effectiveDateTime": f"2026-01-{number:02}"} for number, each in enumerate(observations, 1)]
    return len(last_of_each(dated, 1))


@pytest.mark.parametrize(
    ("codes", "count"),
    [(("a", "b", "c"), 3), (("a", "b", "ac"), 2), (("a", "b", "ab"), 1), (("ab", "bc", "cd"), 1)],
)
def test_translations_are_one_kind_transitively(codes: tuple[str, ...], count: int) -> None:
    assert groups([seen(str(number), each) for number, each in enumerate(codes)]) == count


def test_texts_are_kinds_as_they_are_written() -> None:
    assert groups([seen("1", "", text="Text"), seen("2", "", text="text"), seen("3", "", text="Text")]) == 2


def test_the_text_beside_codings_is_no_kind() -> None:
    assert groups([seen("1", "a", text="same"), seen("2", "b", text="same")]) == 2


def test_systems_tell_codes_apart() -> None:
    other = {"coding": [{"system": "http://snomed.info/sct", "code": "a"}]}
    assert groups([seen("1", "a"), {**seen("2", ""), "code": other}]) == 2


def test_the_newest_come_first() -> None:
    days = ("2026-01-03", "2026-01-09", "2025-12-31T23:00:00Z", "2026-01-05")
    found = last_of_each([seen(day, "a", day) for day in days], 3)
    assert [each["id"] for each in found] == ["2026-01-09", "2026-01-05", "2026-01-03"]


def test_what_ties_with_the_last_comes_along() -> None:
    days = ("2026-01-09", "2026-01-05", "2026-01-05", "2026-01-01")
    found = last_of_each([seen(str(number), "a", day) for number, day in enumerate(days)], 2)
    assert [each["id"] for each in found] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "time",
    [
        {"effectiveInstant": "2026-01-05T00:00:00Z"},
        {"effectivePeriod": {"start": "2020-01-01", "end": "2026-01-05"}},
        {"effectivePeriod": {"start": "2026-01-05"}},
        {"effectiveTiming": {"event": ["2020-01-01", "2026-01-05"]}},
        {"issued": "2026-01-05T00:00:00Z"},
    ],
    ids=str,
)
def test_every_kind_of_time_counts(time: Json) -> None:
    other = {"resourceType": "Observation", "id": "other", "code": seen("", "a")["code"], **time}
    chart = [seen("before", "a", "2026-01-04"), other, seen("after", "a", "2026-01-06")]
    assert [each["id"] for each in last_of_each(chart, 2)] == ["after", "other"]


def test_without_any_time_it_is_the_oldest() -> None:
    never = {"resourceType": "Observation", "id": "never", "code": seen("", "a")["code"]}
    assert [each["id"] for each in last_of_each([never, seen("ever", "a", "1950")], 1)] == ["ever"]


@given(st.lists(st.text("abcd", min_size=1, max_size=3), max_size=12), st.integers(1, 4))
def test_nothing_is_made_up_or_told_twice(codes: list[str], count: int) -> None:
    chart = [seen(str(number), each, f"2026-01-{number + 1:02}") for number, each in enumerate(codes)]
    found = [each["id"] for each in last_of_each(chart, count)]
    assert len(set(found)) == len(found) <= len(chart)
    assert len(found) >= min(count, len(chart))

"""Observations as tests over time, their charts, and the record on a line."""

from typing import Any

from carekeep.web.browser.charts import MOST_POINTS, Point, Series, Tick, Trend, gauge, thin, trend
from carekeep.web.plain import Speech
from carekeep.web.portal.measured import grouped, told
from carekeep.web.portal.timeline import entry_of, now_holding
from carekeep.web.portal.trends import trend_of

SPEECH = Speech.of("en")


def observation(value: float, day: str, **given: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": day,
        "status": "final",
        "code": {"text": "Sugar"},
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": "%"},
        "referenceRange": [{"high": {"value": 6, "unit": "%"}}],
    } | given


def test_a_test_is_its_values_newest_first() -> None:
    wrong = observation(99, "2026-12-01", status="entered-in-error")
    habit = observation(1, "2026-12-02", category=[{"coding": [{"code": "social-history"}]}])
    (group,) = grouped([observation(5, "2026-01-01"), observation(7, "2026-03-01"), wrong, habit])
    test = told(SPEECH, group, 10)
    assert [reading.words for reading in test.readings] == ["7 %", "5 %"]
    assert test.latest.parts[0].says == "above the usual range"
    assert [change.says for change in test.changes if change] == ["higher than last time (5 %)"]


def test_other_units_are_not_compared() -> None:
    old = observation(5, "2026-01-01", valueQuantity={"value": 5, "unit": "mmol/L"})
    (group,) = grouped([old, observation(7, "2026-03-01")])
    test = told(SPEECH, group, 10)
    assert test.changes == (None,)
    assert trend_of(SPEECH, test) is None


def test_blood_pressure_is_one_value_of_two_parts() -> None:
    parts = [
        {"code": {"text": name}, "valueQuantity": {"value": value, "unit": "mmHg"}}
        for name, value in (("Upper", 128), ("Lower", 82))
    ]
    both = [
        {"resourceType": "Observation", "id": day, "code": {"text": "BP"}, "effectiveDateTime": day, "component": parts}
        for day in ("2026-01", "2026-02")
    ]
    (group,) = grouped(both)
    test = told(SPEECH, group, 10)
    assert test.latest.words == "128 / 82 mmHg"
    chart = trend_of(SPEECH, test)
    assert chart is not None
    assert len(chart.series) == 2
    assert "line-2" in trend(chart)


def test_a_chart_says_what_it_shows_and_runs_nothing() -> None:
    hostile = '"><script>alert(1)</script>'
    points = (Point(1, 5.0, hostile), Point(2, 9.0, "high", 1))
    drawn = trend(Trend((Series(points, 4.0, 6.0),), hostile, (Tick(4.0, hostile),), (Tick(1, "Jan"),)))
    assert "<script" not in drawn
    assert "style=" not in drawn
    assert 'role="img"' in drawn
    assert drawn.count("<title>") == 2
    assert 'class="point out"' in drawn
    assert 'class="band"' in drawn
    assert trend(Trend((), "nothing", (), ())) == ""


def test_many_points_are_thinned_and_keep_their_peaks() -> None:
    points = [Point(number, float(number % 7), "") for number in range(10_000)]
    points[5_001] = Point(5_001, 1_000.0, "peak")
    kept = thin(points)
    assert len(kept) <= MOST_POINTS
    assert "peak" in {point.title for point in kept}
    assert list(kept) == sorted(kept, key=lambda point: point.at_ms)


def test_a_gauge_is_silent_and_needs_a_range() -> None:
    assert 'aria-hidden="true"' in gauge(5, 4, 6, 0)
    assert gauge(5, None, None, 0) == ""


def test_what_holds_now_is_said_once() -> None:
    drug = {"resourceType": "MedicationRequest", "status": "active", "medicationCodeableConcept": {"text": "Iron"}}
    older, newer = ({**drug, "id": day, "authoredOn": day} for day in ("2025-01-01", "2026-01-01"))
    ended = {**drug, "id": "x", "status": "stopped", "medicationCodeableConcept": {"text": "Zinc"}}
    holding = now_holding(entry_of(SPEECH, each) for each in (older, newer, ended))
    assert [entry.id for entry in holding["medicines"]] == ["2026-01-01"]
    assert entry_of(SPEECH, ended).says == ("Was stopped.",)

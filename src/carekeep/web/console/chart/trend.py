"""Results as pictures: a small line beside the last value, and the whole course in the section of results."""

import datetime
from decimal import Decimal
from typing import Final, Literal

from markupsafe import Markup

from carekeep.web.browser import charts
from carekeep.web.console.chart.results import Result

_WIDTH, _HEIGHT, _AIR = 88, 24, 3
_MOST_DRAWN: Final = 40
_SPARK: Final = Markup('<svg class="spark" viewBox="0 0 88 24" aria-hidden="true">{band}{line}{end}</svg>')
_BAND: Final = Markup('<rect class="band" x="0" y="{y}" width="88" height="{height}"/>')
_LINE: Final = Markup('<path class="line" d="{path}" fill="none"/>')
_END: Final = Markup('<circle class="point" cx="{x}" cy="{y}" r="2.2"/>')


def spark_of(result: Result) -> Markup:
    """The course of a result without numbers, over its usual range; nothing for fewer than two numbers.

    It repeats what stands in the list of values, so it is silent.
    """
    course = result.trend
    if len(course) < 2:  # noqa: PLR2004 - a line has two ends
        return Markup()
    begin, span = course[0][0], (course[-1][0] - course[0][0]) or 1
    bounds = [bound for bound in (result.low, result.high) if bound is not None]
    values = [value for _, value in course] + bounds
    low, high = min(values), max(values)

    def y(value: Decimal) -> float:
        share = float((value - low) / (high - low)) if high > low else 0.5
        return round(_HEIGHT - _AIR - share * (_HEIGHT - 2 * _AIR), 1)

    places = [(round(_AIR + (at - begin) / span * (_WIDTH - 2 * _AIR), 1), y(value)) for at, value in course]
    line = "M" + "L".join(f"{x} {height}" for x, height in places)
    band = Markup()
    if bounds:
        top, bottom = y(high if result.high is None else result.high), y(low if result.low is None else result.low)
        band = _BAND.format(y=top, height=round(max(1.0, bottom - top), 1))
    return _SPARK.format(band=band, line=_LINE.format(path=line), end=_END.format(x=places[-1][0], y=places[-1][1]))


def course_of(result: Result) -> Markup:
    """The course of the newest forty with its axes; nothing for fewer than two numbers."""
    points = [
        charts.Point(value.on.sort, float(value.number), f"{value.on.text}: {value.text}", _side(result, value.number))
        for value in reversed(result.values[:_MOST_DRAWN])
        if value.number is not None and value.on.sort
    ]
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return Markup()
    low, high = result.low, result.high
    series = charts.Series(tuple(points), None if low is None else float(low), None if high is None else float(high))
    least, most = charts.extent((series,))
    ticks = tuple(charts.Tick(at, f"{at:.4g}") for at in (least, (least + most) / 2, most))
    times = tuple(charts.Tick(at, _month(at)) for at in dict.fromkeys((points[0].at_ms, points[-1].at_ms)))
    summary = f"{result.name}: {points[0].title}; {points[-1].title}"
    return charts.trend(charts.Trend((series,), summary, ticks, times))


def _side(result: Result, value: Decimal) -> Literal[-1, 0, 1]:
    if result.high is not None and value > result.high:
        return 1
    return -1 if result.low is not None and value < result.low else 0


def _month(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).strftime("%Y-%m")

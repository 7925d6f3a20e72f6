"""A test's values over time as a chart, with the words that stand for it. Pure functions."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from carekeep.web.browser.charts import Point, Series, Tick, Trend, extent
from carekeep.web.plain import Speech
from carekeep.web.portal.measured import Part, Reading, Test

_FEWEST = 2  # values that make a trend


def trend_of(speech: Speech, test: Test) -> Trend | None:
    """The numbers of a test in the unit of its newest; None when there are fewer than two."""
    series = [found for part in test.latest.parts if (found := _series(test.readings, part)) is not None]
    points = [point for each in series for point in each.points]
    if len(points) < _FEWEST or all(len(each.points) < _FEWEST for each in series):
        return None
    return Trend(tuple(series), _summary(speech, test, series), _values(speech, series), _times(speech, points))


def _series(readings: Sequence[Reading], latest: Part) -> Series | None:
    points = []
    for reading in reversed(readings):
        part = next((each for each in reading.parts if each.name == latest.name), None)
        if part is None or part.value.number is None or part.value.unit != latest.value.unit or not reading.when.at_ms:
            continue
        said = f"{reading.when.words}: {part.words}" + (f", {part.says}" if part.says else "")
        points.append(Point(reading.when.at_ms, float(part.value.number), said, _side(part)))
    if not points:
        return None
    band = latest.band
    low, high = (None, None) if band is None else (band.low, band.high)
    return Series(tuple(points), _plain(low), _plain(high))


def _plain(bound: Decimal | None) -> float | None:
    return None if bound is None else float(bound)


def _side(part: Part) -> Literal[-1, 0, 1]:
    direction = part.standing.direction
    return 1 if direction > 0 else -1 if direction < 0 else 0


def _summary(speech: Speech, test: Test, series: Sequence[Series]) -> str:
    """The chart in sentences."""
    numbers = [point.value for each in series for point in each.points]
    unit = test.latest.parts[0].value.unit
    low, high = (f"{_short(speech, value)} {unit}".strip() for value in (min(numbers), max(numbers)))
    count = max(len(each.points) for each in series)
    said = [
        speech.say_many("One value.", "{count} values over time.", count),
        speech.say("The lowest is {low}, the highest {high}.", low=low, high=high),
        speech.say("The newest is {value}.", value=test.latest.words),
    ]
    usual = [part for part in test.latest.parts if part.usual]
    if usual:
        said.append(speech.say("The usual range is {range}.", range=usual[0].usual))
    return " ".join(said)


def _values(speech: Speech, series: Sequence[Series]) -> tuple[Tick, ...]:
    """The bounds of the range, else the least and the greatest value."""
    bounds = {bound for each in series for bound in (each.low, each.high) if bound is not None}
    least, most = extent(series)
    numbers = [point.value for each in series for point in each.points]
    ticks = sorted(bounds)
    room = (most - least) / 8
    for value in (min(numbers), max(numbers)):
        if all(abs(value - tick) > room for tick in ticks):
            ticks.append(value)
    return tuple(Tick(value, _short(speech, value)) for value in sorted(ticks))


def _times(speech: Speech, points: Sequence[Point]) -> tuple[Tick, ...]:
    first, last = min(point.at_ms for point in points), max(point.at_ms for point in points)
    texts = [speech.short_month(datetime.fromtimestamp(at / 1000, UTC).date()) for at in (first, last)]
    ticks = (Tick(first, texts[0]), Tick(last, texts[1]))
    return ticks if texts[0] != texts[1] else ticks[:1]


def _short(speech: Speech, value: float) -> str:
    """With at most one digit behind the point more than is needed."""
    return speech.number(Decimal(f"{value:.4g}") if abs(value) < 10_000 else Decimal(round(value)))  # noqa: PLR2004

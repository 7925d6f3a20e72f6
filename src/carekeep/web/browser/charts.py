"""Pictures of numbers as SVG, made on the server: pure functions from data to markup.

They work without scripts, in print and on paper: presentation attributes only (the content policy forbids ``style``),
with classes by which ``charts.css`` gives them the colours of the page. A picture says in words what it shows
(``aria-label``); the numbers themselves stand in a table beside it. What is outside of a range has another shape.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from markupsafe import Markup

MOST_POINTS: Final = 500
_WIDTH, _HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 350, 12, 160
_LABEL_HEIGHT = 14
_AIR = 0.12  # of the span of the values, above and below them
_SIZE: Final = 3.2  # of a point, in units of the picture
_GAUGE_WIDTH, _GAUGE_HEIGHT = 120, 14

_CIRCLE: Final = Markup('<circle class="point" cx="{x}" cy="{y}" r="3.2"><title>{title}</title></circle>')
_SHAPE: Final = Markup('<path class="point {kind}" d="{path}"><title>{title}</title></path>')
_TEXT: Final = Markup('<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="11">{text}</text>')
_RULE: Final = Markup('<path class="rule" d="M{x1} {y}H{x2}" stroke="#8aa0a8" stroke-width="0.5"/>')
_BAND: Final = Markup('<rect class="band" x="{x}" y="{y}" width="{width}" height="{height}" fill="#d7ebe0"/>')
_LINE: Final = Markup('<path class="line line-{number}" d="{path}" fill="none" stroke="#0b5c6b" stroke-width="1.5"/>')
_SVG: Final = Markup(
    '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{label}"'
    ' font-family="system-ui, sans-serif">{content}</svg>'
)


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one time; ``title`` says it in words. ``side``: 1 above its range, -1 below, 0 neither."""

    at_ms: int
    value: float
    title: str
    side: Literal[-1, 0, 1] = 0


@dataclass(frozen=True, slots=True)
class Series:
    """Points in the order of time, and the usual range: two bounds, one, or none."""

    points: tuple[Point, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis: where, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Trend:
    """What a chart of values over time shows. ``summary`` is read in place of the picture."""

    series: tuple[Series, ...]
    summary: str
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values to places in a picture."""

    first: float
    last: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.last - self.first
        share = (value - self.first) / span if span else 0.5
        return round(self.begin + min(1.0, max(0.0, share)) * (self.end - self.begin), 1)


def trend(chart: Trend) -> Markup:
    """Values over time with the usual range as a band. At most 500 points are drawn of each series."""
    thinned = [thin(series.points) for series in chart.series]
    points = [point for some in thinned for point in some]
    if not points:
        return Markup()
    low, high = extent(chart.series)
    up = _Scale(low, high, _BOTTOM, _TOP)
    along = _Scale(min(point.at_ms for point in points), max(point.at_ms for point in points), _LEFT + 8, _RIGHT - 8)
    parts = [_band(series, up) for series in chart.series]
    parts += [_axis_value(tick, up) for tick in chart.values]
    parts += _axis_times(chart.times, along)
    for number, some in enumerate(thinned, start=1):
        steps = [f"{along(point.at_ms)} {up(point.value)}" for point in some]
        if len(steps) > 1:
            parts.append(_LINE.format(number=number, path="M" + "L".join(steps)))
        parts += [_mark(point, along(point.at_ms), up(point.value)) for point in some]
    return _SVG.format(kind="chart", width=_WIDTH, height=_HEIGHT, label=chart.summary, content=Markup().join(parts))


def extent(series: Sequence[Series]) -> tuple[float, float]:
    """The least and the greatest value that a chart has room for: of points and ranges, and some air."""
    values = [point.value for each in series for point in each.points]
    values += [bound for each in series for bound in (each.low, each.high) if bound is not None]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    air = (high - low) * _AIR or abs(high) * _AIR or 1.0
    # What cannot be negative is not drawn as if it could.
    return (max(0.0, low - air) if low >= 0 else low - air), high + air


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> tuple[Point, ...]:
    """At most ``most`` points: of each stretch of time the lowest and the highest, so that no peak is lost."""
    if len(points) <= most:
        return tuple(points)
    size = -(-len(points) // (most // 2))
    kept: list[Point] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {min(stretch, key=_value), max(stretch, key=_value)}
        kept += sorted(ends, key=lambda point: point.at_ms)
    return tuple(kept)


def gauge(value: float, low: float | None, high: float | None, side: Literal[-1, 0, 1]) -> Markup:
    """Where one value lies to its range, on a line. It repeats what stands beside it, so it is silent."""
    if low is None and high is None:
        return Markup()
    ends = [bound for bound in (low, high) if bound is not None]
    width = (ends[-1] - ends[0]) or abs(ends[0]) or 1.0
    place = _Scale(min(*ends, value, ends[0] - width / 2), max(*ends, value, ends[-1] + width / 2), 4, _GAUGE_WIDTH - 4)
    begin = 0.0 if low is None else place(low)
    end = float(_GAUGE_WIDTH) if high is None else place(high)
    mark = _shape(side, place(value), _GAUGE_HEIGHT / 2)
    return Markup(
        '<svg class="gauge" viewBox="0 0 120 14" aria-hidden="true"><path class="rule" d="M0 7H120"/>'
        '<rect class="band" x="{x}" y="3" width="{width}" height="8"/><path class="point{kind}" d="{path}"/></svg>'
    ).format(x=begin, width=round(end - begin, 1), kind=" out" if side else "", path=mark)


def _value(point: Point) -> float:
    return point.value


def _band(series: Series, up: _Scale) -> Markup:
    if series.low is None and series.high is None:
        return Markup()
    top = _TOP if series.high is None else up(series.high)
    bottom = _BOTTOM if series.low is None else up(series.low)
    return _BAND.format(x=_LEFT, y=top, width=_RIGHT - _LEFT, height=round(max(1.0, bottom - top), 1))


def _axis_value(tick: Tick, up: _Scale) -> Markup:
    y = up(tick.at)
    rule = _RULE.format(x1=_LEFT, x2=_RIGHT, y=y)
    return rule + _TEXT.format(x=_LEFT - 6, y=round(y + 4, 1), anchor="end", text=tick.text)


def _axis_times(ticks: Sequence[Tick], along: _Scale) -> list[Markup]:
    anchors = ["middle"] * len(ticks)
    if len(ticks) > 1:
        anchors[0], anchors[-1] = "start", "end"
    return [
        _TEXT.format(x=along(tick.at), y=_BOTTOM + _LABEL_HEIGHT + 4, anchor=anchor, text=tick.text)
        for tick, anchor in zip(ticks, anchors, strict=True)
    ]


def _mark(point: Point, x: float, y: float) -> Markup:
    if point.side == 0:
        return _CIRCLE.format(x=x, y=y, title=point.title)
    return _SHAPE.format(kind="out", path=_shape(point.side, x, y), title=point.title)


def _shape(side: int, x: float, y: float) -> str:
    """A triangle that points up or down; a square for what is in its range."""
    if side == 0:
        return f"M{round(x - _SIZE, 1)} {round(y - _SIZE, 1)}h6.4v6.4h-6.4z"
    tip, base = round(y - side * 5, 1), round(y + side * _SIZE, 1)
    return f"M{x} {tip}L{round(x + 4.6, 1)} {base}H{round(x - 4.6, 1)}z"

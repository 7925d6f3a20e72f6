"""Dates (FHIR R4 3.1.1.4.7): every value is the interval of time that it names, and intervals are compared.

A year is its whole year, an instant its millisecond. What has no time zone is taken as UTC, on both sides of the
comparison. Inside, time is whole milliseconds since 1970, intervals are half open, and an open end is very far away.
"""

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.ranges import Line, Wanted
from carekeep.fhir.search.values.text import BadValue

DAY_MS = 86_400_000
FOREVER = 1 << 60
# 1900-01-01 to 2079-06-06: leaves are UTC days. Dates beyond share the first or last leaf.
DAYS = Line(last=(1 << 16) - 1, levels=6, covers=6)
_FIRST_DAY = date(1900, 1, 1).toordinal()
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d)(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII)
_PREFIXED = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_AP_SHARE = 10
_LONGEST_INSTANT = 1000  # an instant is written to the second at least


@dataclass(frozen=True, slots=True)
class Interval:
    """[start, end) in milliseconds since 1970."""

    start: int
    end: int


def read(text: object) -> Interval | None:
    """The interval that a FHIR date, dateTime or instant names, or None if it is none of these."""
    found = _DATE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        return _instant(found) if found[4] else _days(int(found[1]), found[2], found[3])
    except ValueError:
        return None


def _days(year: int, month: str | None, day: str | None) -> Interval:
    first = date(year, int(month or 1), int(day or 1)).toordinal() - _EPOCH_DAY
    if day:
        length = 1
    elif month:
        length = monthrange(year, int(month))[1]
    else:
        length = 366 if monthrange(year, 2)[1] == 29 else 365  # noqa: PLR2004 - February of a leap year
    return Interval(first * DAY_MS, (first + length) * DAY_MS)


def _instant(found: re.Match[str]) -> Interval:
    seconds = found[5] or ":00"
    # FHIR allows the leap second, which Python's clock does not have.
    leap = seconds.startswith(":60")
    text = f"{found[1]}-{found[2]}-{found[3]}T{found[4]}{':59' + seconds[3:] if leap else seconds}{found[7] or 'Z'}"
    start = (datetime.fromisoformat(text) - _EPOCH) // _MS
    length = 1 if found[6] else 1000 if found[5] else 60_000
    return Interval(start, start + length)


def interval(type_: str, element: Any) -> Interval | None:
    """The interval of an element of a FHIR data type, or None if it has none.

    A Timing counts by its outer limits only. Procedure.performed and its like may hold Age, Range or string: no date.
    """
    if isinstance(element, str):
        return read(element) if type_ in {"date", "dateTime", "instant"} else None
    if not isinstance(element, dict):
        return None
    if type_ == "Period":
        return _period(element)
    return _timing(element) if type_ == "Timing" else None


def _period(period: Json) -> Interval | None:
    start, end = read(period.get("start")), read(period.get("end"))
    if start is None and end is None:
        return None
    return Interval(start.start if start else -FOREVER, end.end if end else FOREVER)


def _timing(timing: Json) -> Interval | None:
    events = timing.get("event")
    repeat = timing.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    found = [read(each) for each in events] if isinstance(events, list) else []
    found.append(_period(bounds) if isinstance(bounds, dict) else None)
    known = [each for each in found if each is not None]
    if not known:
        return None
    return Interval(min(each.start for each in known), max(each.end for each in known))


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element."""
    value = interval(path.type, element)
    if value is None:
        return ()
    return DAYS.index(_leaf(value.start), None if value.end >= FOREVER else _leaf(value.end - 1))


def _leaf(ms: int) -> int:
    return ms // DAY_MS + _EPOCH_DAY - _FIRST_DAY


@dataclass(frozen=True, slots=True)
class SoughtDate:
    """A date with its prefix. For ``ap`` the interval is already widened."""

    prefix: str
    interval: Interval

    def matches(self, path: Path, element: Any) -> bool:
        """R4 3.1.1.4.5: how each prefix compares the interval of the element with that of the query."""
        value = interval(path.type, element)
        return value is not None and self._compare(value.start, value.end)

    def _compare(self, start: int, end: int) -> bool:
        query = self.interval
        inside = query.start <= start and end <= query.end
        answers = {
            "eq": inside,
            "ne": not inside,
            "gt": end > query.end,
            "lt": start < query.start,
            "ge": inside or end > query.end,
            "le": inside or start < query.start,
            "sa": start >= query.end,
            "eb": end <= query.start,
            "ap": start < query.end and end > query.start,
        }
        return answers[self.prefix]

    def wanted(self) -> Wanted | None:
        """The days in question."""
        first, last = _leaf(self.interval.start), _leaf(self.interval.end - 1)
        before, after = _leaf(self.interval.start - 1), _leaf(self.interval.end)
        answers = {
            "eq": Wanted(low=first, high=last),
            "gt": Wanted(reach=after),
            "lt": Wanted(high=before),
            "ge": Wanted(reach=first),
            "le": Wanted(high=last),
            "sa": Wanted(low=after),
            "eb": Wanted(high=before),
            "ap": Wanted(reach=first, high=last),
        }
        return answers.get(self.prefix)

    def earliest(self) -> int | None:
        """When an instant that matches may begin at the earliest; None if there is no such time."""
        answers = {
            "eq": self.interval.start,
            "ge": self.interval.start,
            "ap": self.interval.start,
            "gt": self.interval.end - _LONGEST_INSTANT,
            "sa": self.interval.end,
        }
        return answers.get(self.prefix)

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        wanted = self.wanted()
        return None if wanted is None else DAYS.ask(wanted)


def parse(text: str, now_ms: int) -> SoughtDate:
    """A date as queries write it: prefix and (partial) date. Raises BadValue.

    ``ap`` allows for a tenth of the time between the date and now, as the standard recommends.
    """
    found = _PREFIXED.fullmatch(text)
    prefix, written = (found[1] or "eq", found[2]) if found else ("eq", text)
    value = read(written.replace(" ", "+"))  # a form decodes the plus of a zone as a space
    if value is None:
        raise BadValue("write a date as YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm[:ss][zone]")
    if prefix == "ap":
        margin = max(abs(now_ms - value.start), abs(now_ms - value.end)) // _AP_SHARE
        value = Interval(value.start - margin, value.end + margin)
    return SoughtDate(prefix, value)

"""Stretches of time, and how FHIR writes them. All in milliseconds since the epoch, the end not included."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

FOREVER = 1 << 62
_DAY = timedelta(days=1)
_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII
)


class Span(NamedTuple):
    """From ``since`` until just before ``until``. It holds nothing when the two do not stand in that order."""

    since: int
    until: int

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, int) and self.since <= moment < self.until

    def within(self, other: "Span") -> "Span":
        """What both have in common."""
        return Span(max(self.since, other.since), min(self.until, other.until))


ALWAYS = Span(-FOREVER, FOREVER)
NEVER = Span(FOREVER, -FOREVER)


def moment(text: object) -> Span | None:
    """The time that a FHIR date, dateTime or instant stands for: "2026-05" is all of May; None if it is none.

    A date without a time has no zone in FHIR; it is taken as UTC, so that it means the same in every worker.
    """
    match = _DATE_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if hour is None:
            return Span(_milliseconds(start), _milliseconds(_after(start, month, day)))
        seconds = min(int(second), 59)  # FHIR allows the leap second, datetime does not
        start = start.replace(hour=int(hour), minute=int(minute), second=seconds) - _offset(zone)
    except (ValueError, OverflowError):
        return None
    since = _milliseconds(start) + int((fraction or "0")[:3].ljust(3, "0"))
    return Span(since, since + (1 if fraction else 1000))


def period(value: object) -> Span:
    """A FHIR Period, open where it says nothing; no Period is always, and one that cannot be read is never.

    The end is meant with all of its precision: a Period that ends "2026-05-03" holds on that day.
    """
    if value is None:
        return ALWAYS
    if not isinstance(value, Mapping):
        return NEVER
    start, end = _edge(value, "start"), _edge(value, "end")
    if start is None or end is None:
        return NEVER
    return Span(start.since, end.until)


def _edge(value: Mapping[str, Any], name: str) -> Span | None:
    return moment(value[name]) if name in value else ALWAYS


def _after(start: datetime, month: str | None, day: str | None) -> datetime:
    if day is not None:
        return start + _DAY
    if month is not None:
        return (start + timedelta(days=31)).replace(day=1)
    return (start + timedelta(days=366)).replace(month=1, day=1)


def _offset(zone: str) -> timedelta:
    if zone == "Z":
        return timedelta()
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return -size if zone[0] == "-" else size


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1000

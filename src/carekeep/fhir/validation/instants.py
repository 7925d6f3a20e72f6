"""Comparing FHIR dates and times of different precision."""

from datetime import date, datetime

_DAY_S = 86_400
# A date without a time zone is somewhere between the furthest zones that FHIR allows.
_ZONES_S = 14 * 3_600


def may_precede(start: str, end: str) -> bool:
    """Whether ``start`` can be before or at ``end``, both valid FHIR dates or times that may leave things open."""
    if "T" not in start and "T" not in end:
        shared = min(len(start), len(end))
        return start[:shared] <= end[:shared]
    return _bounds(start)[0] <= _bounds(end)[1]


def _bounds(text: str) -> tuple[float, float]:
    """The earliest and latest second that a date or time can mean."""
    if "T" in text:
        moment = datetime.fromisoformat(text.replace(":60", ":59") if ":60" in text else text)
        offset = moment.utcoffset()
        seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
        at = moment.toordinal() * _DAY_S + seconds - (offset.total_seconds() if offset else 0)
        return at, at
    year, _, rest = text.partition("-")
    month, _, day = rest.partition("-")
    first = date(int(year), int(month or 1), int(day or 1)).toordinal()
    longest = 1 if day else 31 if month else 366
    return first * _DAY_S - _ZONES_S, (first + longest) * _DAY_S + _ZONES_S

"""When the care happened that a record tells of: ``start`` and ``end`` of ``$everything`` (FHIR R4)."""

from functools import cache
from typing import Any

from carekeep.fhir.search.expressions import Path
from carekeep.fhir.search.parameters import search_parameters
from carekeep.fhir.search.values import dates

# Dates that tell of something else than care: of the record, of a life, of a value, of a package.
_OTHER = frozenset({"_lastUpdated", "birthdate", "death-date", "value-date", "expiration-date"})


def happened_within(resource: dict[str, Any], start: str | None, end: str | None) -> bool:
    """Whether the care may have happened between two FHIR dates, both included; None leaves an end open.

    A record spans from its first to its last date (a condition from its onset to its abatement); one without any date
    of care belongs to all times. Raises ValueError for what is no FHIR date.
    """
    first, last = _bound(start), _bound(end)
    spans = _spans(resource)
    if not spans:
        return True
    begins, ends = min(span.start for span in spans), max(span.end for span in spans)
    return (last is None or begins < last.end) and (first is None or ends > first.start)


def care_span_ms(resource: dict[str, Any]) -> tuple[int, int] | None:
    """From its first to its last date of care, in ms since 1970 (the end excluded); None for a record without any.

    Where a period has no end, the end is later than every date (``dates``).
    """
    spans = _spans(resource)
    return (min(span.start for span in spans), max(span.end for span in spans)) if spans else None


def instant_ms(text: str) -> int:
    """The start of what a FHIR date names, in ms since 1970. Raises ValueError for what is none."""
    return _read(text).start


def _spans(resource: dict[str, Any]) -> list[dates.Interval]:
    return [
        span
        for path in _paths(resource["resourceType"])
        for element in path.find(resource)
        if (span := dates.interval(path.type, element)) is not None
    ]


def _bound(text: str | None) -> dates.Interval | None:
    return None if text is None else _read(text)


def _read(text: str) -> dates.Interval:
    found = dates.read(text)
    if found is None:
        raise ValueError("this is no FHIR date")
    return found


@cache
def _paths(type_: str) -> tuple[Path, ...]:
    return tuple(
        path
        for parameter in search_parameters(type_).values()
        if parameter.type == "date" and parameter.code not in _OTHER
        for path in parameter.paths
    )

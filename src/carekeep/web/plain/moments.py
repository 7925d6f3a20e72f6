"""Dates of records as people say them: as exact as they were written, and no more."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carekeep.fhir import interval_of
from carekeep.web.plain.speech import Speech

Json = Mapping[str, Any]

_YEAR, _MONTH, _DAY = 4, 7, 10  # lengths of FHIR dates by their precision
# Where records say when they happened; the first that is there counts.
_TIMES: Final = (
    "effective", "performed", "occurrence", "onset", "start", "period", "authoredOn", "dateAsserted", "date",
    "recordedDate", "issued", "sent", "created",
)  # fmt: skip
_KINDS: Final = ("", "DateTime", "Date", "Period", "Instant", "Timing")
_WRITTEN: Final = re.compile(r"\d{4}(-\d{2}(-\d{2}(T.{1,40})?)?)?")


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was: ``words`` for people, ``year`` and ``at_ms`` (its beginning) to order it.

    Without a date, ``words`` is empty, and the year and the time are 0.
    """

    words: str = ""
    year: int = 0
    at_ms: int = 0
    written: str = ""


NEVER: Final = Moment()


def moment(speech: Speech, written: object) -> Moment:
    """A FHIR date, dateTime or instant."""
    interval = interval_of(written) if isinstance(written, str) and _WRITTEN.fullmatch(written) else None
    if interval is None or not isinstance(written, str):
        return NEVER
    return Moment(_words(speech, written, interval.start), int(written[:4]), interval.start, written)


def moment_of(speech: Speech, resource: Json) -> Moment:
    """When a record happened, as far as it says so: the beginning, for something that lasted."""
    for name in _TIMES:
        for kind in _KINDS:
            value = resource.get(name + kind)
            found = moment(speech, value.get("start") or value.get("end") if isinstance(value, Mapping) else value)
            if found.at_ms or found.words:
                return found
    return NEVER


def span(speech: Speech, start: object, end: object) -> str:
    """From when until when; what is not known is left out."""
    first, last = moment(speech, start).words, moment(speech, end).words
    if first and last and first != last:
        return speech.say("{start} to {end}", start=first, end=last)
    if first or not last:
        return first
    return speech.say("until {end}", end=last)


def _words(speech: Speech, written: str, start_ms: int) -> str:
    if len(written) == _YEAR:
        return written
    if len(written) == _MONTH:
        return speech.month(datetime.date(int(written[:4]), int(written[5:7]), 1))
    if len(written) == _DAY:
        return speech.day(datetime.date.fromisoformat(written))
    return speech.minute(datetime.datetime.fromtimestamp(start_ms / 1000, datetime.UTC))

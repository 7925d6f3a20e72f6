"""What comes next for a patient, and what waits to be read. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from carekeep.fhir import interval_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Coming:
    """The next appointment in words."""

    id: str
    when: str
    what: str
    who: str


def next_of(appointments: Iterable[Json]) -> Json | None:
    """The appointment that begins first."""
    return min((each for each in appointments if _start(each)), key=_start, default=None)


def _start(appointment: Json) -> int:
    start = appointment.get("start")
    interval = interval_of(start) if isinstance(start, str) else None
    return interval.start if interval else 0


def unread_of(communications: Iterable[Json], me: str) -> int:
    """How many messages to ``me`` (a reference) nobody has opened."""
    return sum(
        "received" not in each
        and (each.get("sender") or {}).get("reference") != me
        and any(recipient.get("reference") == me for recipient in each.get("recipient", ()))
        for each in communications
    )

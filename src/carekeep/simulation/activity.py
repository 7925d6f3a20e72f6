"""Who reads whose chart, minute by minute: ordinary work in shifts, and labelled misuse hidden in it.

The events are what an audit trail of the same hospital would hold; monitoring is tried on them. ``misuse`` is the truth
that a detector should find, and no detector may read it.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from carekeep.simulation.access_events import AccessEvent, moment, ward, work
from carekeep.simulation.hospital import Hospital
from carekeep.simulation.misuse import PATTERNS
from carekeep.simulation.streams import stream


def activity(
    hospital: Hospital, district: int, first: date, days: int, *, misuse_a_day: float
) -> Iterator[AccessEvent]:
    """The accesses of one district's team in ``days`` days from ``first`` on, in order of time.

    ``misuse_a_day`` is the chance (0 to 1) that one case of misuse, of a kind drawn at random, begins on a day.
    ValueError if nobody of the hospital's patients lives in the district.
    """
    place = ward(hospital, district)
    waiting: list[AccessEvent] = []
    for number in range(days):
        day = first + timedelta(days=number)
        random = stream(hospital.seed, "activity", district, day.isoformat())
        waiting += (event for clinician in place.staff.clinicians for event in work(random, place, clinician, day))
        if random.random() < misuse_a_day:
            waiting += random.choice(PATTERNS)(random, place, day)
        waiting.sort(key=_at)
        # A night shift reaches into tomorrow; what comes after midnight waits for tomorrow's events.
        ready = bisect_left(waiting, moment(day + timedelta(days=1), 0), key=_at)
        yield from waiting[:ready]
        del waiting[:ready]
    yield from waiting


def _at(event: AccessEvent) -> datetime:
    return event.at

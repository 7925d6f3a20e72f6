"""Which times are free: by kind of visit, place, clinician and week, all from the directory.

What is shown was read as a FHIR search would read it, and is in one ledger entry (``Disclosure``).
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from carekeep.fhir import parse_query
from carekeep.records import Stored
from carekeep.web.booking import rules
from carekeep.web.booking.rules import Time
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.passage import Passage

WEEKS_AHEAD: Final = 26
MOST_TIMES: Final = 150
_MOST_SCHEDULES = 60
_DAY_MS: Final = 86_400_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a patient looks for: ids of a HealthcareService, a Location and a Practitioner ("" for any), and a week.

    ``week`` is its Monday.
    """

    week: datetime.date
    service: str = ""
    place: str = ""
    clinician: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: an id and its name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A free time, with whom and where in words."""

    time: Time
    clinician: str
    place: str


@dataclass(frozen=True, slots=True)
class Offers:
    """Free times in order, and what else could be chosen. ``more``: there are more than are shown."""

    offers: tuple[Offer, ...]
    services: tuple[Choice, ...]
    places: tuple[Choice, ...]
    clinicians: tuple[Choice, ...]
    more: bool = False


def monday(day: datetime.date) -> datetime.date:
    """The Monday of a day's week."""
    return day - datetime.timedelta(days=day.weekday())


def week_of(text: str, now_ms: int) -> datetime.date:
    """The week that a page asks for (any day of it, ISO 8601), from this one to half a year ahead."""
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date()
    first, last = monday(today), monday(today) + datetime.timedelta(weeks=WEEKS_AHEAD)
    try:
        asked = monday(datetime.date.fromisoformat(text)) if text else first
    except (ValueError, OverflowError):
        asked = first
    return min(max(asked, first), last)


def name_of(resource: Json) -> str:
    """The name of a person, place or service in words."""
    name = resource.get("name")
    if isinstance(name, list):
        first = next((each for each in name if isinstance(each, dict)), {})
        parts = [*first.get("prefix", ()), *first.get("given", ()), first.get("family", "")]
        return first.get("text") or " ".join(part for part in parts if part) or "without a name"
    return name if isinstance(name, str) else "without a name"


def ordered(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Choices by their names, each once."""
    return tuple(sorted(dict.fromkeys(choices), key=lambda each: (each.name.casefold(), each.id)))


async def look_for(passage: Passage, wishes: Wishes, now_ms: int, usual: Iterable[str], asked: str) -> Offers:
    """The free times of a week. ``usual``: clinicians ("Practitioner/x") to look at when nothing is wished for.

    ``asked`` names the page in the ledger. Raises Problem (403).
    """
    search = _Search(passage)
    await search.disclosure.ask("Slot")
    services = await search.all("HealthcareService", [("active", "true")])
    roles = await search.roles(wishes, tuple(usual))
    schedules = await search.schedules(roles)
    times, more = await search.times(schedules, wishes.week, now_ms)
    people = [reference for role in roles if (reference := _of(role.resource, "practitioner"))]
    places = [each for role in roles for each in _all(role.resource, "location")]
    ends = [each for time in times for each in (time.clinician, time.place)]
    references = [{"reference": each} for each in dict.fromkeys((*people, *places, *ends)) if each]
    around = await search.disclosure.directory(references)
    search.disclosure.show(*around)
    await search.disclosure.record(asked)
    names = {stored.reference: name_of(stored.resource) for stored in around}
    offers = [
        Offer(each, names[each.clinician], names.get(each.place, "")) for each in times if each.clinician in names
    ]
    return Offers(
        tuple(each for each in offers if wishes.place in {"", each.time.place.removeprefix("Location/")}),
        ordered(_choice(stored) for stored in services),
        ordered(Choice(each.removeprefix("Location/"), names[each]) for each in places if each in names),
        ordered(Choice(each.removeprefix("Practitioner/"), names[each]) for each in people if each in names),
        more,
    )


class _Search:
    """Searches of the directory, each match decided by itself and shown."""

    def __init__(self, passage: Passage) -> None:
        self._vault = passage.services.vault
        self.disclosure = Disclosure(passage)

    async def all(self, type_: str, pairs: list[tuple[str, str]]) -> list[Stored]:
        """Every match that may be read."""
        query = parse_query(type_, pairs, lenient=False)
        shared = [each async for each in self._vault.search_all(query, ()) if not each.patients]
        shown = [await self.disclosure.shown(each, query) for each in shared]
        found = [each for each in shown if each is not None]
        self.disclosure.show(*found)
        return found

    async def roles(self, wishes: Wishes, usual: tuple[str, ...]) -> list[Stored]:
        """The roles in which clinicians see patients, as wished for."""
        pairs = [("active", "true")]
        if wishes.clinician:
            pairs.append(("practitioner", f"Practitioner/{wishes.clinician}"))
        if wishes.service:
            pairs.append(("service", f"HealthcareService/{wishes.service}"))
        if wishes.place:
            pairs.append(("location", f"Location/{wishes.place}"))
        if len(pairs) == 1:
            if not usual:
                return []
            pairs.append(("practitioner", ",".join(usual)))
        return (await self.all("PractitionerRole", pairs))[: _MOST_SCHEDULES * 4]

    async def schedules(self, roles: list[Stored]) -> list[Stored]:
        """The Schedules of these roles, or of whose they are."""
        actors = [each for role in roles for each in (role.reference, _of(role.resource, "practitioner")) if each]
        if not actors:
            return []
        found = await self.all("Schedule", [("actor", ",".join(dict.fromkeys(actors)))])
        return [each for each in found if each.resource.get("active") is not False][:_MOST_SCHEDULES]

    async def times(self, schedules: list[Stored], week: datetime.date, now_ms: int) -> tuple[list[Time], bool]:
        """What is free in a week, in order, and whether there is more of it than is shown."""
        if not schedules:
            return [], False
        ends = week + datetime.timedelta(days=7)
        by_name = {each.reference: each.resource for each in schedules}
        pairs = [
            ("schedule", ",".join(by_name)),
            ("status", "free"),
            ("start", f"ge{week.isoformat()}"),
            ("start", f"lt{ends.isoformat()}"),
        ]
        found = []
        query = parse_query("Slot", pairs, lenient=False)
        async for stored in self._vault.search_all(query, ()):
            owner = by_name.get(_of(stored.resource, "schedule"))
            time = rules.time_of(stored.resource, owner) if owner else None
            if time is not None and time.free and time.start_ms >= now_ms + rules.SOONEST_MS:
                found.append((time, stored))
        found.sort(key=lambda each: (each[0].start_ms, each[0].slot))
        shown = []
        for time, stored in found[:MOST_TIMES]:
            if (seen := await self.disclosure.shown(stored, query)) is not None:
                self.disclosure.show(seen)
                shown.append(time)
        return shown, len(found) > MOST_TIMES


def _choice(stored: Stored) -> Choice:
    return Choice(stored.id, name_of(stored.resource))


def _of(resource: Json, element: str) -> str:
    value = resource.get(element)
    reference = value.get("reference") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else ""


def _all(resource: Json, element: str) -> list[str]:
    return [each.get("reference", "") for each in resource.get(element, ()) if isinstance(each, dict)]

"""My patients: those of today first, then everybody whom one treats; and the search among them.

What is typed is sent in the body and stands in no address. What is shown is in the ledger first.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.access import Action, Decision
from carekeep.fhir import interval_of, parse_query
from carekeep.fhir.documents.words import concept_text, human_name, listed, several
from carekeep.records import Stored
from carekeep.web.browser import read_form
from carekeep.web.console.chart.items import Day, age_at, day
from carekeep.web.fhir.verdicts import Verdicts
from carekeep.web.http import Response
from carekeep.web.passage import together, what_of
from carekeep.web.sites import Visit, nothing_here

Json = dict[str, Any]
_MOST_PATIENTS: Final = 500
_MOST_TODAY: Final = 100
_DAY_MS: Final = 86_400_000
_LEAST_LETTERS: Final = 2
_LONGEST: Final = 100
_CALLED_OFF: Final = frozenset({"cancelled", "noshow", "entered-in-error"})


@dataclass(frozen=True, slots=True)
class Known:
    """A patient as the list shows them."""

    id: str
    name: str = field(repr=False)
    born: Day = field(repr=False)
    age: tuple[int, str] | None = field(repr=False)
    identifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Meeting:
    """An appointment or a visit of today; ``clock_ms`` is when it begins, None where only the day is known."""

    patient: Known = field(repr=False)
    clock_ms: int | None
    what: str = field(repr=False)
    status: str
    here: bool


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /patients``: the day and the panel. ``POST /patients``: the search among them."""
    if rest:
        raise nothing_here()
    sought = (await read_form(to.request)).get("sought").strip()[:_LONGEST] if method == "POST" else ""
    verdicts = Verdicts(to.passage)
    panel = await _panel(to, verdicts)
    if method == "POST":
        chosen = [stored for stored in panel if fits(stored.resource, sought)]
        await _record(to, verdicts, chosen, [], "a search among one's own patients")
        return to.page("patients.html", found=_known(to, chosen), sought=sought, meetings=(), panel=(), grants=())
    now = to.services.clock()
    events = await _events(to, verdicts, panel, now)
    await _record(to, verdicts, panel, events, "my patients")
    known = {each.id: each for each in _known(to, panel)}
    open_now = await to.services.break_glass.open_for(to.passage.principal)
    return to.page(
        "patients.html",
        found=None,
        sought="",
        meetings=meetings(events, known, now),
        panel=tuple(known.values()),
        grants=[(grant, known.get(grant.patient)) for grant in open_now],
        now_ms=now,
    )


def fits(patient: Json, sought: str) -> bool:
    """Whether it is the birth date or an identifier of the patient, or every word of it begins a word of a name."""
    if len(sought) < _LEAST_LETTERS:
        return False
    if sought == patient.get("birthDate") or any(sought == each.get("value") for each in patient.get("identifier", ())):
        return True
    names = listed(_all_names(name) for name in patient.get("name", ())).casefold().replace(",", " ").split()
    return all(any(part.startswith(word) for part in names) for word in sought.casefold().replace(",", " ").split())


def meetings(events: Iterable[Stored], known: dict[str, Known], now_ms: int) -> tuple[Meeting, ...]:
    """Appointments and visits of the day, in the order of the clock; those whom one is with come first."""
    found = []
    for stored in events:
        patient = next((known[each] for each in stored.patients if each in known), None)
        status = str(stored.resource.get("status", ""))
        if patient is None or status in _CALLED_OFF:
            continue
        begins = stored.resource.get("start") or stored.resource.get("period", {}).get("start")
        span = interval_of(begins)
        kinds = [*several(stored.resource.get("serviceType")), *several(stored.resource.get("type"))]
        what = listed(concept_text(each) for each in kinds) or str(stored.resource.get("description", ""))
        here = status in {"in-progress", "arrived", "triaged", "checked-in"}
        started = span.start if span is not None and _is_today(span.start, now_ms) else None
        found.append(Meeting(patient, started, what, status, here))
    return tuple(sorted(found, key=lambda each: (not each.here, each.clock_ms or 0)))


async def _panel(to: Visit, verdicts: Verdicts) -> list[Stored]:
    """The Patients whom one has to do with and may see, by name."""
    related = sorted(await to.services.relationships.panel(to.passage.principal))[:_MOST_PATIENTS]
    references = [f"Patient/{id_}" for id_ in related]
    found = [stored async for stored in to.services.vault.read_all(references)]
    shown = [each for stored in found if (each := await verdicts.shown(stored)) is not None]
    return sorted(shown, key=lambda stored: _family(stored.resource))


async def _events(to: Visit, verdicts: Verdicts, panel: list[Stored], now_ms: int) -> list[Stored]:
    """What one has today with these patients."""
    who = to.account.fhir_user
    if who is None or not panel:
        return []
    today = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC).date().isoformat()
    queries = [
        parse_query("Appointment", [("actor", who), ("date", today)], lenient=False),
        parse_query("Encounter", [("participant", who), ("date", today)], lenient=False),
    ]
    found: list[Stored] = []
    async for stored in to.services.vault.search_all(queries, [each.id for each in panel]):
        shown = await verdicts.shown(stored)
        if shown is not None and stored.resource.get("status") != "finished":
            found.append(shown)
        if len(found) == _MOST_TODAY:
            break
    return found


async def _record(to: Visit, verdicts: Verdicts, panel: list[Stored], events: list[Stored], what: str) -> None:
    shown = [*panel, *events]
    decision: Decision | None = together(list(dict.fromkeys(verdicts.decisions))) if shown else None
    await to.passage.record(
        Action.SEARCH,
        "permitted",
        decision=decision,
        what=tuple(map(what_of, shown)),
        patients=dict.fromkeys(patient for stored in shown for patient in stored.patients),
        query=what,
        reason="" if shown else "nobody was found",
    )


def _known(to: Visit, panel: Iterable[Stored]) -> tuple[Known, ...]:
    return tuple(known_of(stored, to.services.clock()) for stored in panel)


def known_of(stored: Stored, now_ms: int) -> Known:
    """A patient for the list."""
    found = stored.resource
    born = day(found.get("birthDate"))
    identifier = next((str(each["value"]) for each in found.get("identifier", ()) if each.get("value")), "")
    return Known(stored.id, human_name(found) or "?", born, age_at(born, now_ms), identifier)


def _family(patient: Json) -> tuple[str, str]:
    name: Json = next(iter(patient.get("name", ())), {})
    return str(name.get("family", "")).casefold(), human_name(patient).casefold()


def _all_names(name: Json) -> str:
    return " ".join((str(name.get("text", "")), *map(str, name.get("given", ())), str(name.get("family", ""))))


def _is_today(at_ms: int, now_ms: int) -> bool:
    return at_ms // _DAY_MS == now_ms // _DAY_MS

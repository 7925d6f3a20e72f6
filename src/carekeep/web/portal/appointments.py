"""My appointments: what comes and what was, a free time to book, and moving and cancelling."""

import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound
from carekeep.web.booking import NotBookable, Offers, Wishes, book, cancel, look_for, move
from carekeep.web.booking.offers import Offer, name_of, week_of
from carekeep.web.booking.rules import LONGEST_WORDS, time_of
from carekeep.web.browser import read_form, redirect
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.messaging.team import team_of
from carekeep.web.portal.appointment_views import AppointmentView, by_day, coming_and_past, nearest, view_of
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.sites import Visit, nothing_here

_HOME: Final = "/appointments"
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DONE: Final = frozenset({"booked", "moved", "cancelled"})


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/appointments``, ``/appointments/find``, ``/appointments/book``, ``/appointments/[id]`` and its acts."""
    patient = own_patient(to)
    match method, rest:
        case "GET", ():
            return await _list(to, patient)
        case "GET", ("find",):
            return await _find(to, patient)
        case "GET", ("book",):
            return await _confirm(to, patient)
        case "POST", ("book",):
            return await _book(to, patient)
        case "GET", (id_,) if _ID.fullmatch(id_):
            return await _one(to, patient, id_)
        case "POST", (id_, "move") if _ID.fullmatch(id_):
            return await _move(to, patient, id_)
        case "POST", (id_, "cancel") if _ID.fullmatch(id_):
            return await _cancel(to, patient, id_)
    raise nothing_here()


async def _list(to: Visit, patient: str) -> Response:
    disclosure = Disclosure(to.passage)
    await disclosure.ask("Appointment")
    query = parse_query("Appointment", [], lenient=False)
    own = [each async for each in to.services.vault.search_all(query, (patient,)) if patient in each.patients]
    shown = [await disclosure.shown(each) for each in own]
    found = [each for each in shown if each is not None]
    disclosure.show(*found)
    names = await _names(disclosure, [each.resource for each in found])
    await disclosure.record("portal: appointments")
    now = to.services.clock()
    views = [view_of(each.resource, f"Patient/{patient}", names, now) for each in found]
    coming, past = coming_and_past(view for view in views if view is not None)
    return to.page("appointments.html", coming=coming, past=past)


async def _one(to: Visit, patient: str, id_: str, *, status: int = 200, told: str = "", words: str = "") -> Response:
    view = await _view(to, patient, id_)
    done = _asked(to, "done")
    done = done if done in _DONE else ""
    return to.page(
        "appointment.html", status=status, view=view, done=done, told=told, words=words, longest=LONGEST_WORDS
    )


async def _view(to: Visit, patient: str, id_: str) -> AppointmentView:
    """One of my appointments, read and recorded. Raises 403, 404 for any other, recorded too."""
    disclosure = Disclosure(to.passage)
    stored = await disclosure.subject("Appointment", id_)
    disclosure.show(stored)
    names = await _names(disclosure, [stored.resource])
    await disclosure.record("portal: an appointment")
    view = view_of(stored.resource, f"Patient/{patient}", names, to.services.clock())
    if view is None:
        raise nothing_here()
    return view


async def _names(disclosure: Disclosure, resources: list[dict[str, Any]]) -> dict[str, str]:
    """The names of the people and places of these appointments, by reference; in the entry with them."""
    actors = [{"participant": each.get("participant", [])} for each in resources]
    found = await disclosure.directory(actors)
    disclosure.show(*found)
    return {stored.reference: name_of(stored.resource) for stored in found}


async def _find(to: Visit, patient: str) -> Response:
    """Free times of a week; for an appointment that is to be moved those of the same clinician."""
    moving = _asked(to, "move")
    view = await _view(to, patient, moving) if moving else None
    wishes = _wishes(to, view)
    offers = await _offers(to, patient, wishes)
    return to.page("appointments_find.html", **_found(to, wishes, offers, view))


def _found(to: Visit, wishes: Wishes, offers: Offers, view: AppointmentView | None, told: str = "") -> dict[str, Any]:
    """What the page of free times shows."""
    now = to.services.clock()
    earlier, later = (week_of((wishes.week + timedelta(days=days)).isoformat(), now) for days in (-7, 7))
    return {
        "days": by_day(offers.offers),
        "offers": offers,
        "wishes": wishes,
        "view": view,
        "told": told,
        "anything": bool(wishes.service or wishes.place or wishes.clinician),
        "earlier": _link(wishes, earlier.isoformat(), view) if earlier < wishes.week else "",
        "later": _link(wishes, later.isoformat(), view) if later > wishes.week else "",
        "key": str(uuid.uuid4()),
    }


def _link(wishes: Wishes, week: str, view: AppointmentView | None) -> str:
    pairs = {"service": wishes.service, "place": wishes.place, "clinician": wishes.clinician, "week": week}
    if view is not None:
        pairs = {"move": view.id, "week": week}
    return f"{_HOME}/find?" + urlencode({name: value for name, value in pairs.items() if value})


def _wishes(to: Visit, view: AppointmentView | None) -> Wishes:
    near = _day(view.start_ms) if view is not None else ""
    week = week_of(_asked(to, "week") or near, to.services.clock())
    if view is not None:
        return Wishes(week, clinician=view.clinician)
    return Wishes(week, _asked(to, "service"), _asked(to, "place"), _asked(to, "clinician"))


async def _offers(to: Visit, patient: str, wishes: Wishes) -> Offers:
    usual = [f"Practitioner/{each.id}" for each in await team_of(to.passage, patient)]
    return await look_for(to.passage, wishes, to.services.clock(), usual, "portal: free times")


async def _confirm(to: Visit, patient: str) -> Response:
    """One time, to look at once more before it is booked."""
    offer = await _offer(to, _asked(to, "slot"))
    if offer is None or not offer.time.free:
        return await _instead(to, patient, "That time was just taken.", offer)
    return to.page("appointments_book.html", offer=offer, key=str(uuid.uuid4()), words="", longest=LONGEST_WORDS)


async def _offer(to: Visit, slot: str) -> Offer | None:
    """A time of the directory, free or not; None for what is none."""
    disclosure = Disclosure(to.passage)
    try:
        stored = await disclosure.subject("Slot", slot or "none")
        schedule = await disclosure.subject("Schedule", stored.resource["schedule"]["reference"].partition("/")[2])
    except (NotFound, Forgotten):
        return None
    time = time_of(stored.resource, schedule.resource)
    around = await disclosure.directory(
        [{"reference": each} for each in ((time.clinician, time.place) if time else ())]
    )
    disclosure.show(stored, schedule, *around)
    await disclosure.record("portal: a free time")
    names = {each.reference: name_of(each.resource) for each in around}
    if time is None or time.clinician not in names:
        return None
    return Offer(time, names[time.clinician], names.get(time.place, ""))


async def _book(to: Visit, patient: str) -> Response:
    form = await read_form(to.request)
    slot, words, key = form.get("slot"), form.get("words"), form.get("key")
    tried = await _try(lambda: book(to.passage, patient, slot, words, key))
    if tried.refused is None:
        return redirect(f"{_HOME}/{key}?done=booked")
    return await _instead(to, patient, str(tried.refused), await _offer(to, slot))


async def _move(to: Visit, patient: str, id_: str) -> Response:
    form = await read_form(to.request)
    slot = form.get("slot")
    tried = await _try(lambda: move(to.passage, patient, id_, slot))
    if tried.refused is None:
        return redirect(f"{_HOME}/{id_}?done=moved")
    return await _instead(to, patient, str(tried.refused), await _offer(to, slot), moving=id_)


async def _cancel(to: Visit, patient: str, id_: str) -> Response:
    form = await read_form(to.request)
    words = form.get("words")
    tried = await _try(lambda: cancel(to.passage, patient, id_, words))
    if tried.refused is None:
        return redirect(f"{_HOME}/{id_}?done=cancelled")
    return await _one(to, patient, id_, status=422, told=str(tried.refused), words=words[:LONGEST_WORDS])


@dataclass(frozen=True, slots=True)
class _Tried:
    refused: NotBookable | None


async def _try(act: Callable[[], Awaitable[object]]) -> _Tried:
    try:
        await act()
    except NotBookable as refused:
        return _Tried(refused)
    return _Tried(None)


async def _instead(to: Visit, patient: str, told: str, offer: Offer | None, moving: str = "") -> Response:
    """Why it could not be, and the nearest other times of the same clinician."""
    now = to.services.clock()
    view = await _view(to, patient, moving) if moving else None
    clinician = offer.time.clinician.removeprefix("Practitioner/") if offer else ""
    at = offer.time.start_ms if offer else now
    week = week_of(_day(at), now)
    wishes = Wishes(week, clinician=view.clinician if view else clinician)
    offers = await _offers(to, patient, wishes)
    values = _found(to, wishes, offers, view, told)
    close = nearest(offers.offers, at)
    if close:
        values["days"] = by_day(close)
    return to.page("appointments_find.html", status=409, **values)


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _asked(to: Visit, name: str) -> str:
    """A parameter of the page's address, if it can be an id or a day."""
    value = dict(to.request.pairs()).get(name, "")
    return value if _ID.fullmatch(value) else ""

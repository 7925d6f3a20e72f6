"""Requests of my patients to correct their records: which wait, how long still, and the answer."""

import re
from dataclasses import dataclass, field
from typing import Final

from carekeep.records import Forgotten, NotFound
from carekeep.web.amending import NotAmendable, Wish, answer_request, requests_of
from carekeep.web.amending.asking import no_request
from carekeep.web.amending.rules import ACCEPTED, DENIED, LONGEST
from carekeep.web.booking.offers import name_of
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
ANSWERS: Final = {ACCEPTED: "Accept it", DENIED: "Deny it"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with whose it is, and the days that are left."""

    wish: Wish
    name: str = field(repr=False)
    left: int


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/amendments`` and ``/amendments/[id]``."""
    match method, rest:
        case "GET", ():
            asked = await _all(to, "console: requests to correct records")
            waiting = sorted((each for each in asked if each.wish.is_open), key=lambda each: each.wish.due_ms)
            return to.page("amendments.html", waiting=waiting, done=[each for each in asked if not each.wish.is_open])
        case "GET", (id_,) if _ID.fullmatch(id_):
            return await _one(to, id_, Form({}))
        case "POST", (id_,) if _ID.fullmatch(id_):
            return await _answer(to, id_)
    raise nothing_here()


async def _all(to: Visit, query: str) -> list[Asked]:
    """Those of the patients in sight, in one entry with the names."""
    panel = await to.passage.patients_in_sight() or frozenset()
    disclosure = Disclosure(to.passage)
    wishes = await requests_of(disclosure, to.passage, panel)
    names = {each: await _name(disclosure, to.passage, each) for each in dict.fromkeys(w.patient for w in wishes)}
    await disclosure.record(query)
    now = to.services.clock()
    return [Asked(wish, names[wish.patient], wish.days_left(now)) for wish in wishes]


async def _name(disclosure: Disclosure, passage: Passage, patient: str) -> str:
    try:
        stored = await passage.services.vault.read("Patient", patient)
    except (NotFound, Forgotten):
        return "?"
    shown = None if stored.deleted else await disclosure.shown(stored)
    if shown is None:
        return "?"
    disclosure.show(shown)
    return name_of(shown.resource)


async def _one(to: Visit, id_: str, form: Form, told: str = "") -> Response:
    known = await _all(to, "console: a request to correct a record")
    asked = next((each for each in known if each.wish.id == id_), None)
    if asked is None:
        raise no_request()
    status = 422 if told else 200
    return to.page("amendment.html", status=status, asked=asked, form=form, told=told, answers=ANSWERS, longest=LONGEST)


async def _answer(to: Visit, id_: str) -> Response:
    form = await read_form(to.request)
    who = to.account.fhir_user or ""
    if not who.startswith("Practitioner/"):
        raise nothing_here()
    try:
        await answer_request(to.passage, id_, who, form.get("answer"), form.get("text"))
    except NotAmendable as refused:
        return await _one(to, id_, form, str(refused))
    return redirect("/amendments")

"""Correct my record: asking for a correction, the answers, and what may be deleted at all."""

import re
import uuid
from typing import Final

from carekeep.web.amending import NotAmendable, ask_for, disagree, requests_of
from carekeep.web.amending.asking import no_request
from carekeep.web.amending.rules import LONGEST
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.browser.languages import language_of
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.plain import Speech
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.timeline import BY_TYPE, entry_of
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_RECORD: Final = re.compile(r"([A-Za-z]{1,64})/([A-Za-z0-9.-]{1,64})")


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/correct`` (``?about=Type/id``: a record that is wrong), ``/correct/[id]``, and a statement beside a denial."""
    patient = own_patient(to)
    match method, rest:
        case "GET", ():
            return await _page(to, patient, to.asked("about"), Form({}))
        case "POST", ():
            return await _ask(to, patient)
        case "GET", (id_,) if _ID.fullmatch(id_):
            return await _one(to, patient, id_, Form({}))
        case "POST", (id_, "disagree") if _ID.fullmatch(id_):
            return await _disagree(to, patient, id_)
    raise nothing_here()


async def _page(to: Visit, patient: str, about: str, form: Form, told: str = "") -> Response:
    name = await _name_of(to, about)
    disclosure = Disclosure(to.passage)
    wishes = await requests_of(disclosure, to.passage, (patient,))
    await disclosure.record("portal: requests to correct the record")
    return to.page(
        "correct.html",
        status=422 if told else 200,
        wishes=wishes,
        about=about,
        name=name,
        told=told,
        words=form.get("words"),
        key=form.get("key") or str(uuid.uuid4()),
        longest=LONGEST,
    )


async def _name_of(to: Visit, about: str) -> str:
    """What the record is called that a request is about. Raises 403, 404, recorded, for one that is not one's own."""
    if not about:
        return ""
    found = _RECORD.fullmatch(about)
    if found is None or found[1] not in BY_TYPE:
        raise nothing_here()
    own = await OwnRecords.of(to)
    stored = await own.read(found[1], found[2])
    own.show([stored])
    await own.record(stored.reference)
    return entry_of(Speech.of(language_of(to.request)), stored.resource).name.plain


async def _ask(to: Visit, patient: str) -> Response:
    form = await read_form(to.request)
    about = form.get("about")
    await _name_of(to, about)
    try:
        made = await ask_for(to.passage, patient, about, form.get("words"), form.get("key"))
    except NotAmendable as refused:
        return await _page(to, patient, about, form, str(refused))
    return redirect(f"/correct/{made}")


async def _one(to: Visit, patient: str, id_: str, form: Form, told: str = "") -> Response:
    """Raises 404 for a request that is none of the patient's; recorded."""
    disclosure = Disclosure(to.passage)
    wishes = await requests_of(disclosure, to.passage, (patient,))
    await disclosure.record("portal: a request to correct the record")
    wish = next((each for each in wishes if each.id == id_), None)
    if wish is None:
        raise no_request()
    status, words = 422 if told else 200, form.get("words")
    return to.page("correct_request.html", status=status, wish=wish, told=told, words=words, longest=LONGEST)


async def _disagree(to: Visit, patient: str, id_: str) -> Response:
    form = await read_form(to.request)
    try:
        await disagree(to.passage, patient, id_, form.get("words"))
    except NotAmendable as refused:
        return await _one(to, patient, id_, form, str(refused))
    return redirect(f"/correct/{id_}")

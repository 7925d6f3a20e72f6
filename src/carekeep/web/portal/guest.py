"""For outside clinicians: an invitation is taken up in a browser, and then one patient's record is read, for a time.

The invitation stands after the ``#`` of the link, which browsers send to no server. Who took it up is known by a cookie
with the guest's token: it can do here what the token can do by FHIR, which is to read, and ends when the access ends.
"""

from typing import Final

from carekeep.access import default_purpose
from carekeep.identity import Principal, TokenRefused
from carekeep.web.browser import cookie, drop_cookie, read_cookie, read_form, redirect
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.operations.everything import chart
from carekeep.web.http import Response
from carekeep.web.papers import chart_paper
from carekeep.web.plain_json import id_of
from carekeep.web.problems import Problem
from carekeep.web.sharing.guests import prove
from carekeep.web.sites import Visit, nothing_here

_COOKIE: Final = "guest"
_HOME: Final = "/guest"
_MOST: Final = 1_500
_REFUSED: Final = 401
_TITLE: Final = "The record"


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/guest``: the form, or the record of who took up an invitation; ``/guest/leave``: away from this browser."""
    match method, rest:
        case "GET", ():
            return await _read(to)
        case "POST", ():
            return await _prove(to)
        case "POST", ("leave",):
            return redirect(_HOME, drop_cookie(_COOKIE))
    raise nothing_here()


async def _prove(to: Visit) -> Response:
    form = await read_form(to.request)
    try:
        let_in = await prove(to.passage, form.get("invitation")[:300], form.get("code")[:20])
    except Problem as refused:
        if refused.status != _REFUSED:
            raise
        return to.page("guest.html", status=422, problem=refused.issues[0].diagnostics)
    seconds = (let_in.guest.expires_ms - to.services.clock()) // 1000
    return redirect(_HOME, cookie(_COOKIE, let_in.token.reveal_text(), same_site="Lax", seconds=seconds))


async def _read(to: Visit) -> Response:
    """The record, as far as the invitation reaches: decided one by one, and a disclosure before it is shown."""
    principal = await _guest(to)
    if principal is None:
        return to.page("guest.html", problem="")
    to.passage.principal, to.passage.purpose = principal, default_purpose(principal.kind)
    to.passage.describe(principal)
    patient_id = (principal.delegation.patient or "") if principal.delegation else ""
    disclosure = Disclosure(to.passage)
    patient = await disclosure.subject("Patient", patient_id)
    shown, more = [patient], False
    async for _, stored in chart(to.passage, patient_id):
        seen = await disclosure.shown(stored)
        if seen is None or seen.reference == patient.reference:
            continue
        if more := len(shown) > _MOST:
            break
        shown.append(seen)
    disclosure.show(*shown)
    await disclosure.record(f"Patient/{patient_id}/$everything")
    paper = chart_paper(_TITLE, patient.resource, [each.resource for each in shown], [])
    guest = await to.services.sharing.guests.get(id_of(principal.account_id) or b"")
    return to.page("guest_record.html", paper=paper, more=more, until_ms=guest.ends_ms if guest else None)


async def _guest(to: Visit) -> Principal | None:
    """Who sits there, if their access is not over; the token of any other kind is none here."""
    try:
        return await to.services.sharing.guests.authenticate(read_cookie(to.request, _COOKIE) or "")
    except TokenRefused:
        return None

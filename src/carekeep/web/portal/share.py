"""Share my record: links that only whoever has them can read, and outside clinicians who are invited for a time.

The summary is fetched, encrypted and put into a link by a script of this page (``static/share.js``): the key is made in
the browser and stays there. What comes here is ciphertext.
"""

import re
from collections.abc import Awaitable
from typing import Any, Final

from carekeep.access import Action, Decision, Target
from carekeep.audit import About, Entry, Subject
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.fhir.operations.summary import summary
from carekeep.web.http import Response, number
from carekeep.web.plain_json import Given, told
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.portal.sharing_views import guest_view, link_view, openings_of
from carekeep.web.problems import Problem
from carekeep.web.sharing import guests, links
from carekeep.web.sharing.looking import Look
from carekeep.web.sites import Visit, nothing_here

_HOME: Final = "/share"
_ID: Final = re.compile(r"[0-9a-f]{32}")
_EXAMINED: Final = 500  # disclosures that are looked through for openings
_DAY_S: Final = 24 * 3600
_GUEST_DAYS: Final = (1, 7, 30)
_LONGEST_TEXT: Final = 300
_UNPROCESSABLE: Final = 422
_FIELDS: Final = ("name", "organization", "address", "days", "sensitive")


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/share`` and what its forms and its script ask."""
    patient = own_patient(to)
    match method, rest:
        case "GET", ():
            return await _page(to, patient)
        case "GET", ("summary",):
            return await _for_script(summary(to.passage, "Patient", patient))
        case "POST", ("links",):
            return await _for_script(links.create(to.passage))
        case "POST", ("links", id_, "end") if _ID.fullmatch(id_):
            await links.end(to.passage, id_)
            return redirect(_HOME)
        case "POST", ("guests",):
            return await _invite(to, patient)
        case "POST", ("guests", id_, "end") if _ID.fullmatch(id_):
            await guests.end(to.passage, id_)
            return redirect(_HOME)
    raise nothing_here()


async def _for_script(work: Awaitable[Response]) -> Response:
    """The answer to our script, which tells the person in words what could not be done."""
    try:
        return await work
    except Problem as refused:
        text = " ".join(issue.diagnostics for issue in refused.issues)
        return told({"text": text}, refused.status).with_headers(*refused.headers)


async def _page(to: Visit, patient: str, *, status: int = 200, **more: Any) -> Response:
    target = Target("Patient", (patient,))
    decision = await to.require(Action.LINK_MANAGE, target)
    may_invite = await to.passage.judge(Action.GUEST_MANAGE, target)
    services, now = to.services, to.services.clock()
    made = await services.sharing.links.of_patient(patient)
    invited = await services.sharing.guests.of_patient(patient) if may_invite.permitted else ()
    openings = openings_of(await _disclosures(to, patient)) if made else {}
    values: dict[str, Any] = {
        "made": [link_view(each, openings.get(each.id, ()), now) for each in made],
        "may_invite": may_invite.permitted,
        "guests": [guest_view(each, now) for each in invited],
        "categories": services.labelling.rules.categories,
        "days": _GUEST_DAYS,
        "given": dict.fromkeys((*_FIELDS, "until"), ""),
        "problem": "",
        "questions": (),
        "confirmation": "",
        "handed": None,
        **more,
    }
    await _record(to, patient, decision, f"portal: {len(made)} links and {len(invited)} guests were listed")
    return to.page("share.html", status=status, **values)


async def _record(to: Visit, patient: str, decision: Decision, query: str) -> None:
    await to.passage.record(Action.LINK_MANAGE, "permitted", decision=decision, patients=(patient,), query=query)


async def _disclosures(to: Visit, patient: str) -> list[Entry]:
    """The newest entries by which something of the patient left."""
    found = []
    async for followed in to.services.entry_index.newest_first(Subject(About.DISCLOSURE, patient)):
        found.append(followed.entry)
        if len(found) >= _EXAMINED:
            break
    return found


async def _invite(to: Visit, patient: str) -> Response:
    """By the form: with what is asked first, what was wrong with it, or the code that is shown once."""
    form = await read_form(to.request)
    order = _order(form, patient, to.services.clock())
    given = {name: form.get(name)[:_LONGEST_TEXT] for name in _FIELDS} | {"until": str(order.members["exp"])}
    try:
        made = await guests.invite(to.passage, order)
    except Problem as refused:
        if refused.status != _UNPROCESSABLE:
            raise
        text = " ".join(issue.diagnostics for issue in refused.issues)
        return await _page(to, patient, status=_UNPROCESSABLE, given=given, problem=text)
    if isinstance(made, Look):
        texts = tuple(question.text for question in made.questions)
        return await _page(to, patient, given=given, questions=texts, confirmation=made.confirmation)
    handed = {
        "name": made.guest.name,
        "code": made.code.reveal_text(),
        "link": "" if to.services.post else guests.invitation_link(to.services, made),
    }
    return await _page(to, patient, handed=handed)


def _order(form: Form, patient: str, now_ms: int) -> Given:
    """What ``/guests`` takes. ``until`` is of the first form, so that a yes is to the very same invitation."""
    seconds = (number(form.get("days")) or _GUEST_DAYS[1]) * _DAY_S
    members = {
        "patient": patient,
        "name": form.get("name").strip(),
        "organization": form.get("organization").strip(),
        "address": form.get("address").strip(),
        "sensitive": form.get("sensitive") == "yes",
        "exp": number(form.get("until")) or now_ms // 1000 + seconds,
        "confirmation": form.get("confirmation"),
    }
    return Given(members)

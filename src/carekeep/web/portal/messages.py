"""Messages with my care team: threads, writing to one of them, what goes along, and a second look before it goes."""

import re
import uuid
from typing import Final

from carekeep.web.attachments import LARGEST, AttachmentRefused, Checked, as_file, check
from carekeep.web.browser import Form, redirect
from carekeep.web.browser.uploads import Upload, read_upload
from carekeep.web.http import Response, number
from carekeep.web.messaging import Draft, NotSendable, Thread, attached, send
from carekeep.web.messaging.looks import doubts
from carekeep.web.messaging.reading import Mail, opened, read_mail
from carekeep.web.messaging.sending import LONGEST_SUBJECT, LONGEST_TEXT
from carekeep.web.messaging.team import Member
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PERSON: Final = "Practitioner/"


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/messages``, ``/messages/new?to=…``, ``/messages/[id]``, ``/messages/[id]/[number]`` for what goes along."""
    patient = own_patient(to)
    match method, rest:
        case "GET", ():
            mail = await _mail(to, patient, "messages: all")
            return to.page("messages.html", mail=mail, mine=_me(patient))
        case "GET", ("new",):
            return await _new(to, patient)
        case "POST", ("new",):
            return await _send(to, patient, "")
        case "GET", (id_,) if _ID.fullmatch(id_):
            return await _thread(to, patient, id_)
        case "POST", (id_,) if _ID.fullmatch(id_):
            return await _send(to, patient, id_)
        case "GET", (id_, place) if _ID.fullmatch(id_) and number(place) is not None:
            return as_file(*await attached(to.passage, id_, int(place)))
    raise nothing_here()


def _me(patient: str) -> frozenset[str]:
    return frozenset({f"Patient/{patient}"})


async def _mail(to: Visit, patient: str, asked: str) -> Mail:
    return await read_mail(to.passage, (patient,), _me(patient), asked, team=True)


async def _new(to: Visit, patient: str) -> Response:
    """Who it is for; then what it says."""
    mail = await _mail(to, patient, "messages: a new one")
    asked = dict(to.request.pairs()).get("to", "")
    member = next((each for each in mail.team if each.id == asked), None)
    if member is None:
        return to.page("messages_to.html", mail=mail)
    return _page(to, mail, member, None, Form({}))


async def _thread(to: Visit, patient: str, id_: str) -> Response:
    mail = await opened(to.passage, (patient,), _me(patient), id_, team=True)
    thread = mail.thread(id_)
    return _page(to, mail, _other(mail, thread, patient), thread, Form({}))


def _other(mail: Mail, thread: Thread | None, patient: str) -> Member | None:
    """With whom a thread is, if they are still of the care team."""
    end = thread.other_end(_me(patient)) if thread else ""
    return next((each for each in mail.team if f"{_PERSON}{each.id}" == end), None)


async def _send(to: Visit, patient: str, id_: str) -> Response:
    form, upload = await read_upload(to.request, "file", LARGEST)
    mail = await _mail(to, patient, "messages: before one is sent")
    thread = mail.thread(id_) if id_ else None
    if id_ and thread is None:
        raise nothing_here()
    given = form.get("to")
    member = _other(mail, thread, patient) if thread else next((each for each in mail.team if each.id == given), None)
    if member is None:
        return to.page("messages_to.html", status=422, mail=mail)
    asked = () if form.get("sure") == "yes" else _doubts(mail, member, form, patient)
    if asked:
        return _page(to, mail, member, thread, form, asked=asked, again=upload is not None)
    try:
        draft = Draft(
            key=form.get("key"),
            patient=patient,
            sender=f"Patient/{patient}",
            recipient=f"{_PERSON}{member.id}",
            text=form.get("text"),
            subject="" if thread else form.get("subject"),
            thread=thread.id if thread else "",
            answers=thread.last.id if thread else "",
            attachment=await _attachment(to, upload),
        )
        sent = await send(to.passage, draft)
    except (AttachmentRefused, NotSendable) as refused:
        return _page(to, mail, member, thread, form, told=str(refused))
    return redirect(f"/messages/{thread.id if thread else sent}#last")


async def _attachment(to: Visit, upload: Upload | None) -> Checked | None:
    return None if upload is None else await check(upload.name, upload.content, to.services.scanner)


def _doubts(mail: Mail, member: Member, form: Form, patient: str) -> tuple[str, ...]:
    me = f"Patient/{patient}"
    reference = f"{_PERSON}{member.id}"
    wrote = any(
        message.sender == me and reference in message.recipients
        for thread in mail.threads
        for message in thread.messages
    )
    heard = any(message.sender == reference for thread in mail.threads for message in thread.messages)
    others = [each.name for each in mail.team]
    said = f"{form.get('subject')} {form.get('text')}"
    return doubts(said, member.name, others, first=not (wrote or heard))


def _page(
    to: Visit,
    mail: Mail,
    member: Member | None,
    thread: Thread | None,
    form: Form,
    *,
    told: str = "",
    asked: tuple[str, ...] = (),
    again: bool = False,
) -> Response:
    """A thread with a place to write, or a new message; what was typed stays."""
    return to.page(
        "messages_thread.html",
        status=422 if told or asked else 200,
        mail=mail,
        mine=_me(own_patient(to)),
        member=member,
        thread=thread,
        told=told,
        asked=asked,
        again=again,
        text=form.get("text"),
        subject=form.get("subject"),
        key=form.get("key") or str(uuid.uuid4()),
        longest=LONGEST_TEXT,
        longest_subject=LONGEST_SUBJECT,
        pdf=to.services.scanner is not None,
    )

"""Messages from patients: the clinician reads those of their own patients, and answers."""

import re
import uuid
from typing import Final

from carekeep.web.attachments import LARGEST, AttachmentRefused, as_file, check
from carekeep.web.browser import Form, redirect
from carekeep.web.browser.uploads import read_upload
from carekeep.web.http import Response, number
from carekeep.web.messaging import Draft, NotSendable, Thread, attached, send
from carekeep.web.messaging.looks import doubts
from carekeep.web.messaging.reading import Mail, opened, read_mail
from carekeep.web.messaging.sending import LONGEST_TEXT
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PERSON: Final = "Practitioner/"


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/messages`` (``?all=1``: also those to colleagues), ``/messages/[id]``, and what goes along with them."""
    match method, rest:
        case "GET", ():
            return await _list(to)
        case "GET", (id_,) if _ID.fullmatch(id_):
            return await _thread(to, id_)
        case "POST", (id_,) if _ID.fullmatch(id_):
            return await _reply(to, id_)
        case "GET", (id_, place) if _ID.fullmatch(id_) and number(place) is not None:
            return as_file(*await attached(to.passage, id_, int(place)))
    raise nothing_here()


async def _panel(to: Visit) -> frozenset[str]:
    return await to.passage.patients_in_sight() or frozenset()


async def _me(to: Visit) -> frozenset[str]:
    return await to.services.relationships.names_of(to.passage.principal)


async def _list(to: Visit) -> Response:
    me = await _me(to)
    mail = await read_mail(to.passage, await _panel(to), me, "messages: all")
    everything = "all" in dict(to.request.pairs())
    shown = [thread for thread in mail.threads if everything or _takes_part(thread, me)]
    return to.page("messages_of_patients.html", mail=mail, threads=shown, everything=everything, mine=me)


def _takes_part(thread: Thread, me: frozenset[str]) -> bool:
    return any(message.mine or not me.isdisjoint(message.recipients) for message in thread.messages)


async def _thread(to: Visit, id_: str) -> Response:
    me = await _me(to)
    mail = await opened(to.passage, await _panel(to), me, id_)
    return _page(to, mail, me, mail.thread(id_), Form({}))


async def _reply(to: Visit, id_: str) -> Response:
    form, upload = await read_upload(to.request, "file", LARGEST)
    me, panel = await _me(to), await _panel(to)
    mail = await read_mail(to.passage, panel, me, "messages: before one is sent")
    thread = mail.thread(id_)
    patient = thread.patient.removeprefix("Patient/") if thread else ""
    sender = to.account.fhir_user or ""
    if thread is None or patient not in panel or not sender.startswith(_PERSON):
        raise nothing_here()
    name = mail.names.get(thread.patient, "")
    others = [said for reference, said in mail.names.items() if reference.startswith("Patient/")]
    asked = () if form.get("sure") == "yes" else doubts(form.get("text"), name, others, first=False)
    if asked:
        return _page(to, mail, me, thread, form, asked=asked, again=upload is not None)
    try:
        attachment = None if upload is None else await check(upload.name, upload.content, to.services.scanner)
        await send(
            to.passage,
            Draft(
                key=form.get("key"),
                patient=patient,
                sender=sender,
                recipient=thread.patient,
                text=form.get("text"),
                thread=thread.id,
                answers=thread.last.id,
                attachment=attachment,
            ),
        )
    except (AttachmentRefused, NotSendable) as refused:
        return _page(to, mail, me, thread, form, told=str(refused))
    return redirect(f"/messages/{thread.id}#last")


def _page(
    to: Visit,
    mail: Mail,
    me: frozenset[str],
    thread: Thread | None,
    form: Form,
    *,
    told: str = "",
    asked: tuple[str, ...] = (),
    again: bool = False,
) -> Response:
    return to.page(
        "messages_of_patient.html",
        status=422 if told or asked else 200,
        mail=mail,
        mine=me,
        thread=thread,
        told=told,
        asked=asked,
        again=again,
        text=form.get("text"),
        key=form.get("key") or str(uuid.uuid4()),
        longest=LONGEST_TEXT,
        pdf=to.services.scanner is not None,
    )

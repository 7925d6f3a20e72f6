"""Sending a message, noting that it was opened, and reading what goes along with it."""

import base64
import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from carekeep.access import Action
from carekeep.fhir import format_instant
from carekeep.identity import Kind
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.attachments import Checked
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.writing import Operation, Plan, carry_out_plan
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

Json = dict[str, Any]
LONGEST_TEXT: Final = 5_000
LONGEST_SUBJECT: Final = 120
_KEY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/communication-category"


class NotSendable(Exception):
    """The message cannot go as it is; the text says why, to whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is about to be sent, of ``sender`` to ``recipient`` (references), about ``patient`` (an id).

    ``key`` is the id that it gets; ``thread`` and ``answers`` are ids of Communications, "" for a new thread.
    """

    key: str
    patient: str
    sender: str
    recipient: str
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    thread: str = ""
    answers: str = ""
    attachment: Checked | None = field(default=None, repr=False)

    def checked(self) -> "Draft":
        """The draft with its words as they are kept. Raises NotSendable."""
        text = _CONTROL.sub("", self.text.replace("\r\n", "\n")).strip()
        subject = " ".join(_CONTROL.sub(" ", self.subject).split())
        if not text:
            raise NotSendable("Please write something.")
        if len(text) > LONGEST_TEXT:
            raise NotSendable(f"Please write at most {LONGEST_TEXT} characters.")
        if not _KEY.fullmatch(self.key):
            raise NotSendable("This form was used before. Please write the message again.")
        return replace(self, text=text, subject=subject[:LONGEST_SUBJECT])


async def send(passage: Passage, draft: Draft) -> str:
    """Keep a message; its id. The same form sent twice is one message. Raises NotSendable, Problem (403).

    Whether the recipient is one to write to, whoever calls has asked.
    """
    draft = draft.checked()
    asks = Action.MESSAGE_SEND if passage.principal.kind is Kind.PATIENT else None

    async def plan() -> Plan:
        if await _is_done(passage, draft):
            return Plan(())
        message = communication(draft, passage.services.clock())
        operations = [Operation("Communication", draft.key, message, creates=True, asks=asks)]
        if draft.attachment is not None:
            binary = _binary(draft, draft.attachment)
            operations.append(Operation("Binary", binary["id"], binary, creates=True, asks=asks))
        return Plan(operations)

    await carry_out_plan(passage, asks or Action.CREATE, plan)
    return draft.key


def communication(draft: Draft, now_ms: int) -> Json:
    """The Communication that a draft becomes."""
    payload: list[Json] = [{"contentString": draft.text}]
    if draft.attachment is not None:
        payload.append({"contentAttachment": _described(draft, draft.attachment)})
    resource: Json = {
        "resourceType": "Communication",
        "id": draft.key,
        "status": "completed",
        "category": [{"coding": [{"system": _CATEGORY, "code": "notification", "display": "Notification"}]}],
        "subject": {"reference": f"Patient/{draft.patient}"},
        "sent": format_instant(now_ms),
        "sender": {"reference": draft.sender},
        "recipient": [{"reference": draft.recipient}],
        "payload": payload,
    }
    if draft.subject:
        resource["topic"] = {"text": draft.subject}
    if draft.thread:
        resource["partOf"] = [{"reference": f"Communication/{draft.thread}"}]
    if draft.answers:
        resource["inResponseTo"] = [{"reference": f"Communication/{draft.answers}"}]
    return resource


async def mark_received(passage: Passage, messages: list[Stored]) -> None:
    """Note that these were opened by whom they are for. What may not be noted, or changed meanwhile, stays new."""
    if not messages:
        return
    asks = Action.MESSAGE_SEND if passage.principal.kind is Kind.PATIENT else None
    now = format_instant(passage.services.clock())

    async def plan() -> Plan:
        operations = []
        for stored in messages:
            current = await passage.services.vault.read("Communication", stored.id)
            if not current.deleted and "received" not in current.resource:
                noted = {**current.resource, "received": now}
                operations.append(
                    Operation("Communication", stored.id, noted, found_version=current.version, asks=asks)
                )
        return Plan(operations)

    try:
        await carry_out_plan(passage, asks or Action.UPDATE, plan)
    except (Problem, NotFound, Forgotten):
        return


async def attached(passage: Passage, id_: str, number: int) -> tuple[str, str, bytes]:
    """Name, type and content of what goes along with a message; read and recorded. Raises Problem (403, 404)."""
    disclosure = Disclosure(passage)
    message = await disclosure.subject("Communication", id_)
    payload = message.resource.get("payload", [])
    content = payload[number].get("contentAttachment", {}) if number < len(payload) else {}
    reference = str(content.get("url", ""))
    if not reference.startswith("Binary/"):
        await passage.record(Action.READ, "failed", reason="no such attachment")
        raise problem(404, "not-found", "There is no such attachment.")
    binary = await disclosure.subject("Binary", reference.removeprefix("Binary/"))
    if not set(binary.patients) <= set(message.patients):  # a message cannot hand out what is not of its own patient
        await passage.record(Action.READ, "denied", reason="the attachment is of another record")
        raise problem(404, "not-found", "There is no such attachment.")
    disclosure.show(message, binary)
    await disclosure.record(f"Communication/{id_}: attachment {number}")
    data = base64.b64decode(str(binary.resource.get("data", "")))
    return str(content.get("title", "")) or "attachment", str(binary.resource.get("contentType", "")), data


async def _is_done(passage: Passage, draft: Draft) -> bool:
    """Whether this very form was sent before. Raises NotSendable when the id is of something else."""
    try:
        known = await passage.services.vault.read("Communication", draft.key)
    except (NotFound, Forgotten):
        return False
    sender = {} if known.deleted else known.resource.get("sender", {})
    if known.patients != (draft.patient,) or sender.get("reference") != draft.sender:
        raise NotSendable("This form was used before. Please write the message again.")
    return True


def _described(draft: Draft, attachment: Checked) -> Json:
    return {
        "contentType": attachment.kind,
        "url": f"Binary/{_binary_id(draft)}",
        "size": len(attachment.content),
        "title": attachment.name,
    }


def _binary(draft: Draft, attachment: Checked) -> Json:
    return {
        "resourceType": "Binary",
        "id": _binary_id(draft),
        "contentType": attachment.kind,
        "securityContext": {"reference": f"Communication/{draft.key}"},
        "data": base64.b64encode(attachment.content).decode(),
    }


def _binary_id(draft: Draft) -> str:
    return f"{draft.key}-1"

"""Communications as people read them: messages in threads, who wrote, what is new. Pure.

FHIR R4, Communication: ``partOf`` names the first message of a thread, ``inResponseTo`` the one that is answered,
``received`` is when it was opened by whom it is for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.web.booking.rules import moment_of

Json = dict[str, Any]
_LOCAL: Final = "Communication/"
_SHOWN: Final = frozenset({"completed", "in-progress"})
_LONGEST_SUBJECT: Final = 120


@dataclass(frozen=True, slots=True)
class Attachment:
    """What goes along with a message: its place among the payloads, name, type and size in bytes."""

    number: int
    name: str = field(repr=False)
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``sender``, ``recipients``: references; ``mine``: the reader wrote it; ``unread``: it is new."""

    id: str
    sent_ms: int
    sender: str
    recipients: tuple[str, ...]
    text: str = field(repr=False)
    mine: bool
    unread: bool
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread:
    """Messages that answer each other, oldest first. ``id`` is that of the first; ``patient`` whom they are about."""

    id: str
    subject: str = field(repr=False)
    patient: str
    messages: tuple[Message, ...]

    @property
    def last(self) -> Message:
        """The newest."""
        return self.messages[-1]

    @property
    def unread(self) -> int:
        """How many are new to the reader."""
        return sum(message.unread for message in self.messages)

    def other_end(self, me: frozenset[str]) -> str:
        """The reference of the one whom the reader (``me``: their references) writes with; "" where there is none."""
        for message in reversed(self.messages):
            for name in (message.sender, *message.recipients):
                if name and name not in me:
                    return name
        return ""


def threads_of(communications: Iterable[Json], me: frozenset[str]) -> tuple[Thread, ...]:
    """The threads among these, the one with the newest message first."""
    by_id = {str(each.get("id")): each for each in communications if _is_message(each)}
    groups: dict[str, list[Json]] = {}
    for each in by_id.values():
        groups.setdefault(_root(each, by_id), []).append(each)
    threads = [_thread(root, found, by_id, me) for root, found in groups.items()]
    return tuple(sorted(threads, key=lambda thread: (-thread.last.sent_ms, thread.id)))


def message_of(communication: Json, me: frozenset[str]) -> Message:
    """One Communication as its reader sees it."""
    sender = _reference(communication.get("sender"))
    recipients = tuple(filter(None, (_reference(each) for each in communication.get("recipient", ()))))
    payload = list(communication.get("payload", ()))
    texts = [str(each["contentString"]) for each in payload if "contentString" in each]
    return Message(
        id=str(communication.get("id")),
        sent_ms=moment_of(communication.get("sent")) or 0,
        sender=sender,
        recipients=recipients,
        text="\n\n".join(texts),
        mine=sender in me,
        unread="received" not in communication and sender not in me and not me.isdisjoint(recipients),
        attachments=tuple(
            _attachment(number, each["contentAttachment"])
            for number, each in enumerate(payload)
            if "contentAttachment" in each
        ),
    )


def _is_message(communication: Json) -> bool:
    return communication.get("status") in _SHOWN and bool(_reference(communication.get("sender")))


def _root(communication: Json, by_id: Mapping[str, Json]) -> str:
    """The id of the first message of its thread; a chain of answers is followed, and a circle is left."""
    seen: list[str] = []
    here = communication
    while (id_ := str(here.get("id"))) not in seen:
        seen.append(id_)
        before = [_reference(each) for name in ("partOf", "inResponseTo") for each in here.get(name, ())]
        known = [each.removeprefix(_LOCAL) for each in before if each.removeprefix(_LOCAL) in by_id]
        if not known:
            return id_
        here = by_id[known[0]]
    return min(seen)


def _thread(root: str, found: list[Json], by_id: Mapping[str, Json], me: frozenset[str]) -> Thread:
    messages = sorted((message_of(each, me) for each in found), key=lambda each: (each.sent_ms, each.id))
    first = by_id[root]
    topic = first.get("topic", {})
    subject = str(topic.get("text", ""))[:_LONGEST_SUBJECT]
    return Thread(root, subject, _reference(first.get("subject")), tuple(messages))


def _attachment(number: int, content: Json) -> Attachment:
    size = content.get("size")
    name = str(content.get("title", "")) or "attachment"
    return Attachment(number, name, str(content.get("contentType", "")), size if isinstance(size, int) else 0)


def _reference(value: object) -> str:
    text = value.get("reference") if isinstance(value, Mapping) else None
    return text.partition("/_history/")[0] if isinstance(text, str) else ""

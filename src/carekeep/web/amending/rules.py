"""What a request for a correction says as a Task (FHIR R4), and what may be done with it. Pure.

The reasons of refusals are whole sentences for whoever sent the form, and hold no health data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.fhir import format_instant, interval_of

Json = dict[str, Any]
DAY_MS: Final = 86_400_000
ANSWER_WITHIN_MS: Final = 60 * DAY_MS
"""45 CFR 164.526(b)(2)(i)."""

SYSTEM: Final = "https://carekeep.example/fhir/CodeSystem/task"
CODE: Final = "amendment"
MOST_OPEN: Final = 20
LEAST: Final = 10
LONGEST: Final = 2_000
ACCEPTED: Final = "completed"
DENIED: Final = "rejected"
_WAITING: Final = "requested"
_STATES: Final = {_WAITING: "Waiting for an answer", ACCEPTED: "Accepted", DENIED: "Denied"}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


class NotAmendable(Exception):
    """It cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A request as the pages show it. ``about`` is the reference of a record, "" where the words alone say which."""

    id: str
    patient: str
    asked_ms: int
    due_ms: int
    status: str
    about: str = ""
    words: str = field(default="", repr=False)
    answer: str = field(default="", repr=False)
    answered_ms: int = 0
    disagreement: str = field(default="", repr=False)

    @property
    def state(self) -> str:
        """How far it is, in words."""
        return _STATES[self.status]

    @property
    def is_open(self) -> bool:
        """Whether an answer is owed."""
        return self.status == _WAITING

    @property
    def is_denied(self) -> bool:
        """Whether the patient may state why they disagree."""
        return self.status == DENIED

    def days_left(self, now_ms: int) -> int:
        """Whole days until the answer is due; below 0 it is overdue."""
        return (self.due_ms - now_ms) // DAY_MS


def own_words(text: str, asked: str) -> str:
    """What somebody wrote, as it is kept. Raises NotAmendable, which begins with what was ``asked`` of them."""
    words = _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
    if not LEAST <= len(words) <= LONGEST:
        raise NotAmendable(f"{asked} Use {LEAST} to {LONGEST} characters.")
    return words


def requested(id_: str, patient: str, about: str, words: str, now_ms: int) -> Json:
    """The new Task of a patient ("Patient/x")."""
    now = format_instant(now_ms)
    resource: Json = {
        "resourceType": "Task",
        "id": id_,
        "status": _WAITING,
        "intent": "proposal",
        "code": {"coding": [{"system": SYSTEM, "code": CODE}], "text": "Request to correct the record"},
        "description": words,
        "for": {"reference": patient},
        "requester": {"reference": patient},
        "authoredOn": now,
        "lastModified": now,
        "restriction": {"period": {"end": format_instant(now_ms + ANSWER_WITHIN_MS)}},
    }
    return resource | ({"focus": {"reference": about}} if about else {})


def answered(task: Json, who: str, status: str, text: str, now_ms: int) -> Json:
    """The Task with the answer of ``who`` ("Practitioner/x"). Raises NotAmendable."""
    if status not in {ACCEPTED, DENIED}:
        raise NotAmendable("Please choose an answer.")
    wish = wish_of(task)
    if wish is None or not wish.is_open:
        raise NotAmendable("This request was answered already.")
    now = format_instant(now_ms)
    change: Json = {"status": status, "owner": {"reference": who}, "lastModified": now}
    change["statusReason"] = {"text": own_words(text, "Please write why, for the patient.")}
    return {**task, **change, "executionPeriod": {"end": now}}


def disagreed(task: Json, patient: str, text: str, now_ms: int) -> Json:
    """The denied Task with the patient's statement, 45 CFR 164.526(d)(2). Raises NotAmendable."""
    wish = wish_of(task)
    if wish is None or not wish.is_denied or wish.disagreement:
        raise NotAmendable("A statement can be added once, to a request that was denied.")
    words = own_words(text, "Please write why you disagree.")
    note = {"authorReference": {"reference": patient}, "time": format_instant(now_ms), "text": words}
    return {**task, "lastModified": format_instant(now_ms), "note": [*task.get("note", ()), note]}


def wish_of(task: Json) -> Wish | None:
    """The request that a Task is; None for a Task about something else."""
    codings = [each for each in task.get("code", {}).get("coding", ()) if isinstance(each, Mapping)]
    asked = _moment(task.get("authoredOn"))
    patient = _reference(task.get("for"))
    is_one = any((each.get("system"), each.get("code")) == (SYSTEM, CODE) for each in codings)
    if not is_one or asked is None or task.get("status") not in _STATES or not patient.startswith("Patient/"):
        return None
    said = [each.get("text", "") for each in task.get("note", ()) if _reference(each.get("authorReference")) == patient]
    return Wish(
        id=str(task.get("id")),
        patient=patient.removeprefix("Patient/"),
        asked_ms=asked,
        due_ms=_moment(task.get("restriction", {}).get("period", {}).get("end")) or asked + ANSWER_WITHIN_MS,
        status=str(task["status"]),
        about=_reference(task.get("focus")),
        words=str(task.get("description", "")),
        answer=str(task.get("statusReason", {}).get("text", "")),
        answered_ms=_moment(task.get("executionPeriod", {}).get("end")) or 0,
        disagreement=str(said[0]) if said else "",
    )


def _moment(text: object) -> int | None:
    interval = interval_of(text)
    return None if interval is None else interval.start


def _reference(value: object) -> str:
    text = value.get("reference") if isinstance(value, Mapping) else None
    return text if isinstance(text, str) else ""

"""What the demo's family and their care team write to each other: Communications in threads."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from carekeep.simulation.elements import Element, hl7
from carekeep.simulation.staff import Clinician
from carekeep.simulation.visits import Story

_NOTICE: Final = [hl7("communication-category", "notification", "Notification")]
_OPENED_AFTER: Final = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class _Said:
    """One message: how long before now, whether the patient wrote it, and its words."""

    ago: timedelta
    by_patient: bool
    text: str


_ABOUT_MEDICINE: Final = (
    _Said(
        timedelta(days=6, hours=4),
        by_patient=True,
        text="My new tablets make me dizzy when I get up in the morning. Should I go on taking them?",
    ),
    _Said(
        timedelta(days=5, hours=22),
        by_patient=False,
        text="Thank you for telling me. Please go on, but take them in the evening, and get up slowly. "
        "Write down your blood pressure for a week. Call us at once if you faint.",
    ),
    _Said(
        timedelta(days=5, hours=20),
        by_patient=True,
        text="I will, thank you. I measure in the morning and before I go to bed.",
    ),
)
_ABOUT_VISIT: Final = (
    _Said(
        timedelta(hours=20),
        by_patient=False,
        text="Please come to your next visit without breakfast: we take blood for the yearly tests. "
        "Water is fine, and so are your medicines.",
    ),
)


def correspondence(story: Story) -> None:
    """Two threads of each of the family: one with the physician, one that the nurse began and nobody opened yet."""
    if not story.alive or story.profile.member.household != 0:
        return
    _thread(story, story.profile.primary, "My new tablets", _ABOUT_MEDICINE)
    _thread(story, story.profile.nurse, "Before your next visit", _ABOUT_VISIT)


def _thread(story: Story, clinician: Clinician, topic: str, said: tuple[_Said, ...]) -> None:
    first = before = ""
    for number, each in enumerate(said):
        sent = story.now - each.ago
        opened = number < len(said) - 1 or each.by_patient
        message = _message(story, clinician, each, sent, opened=opened)
        if first:
            message |= {"partOf": [{"reference": first}], "inResponseTo": [{"reference": before}]}
        else:
            message["topic"] = {"text": topic}
        before = story.scribe.add("Communication", message)
        first = first or before


def _message(story: Story, clinician: Clinician, said: _Said, sent: datetime, *, opened: bool) -> Element:
    patient, other = story.scribe.subject, story.scribe.person(clinician)
    message: Element = {
        "status": "completed",
        "category": _NOTICE,
        "subject": patient,
        "sent": sent.isoformat(),
        "sender": patient if said.by_patient else other,
        "recipient": [other if said.by_patient else patient],
        "payload": [{"contentString": said.text}],
    }
    if opened:
        message["received"] = (sent + _OPENED_AFTER).isoformat()
    return message

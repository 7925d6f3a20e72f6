"""Messages between patients and their care team: FHIR Communications in the patient's own record.

Invariants: a patient writes only to somebody of the active care team, a clinician only to a patient of theirs; a
message is about one patient and has one recipient; whoever may read the patient's record may read its messages. What is
attached was checked before it is kept (``attachments``).
"""

from carekeep.web.messaging.sending import Draft, NotSendable, attached, mark_received, send
from carekeep.web.messaging.team import Member, team_of
from carekeep.web.messaging.threads import Message, Thread, threads_of

__all__ = [
    "Draft",
    "Member",
    "Message",
    "NotSendable",
    "Thread",
    "attached",
    "mark_received",
    "send",
    "team_of",
    "threads_of",
]

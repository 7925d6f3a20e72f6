"""The ledger as AuditEvents, and what the views of it need: whose entries somebody may see, and people's names.

Nothing here writes but the entry that says who read what. Each entry is decided for each patient whom it is about; who
may see it for one of several sees nothing of the others.
"""

from carekeep.web.fhir.auditing.names import directory_of
from carekeep.web.fhir.auditing.reading import audit_event
from carekeep.web.fhir.auditing.searching import audit_events, audit_events_by_post
from carekeep.web.fhir.auditing.sight import AUDIT_EVENT, EntrySight
from carekeep.web.fhir.auditing.told import Period, Told, gather
from carekeep.web.fhir.auditing.whose import Whose

__all__ = [
    "AUDIT_EVENT",
    "EntrySight",
    "Period",
    "Told",
    "Whose",
    "audit_event",
    "audit_events",
    "audit_events_by_post",
    "directory_of",
    "gather",
]

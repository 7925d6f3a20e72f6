"""Views of the ledger for people and programs: AuditEvents, plain words, accountings. Pure: entries in, values out.

Whoever shows a view to a patient first narrows the entries to that patient (``for_patient``).
"""

from carekeep.audit.views.accounting import Accounting, Disclosure, account, years_before
from carekeep.audit.views.audit_event import Server, audit_events, entry_id_of
from carekeep.audit.views.plain_words import Deed, Directory, Look, looks, when_ms
from carekeep.audit.views.redaction import for_patient, is_shared

__all__ = [
    "Accounting",
    "Deed",
    "Directory",
    "Disclosure",
    "Look",
    "Server",
    "account",
    "audit_events",
    "entry_id_of",
    "for_patient",
    "is_shared",
    "looks",
    "when_ms",
    "years_before",
]

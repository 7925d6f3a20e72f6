"""Entries from logs of other systems: FHIR AuditEvents, ATNA messages, CSV; so the ledger begins before a move.

Invariants:

* A log is not trusted: every line is bounded, no control character and no entity of it survives, and what it says of
  people can never be mistaken for an account or a record of ours. What is refused is named by its line, never quoted.
* A line is taken over once, however often it comes; its entry and its mark are made durable together.
"""

from carekeep.audit.foreign.csv_log import Mapping as CsvMapping
from carekeep.audit.foreign.foreign import Foreign, LogRefused, Refusal
from carekeep.audit.foreign.reading import FORMATS, read_log
from carekeep.audit.foreign.taking_over import Patients, Report, TakeOver, as_entry

__all__ = [
    "FORMATS",
    "CsvMapping",
    "Foreign",
    "LogRefused",
    "Patients",
    "Refusal",
    "Report",
    "TakeOver",
    "as_entry",
    "read_log",
]

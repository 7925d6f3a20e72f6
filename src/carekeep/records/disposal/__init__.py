"""Disposal: how long records are kept, what keeps them longer, and how they go.

Invariants: nothing goes by itself; two people are needed, and the second one sees that the rules let go at that very
moment; a legal hold stops everything that would destroy a patient's key; what is left is a certificate without health
data, pinned in the ledger by the unit that destroyed the key.
"""

from carekeep.records.disposal.certificate import Certificate, Signatory, in_words
from carekeep.records.disposal.disposal_rows import Disposal, Ground, State
from carekeep.records.disposal.disposals import Disposals
from carekeep.records.disposal.due import PatientFacts, RecordFacts, Term, Verdict, judge
from carekeep.records.disposal.holds import Hold, Holds
from carekeep.records.disposal.schedules import Retention, Rule, ScheduleRefused, Start, bundled_rules, read_rules
from carekeep.records.disposal.words import DisposalRefused

__all__ = [
    "Certificate",
    "Disposal",
    "DisposalRefused",
    "Disposals",
    "Ground",
    "Hold",
    "Holds",
    "PatientFacts",
    "RecordFacts",
    "Retention",
    "Rule",
    "ScheduleRefused",
    "Signatory",
    "Start",
    "State",
    "Term",
    "Verdict",
    "bundled_rules",
    "in_words",
    "judge",
    "read_rules",
]

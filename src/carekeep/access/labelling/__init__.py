"""Security labels of sensitive records (HL7 DS4P 1.0.0): which records get which, and what goes with those that leave.

Invariants: pure rules, no I/O. What the rules assign to a resource depends on the resource and the rule file alone, and
no writer can take it away while the rules match. Labels are in the resource, so they are sealed, and shown, as it is.
"""

from carekeep.access.labelling.codings import ACT_CODE, CONFIDENTIALITY, Coding, is_assigned
from carekeep.access.labelling.labelling import Labelling, labels_assigned
from carekeep.access.labelling.leaving import (
    PART2_LABELS,
    PART2_NOTICE,
    Notice,
    Selection,
    leaves_out,
    notice_for,
    notice_for_labels,
    with_notice,
)
from carekeep.access.labelling.rules import Category, Rule, Rules, RulesRefused

__all__ = [
    "ACT_CODE",
    "CONFIDENTIALITY",
    "PART2_LABELS",
    "PART2_NOTICE",
    "Category",
    "Coding",
    "Labelling",
    "Notice",
    "Rule",
    "Rules",
    "RulesRefused",
    "Selection",
    "is_assigned",
    "labels_assigned",
    "leaves_out",
    "notice_for",
    "notice_for_labels",
    "with_notice",
]

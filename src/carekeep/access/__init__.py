"""The decision: who may do what to which record, by policies that people can read.

Nothing is permitted unless a policy permits it, a forbid wins, and what cannot be decided is denied. Every decision
says the ids of the policies that made it and one sentence for people, without health data. Policies never see which
patient a request is about, only the relations to them; those come from the records themselves.
"""

from carekeep.access.bonds import CARE_TYPES, Windows
from carekeep.access.break_glass import BreakGlass, BreakGlassRefused, Grant
from carekeep.access.decider import Decider
from carekeep.access.decision import AccessRequest, Decision, Principal, Target
from carekeep.access.guard import Guard
from carekeep.access.policy_text import Policy, PolicyFile, PolicyRefused
from carekeep.access.relationships import RecordReader, Relationships
from carekeep.access.vocabulary import (
    SYSTEM_GRANT,
    Action,
    Purpose,
    PurposeUnknown,
    Relation,
    default_purpose,
    owner_label,
)

__all__ = [
    "CARE_TYPES",
    "SYSTEM_GRANT",
    "AccessRequest",
    "Action",
    "BreakGlass",
    "BreakGlassRefused",
    "Decider",
    "Decision",
    "Grant",
    "Guard",
    "Policy",
    "PolicyFile",
    "PolicyRefused",
    "Principal",
    "Purpose",
    "PurposeUnknown",
    "RecordReader",
    "Relation",
    "Relationships",
    "Target",
    "Windows",
    "default_purpose",
    "owner_label",
]

"""The decision: who may do what to which record, by policies that people can read.

Nothing is permitted unless a policy permits it, a forbid wins, and what cannot be decided is denied. Every decision
says the ids of the policies that made it and one sentence for people, without health data. Policies never see which
patient a request is about, only the relations to them; those come from the records themselves. Scopes only narrow what
the policies permit, and every decision sees the device, the network, the sign-in and the risk as they are then.
"""

from carekeep.access.bonds import CARE_TYPES, Windows
from carekeep.access.break_glass import BreakGlass, BreakGlassRefused, Grant
from carekeep.access.decider import Decider
from carekeep.access.decision import AccessRequest, Decision, Principal, StepUp, Target
from carekeep.access.guard import Guard
from carekeep.access.narrowing import SCOPE, needs_content
from carekeep.access.policy_text import Policy, PolicyFile, PolicyRefused
from carekeep.access.relationships import RecordReader, Relationships
from carekeep.access.rights import ANYTHING, Content, Proposed
from carekeep.access.risk import NoRisk, Risk
from carekeep.access.scopes import ScopeInvalid, Scopes
from carekeep.access.vocabulary import (
    ADMINISTRATORS_GRANT,
    DEVICE_GRANT,
    PROVISIONING_GRANT,
    SYSTEM_GRANT,
    Action,
    DeviceTrust,
    Purpose,
    PurposeUnknown,
    Relation,
    default_purpose,
    owner_label,
)
from carekeep.access.zones import Zones, ZonesRefused

__all__ = [
    "ADMINISTRATORS_GRANT",
    "ANYTHING",
    "CARE_TYPES",
    "DEVICE_GRANT",
    "PROVISIONING_GRANT",
    "SCOPE",
    "SYSTEM_GRANT",
    "AccessRequest",
    "Action",
    "BreakGlass",
    "BreakGlassRefused",
    "Content",
    "Decider",
    "Decision",
    "DeviceTrust",
    "Grant",
    "Guard",
    "NoRisk",
    "Policy",
    "PolicyFile",
    "PolicyRefused",
    "Principal",
    "Proposed",
    "Purpose",
    "PurposeUnknown",
    "RecordReader",
    "Relation",
    "Relationships",
    "Risk",
    "ScopeInvalid",
    "Scopes",
    "StepUp",
    "Target",
    "Windows",
    "Zones",
    "ZonesRefused",
    "default_purpose",
    "needs_content",
    "owner_label",
]

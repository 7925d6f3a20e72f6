"""Witnesses: others who say that a log only grew, so that nobody needs to trust its owner.

Invariants:

* A witness cosigns only what continues the checkpoint that it cosigned before, and remembers durably before it signs.
* A checkpoint of ours counts as final when the quorum of the policy (C2SP tlog-policy) has cosigned it.
* Witnesses that are down delay finality and nothing else.
* Proof that a log showed two pasts is self-contained (two signed checkpoints), is kept, and is not kept quietly.

The formats are C2SP's (tlog-witness, tlog-cosignature, tlog-policy), so that others' witnesses and verifiers work.
"""

from carekeep.audit.witnessing.cosignatures import Cosigner, CosignerKey, parse_key, time_of
from carekeep.audit.witnessing.folder import WitnessBroken, WitnessFolder, hash_of
from carekeep.audit.witnessing.policy import Judged, Policy, PolicyRefused
from carekeep.audit.witnessing.requests import LARGEST_REQUEST, AddCheckpoint, Declined, Refusal
from carekeep.audit.witnessing.running import Witnessing
from carekeep.audit.witnessing.split_views import SplitView, find_split
from carekeep.audit.witnessing.witness import Witness
from carekeep.audit.witnessing.witnesses import Witnesses

__all__ = [
    "LARGEST_REQUEST",
    "AddCheckpoint",
    "Cosigner",
    "CosignerKey",
    "Declined",
    "Judged",
    "Policy",
    "PolicyRefused",
    "Refusal",
    "SplitView",
    "Witness",
    "WitnessBroken",
    "WitnessFolder",
    "Witnesses",
    "Witnessing",
    "find_split",
    "hash_of",
    "parse_key",
    "time_of",
]

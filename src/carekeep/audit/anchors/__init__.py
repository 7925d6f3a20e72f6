"""Anchors: signed tree heads written to a place outside, such as a blockchain, where nobody can unwrite them.

Invariants: what is anchored is public already (the SHA-256 of the log's name, a size, a root); only signed checkpoints
are anchored, in order of size; an anchor that does not answer delays nothing; one that contradicts the log is an alarm.
Off unless the settings name a chain.
"""

from carekeep.audit.anchors.anchor import Anchor, AnchorContradicts, AnchorUnreachable, Receipt, ReceiptRefused
from carekeep.audit.anchors.anchor_settings import AnchorSettings, AnchorSettingsRefused
from carekeep.audit.anchors.anchored import Anchored, AnchoredCheckpoints
from carekeep.audit.anchors.anchoring import Anchoring
from carekeep.audit.anchors.evm import AnchoringMissing, Ask, ChainFacts, EvmAnchor

__all__ = [
    "Anchor",
    "AnchorContradicts",
    "AnchorSettings",
    "AnchorSettingsRefused",
    "AnchorUnreachable",
    "Anchored",
    "AnchoredCheckpoints",
    "Anchoring",
    "AnchoringMissing",
    "Ask",
    "ChainFacts",
    "EvmAnchor",
    "Receipt",
    "ReceiptRefused",
]

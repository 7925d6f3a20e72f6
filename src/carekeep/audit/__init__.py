"""The audit ledger: who did what, why and by which decision, where nobody can unwrite it.

Invariants:

* Nothing changes and nothing is answered without its entry: ``Ledger.record`` commits an entry and the changes that it
  speaks of as one unit.
* Entries are sealed. What is published (tiles, checkpoints, proofs) holds no health data and no name.
* The log never forks: an entry's index is given, and the checkpoint signed, in one unit that moves the head by
  compare-and-swap. Nothing is signed over a past that is not the one that was signed before.
* The formats are RFC 6962 and C2SP's (tlog-tiles, tlog-checkpoint, signed-note, tlog-proof), so that others' tools can
  check the log.
"""

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint
from carekeep.audit.entries import Agent, BadLeaf, Entry, EntryId, Outcome, What
from carekeep.audit.entry_index import About, EntryIndex, EntryIndexer, Subject
from carekeep.audit.following import Batch, Followed, Follower, read_batch, whole
from carekeep.audit.ledger import Ledger, SealedEntry
from carekeep.audit.merkle import ProofRefused
from carekeep.audit.notable import Notable, notable
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.audit.pins import RowReader, check_pins
from carekeep.audit.proofs import NotInLog, Proven, prove, prove_consistency, verify_proof
from carekeep.audit.published import LedgerFiles
from carekeep.audit.sequencer import LedgerBroken, Sequencer
from carekeep.audit.verification import verify_tree

__all__ = [
    "About",
    "Agent",
    "BadLeaf",
    "Batch",
    "Checkpoint",
    "Entry",
    "EntryId",
    "EntryIndex",
    "EntryIndexer",
    "Followed",
    "Follower",
    "Ledger",
    "LedgerBroken",
    "LedgerFiles",
    "NotInLog",
    "Notable",
    "NoteRefused",
    "Outcome",
    "ProofRefused",
    "Proven",
    "RowReader",
    "SealedEntry",
    "Sequencer",
    "Subject",
    "VerifierKey",
    "What",
    "check_pins",
    "notable",
    "open_checkpoint",
    "prove",
    "prove_consistency",
    "read_batch",
    "verify_proof",
    "verify_tree",
    "whole",
]

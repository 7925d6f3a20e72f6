"""C2SP tlog-proof: one entry's proof in a file that needs nothing else but the log's public key.

The file's ``extra`` line carries the leaf itself (sealed, so it tells nothing), because without it the proof's reader
could not know what the proven hash is the hash of.
"""

import re
from base64 import b64encode
from dataclasses import dataclass

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint
from carekeep.audit.entries import EntryId
from carekeep.audit.merkle import LONGEST_PROOF, consistency_spans, inclusion_spans, leaf_hash, verify_inclusion
from carekeep.audit.note import LARGEST_NOTE, NoteRefused, VerifierKey, strict_base64
from carekeep.audit.tile_table import TileTable
from carekeep.audit.tiles import LARGEST_LEAF
from carekeep.storage import Database

FIRST_LINE = "c2sp.org/tlog-proof@v1"
LINES_BEFORE_PATH = 3
LARGEST_PROOF = LARGEST_NOTE + 2 * LARGEST_LEAF + 64 * LONGEST_PROOF

_INTEGRATED = "SELECT leaf_index, leaf FROM ledger_entry WHERE entry_id = $1"
_FINAL = "SELECT size, note FROM ledger_cosigned ORDER BY size DESC LIMIT 1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)


class NotInLog(LookupError):
    """There is no such entry in the log (yet)."""


@dataclass(frozen=True, slots=True)
class LogProof:
    """A proof taken apart: the leaf it is about, where it is, its audit path, and the checkpoint as it was signed."""

    leaf: bytes
    index: int
    path: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        lines = [FIRST_LINE, f"extra {_encode(self.leaf)}", f"index {self.index}", *map(_encode, self.path)]
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> "LogProof":
        """Read the form of ``str()``, which must carry the leaf. Raises NoteRefused."""
        if len(text) > LARGEST_PROOF:
            raise NoteRefused("the proof is too long to be one")
        proof, _, checkpoint = text.partition("\n\n")
        lines = proof.split("\n")
        if len(lines) < LINES_BEFORE_PATH or lines[0] != FIRST_LINE or not lines[1].startswith("extra "):
            raise NoteRefused(f"the file does not begin with {FIRST_LINE} and an extra line with the entry")
        index = _INDEX.fullmatch(lines[2])
        if index is None or len(lines) - LINES_BEFORE_PATH > LONGEST_PROOF:
            raise NoteRefused("the proof's index line is malformed, or its path too long")
        leaf = strict_base64(lines[1].removeprefix("extra "))
        return cls(leaf, int(index[1]), tuple([strict_base64(line) for line in lines[LINES_BEFORE_PATH:]]), checkpoint)


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof has shown: this leaf is at this index of the log that the checkpoint describes."""

    leaf: bytes
    index: int
    checkpoint: Checkpoint


async def prove(database: Database, entry_id: EntryId) -> str:
    """The tlog-proof of an entry. Raises NotInLog, TileMissing.

    It is under the newest final checkpoint (it carries the cosignatures of witnesses and the post-quantum signature),
    or, for an entry that none covers yet, under the current one.
    """
    row = await database.fetch_one(_INTEGRATED, (entry_id,))
    tiles = TileTable(database)
    head = await tiles.head()
    if row is None or head is None or row[0] >= head.size:
        raise NotInLog(f"entry {entry_id.hex()} is not in the log. If it was recorded just now, try again in a second.")
    index, leaf = row
    final = await database.fetch_one(_FINAL)
    size, checkpoint = final if final is not None and index < final[0] <= head.size else (head.size, head.checkpoint)
    path = await tiles.roots(inclusion_spans(index, size), size)
    return str(LogProof(leaf, index, tuple(path), checkpoint))


async def prove_consistency(database: Database, old: int, new: int) -> tuple[bytes, ...]:
    """That the first ``new`` entries continue the first ``old`` (RFC 6962, 2.1.2). Raises NotInLog, TileMissing.

    Only of trees that begin somewhere and lie within the signed one.
    """
    tiles = TileTable(database)
    head = await tiles.head()
    size = 0 if head is None else head.size
    if not 0 < old <= new <= size:
        raise NotInLog(f"there is no proof from {old} to {new} entries: the log has {size}.")
    return tuple(await tiles.roots(consistency_spans(old, new), size))


def verify_proof(text: str, key: VerifierKey) -> Proven:
    """Check a tlog-proof against the log's public key. Raises NoteRefused, ProofRefused."""
    proof = LogProof.parse(text)
    checkpoint = open_checkpoint(proof.checkpoint, key)
    verify_inclusion(leaf_hash(proof.leaf), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return Proven(proof.leaf, proof.index, checkpoint)


def _encode(value: bytes) -> str:
    return b64encode(value).decode()

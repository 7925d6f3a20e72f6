"""A signed statement that one ledger entry speaks of one document.

Entries are sealed, so a proof alone shows an outsider that an entry is in the log, not what it says. The statement is
the log's own word on that, signed with the key of its checkpoints: it binds a document's digest to a leaf. When the
leaf is ever opened and says otherwise, the statement is the evidence against whoever signed it.

The form is a C2SP signed-note. Its first line is no log's origin, so it cannot be taken for a checkpoint.
"""

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit.entries import EntryId
from carekeep.audit.ledger import ID_SIZE
from carekeep.audit.merkle import leaf_hash
from carekeep.audit.note import Note, NoteRefused, VerifierKey, open_note, sign
from carekeep.audit.proofs import Proven

FIRST_LINE = "carekeep statement on a ledger entry, version 1"
_FORM = re.compile(
    rf"{FIRST_LINE}\ndocument sha256 ([0-9a-f]{{64}})\nentry ([0-9a-f]{{32}})\nleaf ([0-9a-f]{{64}})\n", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Statement:
    """``document`` is a SHA-256, ``leaf`` the RFC 6962 hash of the leaf; both in hexadecimal."""

    document: str
    entry_id: EntryId
    leaf: str

    def fits(self, proven: Proven) -> bool:
        """Whether it speaks of the leaf that a proof has shown to be in the log."""
        return proven.leaf[1 : 1 + ID_SIZE] == self.entry_id and leaf_hash(proven.leaf).hex() == self.leaf


def make_statement(document: str, entry_id: EntryId, leaf: bytes, origin: str, key: Ed25519PrivateKey) -> str:
    """The statement that the entry in ``leaf`` speaks of the document with this SHA-256 (hexadecimal)."""
    text = f"{FIRST_LINE}\ndocument sha256 {document}\nentry {entry_id.hex()}\nleaf {leaf_hash(leaf).hex()}\n"
    return str(Note(text, (sign(text, origin, key),)))


def open_statement(raw: str, key: VerifierKey) -> Statement:
    """The statement in a signed note. Raises NoteRefused."""
    found = _FORM.fullmatch(open_note(raw, [key]).text)
    if found is None:
        raise NoteRefused("the note is signed, and is no statement on a ledger entry")
    return Statement(found[1], EntryId(bytes.fromhex(found[2])), found[3])

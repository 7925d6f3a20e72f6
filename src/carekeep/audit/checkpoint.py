"""C2SP tlog-checkpoint: the signed statement of what the log was at one size.

Whoever keeps an old checkpoint can later prove that the log was cut, rolled back or rewritten.
"""

import re
from base64 import b64encode
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit.merkle import EMPTY_ROOT, HASH_SIZE
from carekeep.audit.note import Note, NoteKey, NoteRefused, open_note, sign, strict_base64

LARGEST_SIZE = 2**63 - 1
BODY_LINES = 3

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log (its origin line), its number of leaves and the root over them; ``extensions`` are further lines."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The body that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """A checkpoint's body, as :meth:`Checkpoint.text` writes it. Raises NoteRefused."""
    lines = text.split("\n")
    if len(lines) <= BODY_LINES or lines[-1] or not all(lines[:-1]):
        raise NoteRefused("a checkpoint is an origin, a size and a root, each on a line of its own")
    origin, size, root = lines[:BODY_LINES]
    if not _SIZE.fullmatch(size) or int(size) > LARGEST_SIZE:
        raise NoteRefused("the checkpoint's tree size is not a decimal number of 63 bits")
    checkpoint = Checkpoint(origin, int(size), strict_base64(root), tuple(lines[BODY_LINES:-1]))
    if len(checkpoint.root) != HASH_SIZE or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
        raise NoteRefused("the checkpoint's root is not a root of its size")
    return checkpoint


def sign_checkpoint(checkpoint: Checkpoint, private: Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note, under the log's own name (its origin)."""
    text = checkpoint.text()
    return str(Note(text, (sign(text, checkpoint.origin, private),)))


def open_checkpoint(raw: str, key: NoteKey, origin: str | None = None) -> Checkpoint:
    """The checkpoint in a signed note, once ``key`` is found to have signed it. Raises NoteRefused.

    ``origin`` is the log that it must be of; left out, the one that the key is named after.
    """
    checkpoint = parse_checkpoint(open_note(raw, (key,)).text)
    if checkpoint.origin != (key.name if origin is None else origin):
        raise NoteRefused("the checkpoint is of another log")
    return checkpoint

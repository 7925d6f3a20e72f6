"""Proof that a log showed two pasts: two checkpoints that it signed and that cannot both be of one append-only log.

The proof is a file that needs nothing else but the log's key: either both checkpoints are over one size and have two
roots; or a consistency proof shows that the larger one contains another beginning (``claimed``) than the smaller one
signs. It cannot be made against an honest log, whoever makes it.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from carekeep.audit.checkpoint import Checkpoint, parse_checkpoint
from carekeep.audit.merkle import HASH_SIZE, LONGEST_PROOF, ProofRefused, consistency_roots, verify_consistency
from carekeep.audit.note import LARGEST_NOTE, NoteKey, NoteRefused, open_note, parse_note, strict_base64
from carekeep.audit.witnessing.cosignatures import parse_key

FIRST_LINE = "carekeep split-view v1"
LARGEST = 2 * LARGEST_NOTE + 8192
_PARTS = 5  # the head, and twice the text of a checkpoint and the signatures under it
_MOST_KEYS = 4


@dataclass(frozen=True, slots=True)
class SplitView:
    """Two signed checkpoints of one log, the smaller one first; ``claimed`` and ``path`` as the module says."""

    keys: tuple[NoteKey, ...]
    first: str
    second: str
    claimed: bytes | None = None
    path: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        head = [FIRST_LINE, *(f"log {key}" for key in self.keys)]
        if self.claimed is not None:
            head += [f"claimed {_encode(self.claimed)}", *map(_encode, self.path)]
        return "\n".join(head) + f"\n\n{self.first}\n{self.second}"

    @property
    def checkpoints(self) -> tuple[Checkpoint, Checkpoint]:
        """Both checkpoints."""
        return parse_checkpoint(parse_note(self.first).text), parse_checkpoint(parse_note(self.second).text)

    @property
    def origin(self) -> str:
        """The log that it is about."""
        return self.checkpoints[0].origin

    @property
    def id(self) -> bytes:
        """32 bytes that are the same for the same two checkpoints, whoever signed them how often."""
        first, second = self.checkpoints
        return sha256(f"{first.text()}\n{second.text()}".encode()).digest()

    @classmethod
    def parse(cls, text: str) -> "SplitView":
        """Read the form of ``str()``, without believing it. Raises NoteRefused."""
        parts = text.split("\n\n")
        if len(text) > LARGEST or len(parts) != _PARTS:
            raise NoteRefused("this is no split-view file")
        first_line, *lines = parts[0].split("\n")
        if first_line != FIRST_LINE:
            raise NoteRefused(f"the file does not begin with {FIRST_LINE}")
        keys = [parse_key(line.removeprefix("log ")) for line in lines if line.startswith("log ")]
        rest = lines[len(keys) :]
        claimed = None
        if rest:
            claimed, *path = [strict_base64(line.removeprefix("claimed ")) for line in rest]
        else:
            path = []
        if not 0 < len(keys) <= _MOST_KEYS or len(path) > LONGEST_PROOF:
            raise NoteRefused("the file names no log, or has too many lines")
        return cls(tuple(keys), f"{parts[1]}\n\n{parts[2]}\n", f"{parts[3]}\n\n{parts[4]}", claimed, tuple(path))

    def check(self, keys: Sequence[NoteKey] = ()) -> None:
        """Whether this is proof against the log with these keys (those in the file, if none are given).

        Raises NoteRefused when the log has not signed both, ProofRefused when both may be of one log.
        """
        trusted = tuple(keys) or self.keys
        first, second = (parse_checkpoint(open_note(raw, trusted).text) for raw in (self.first, self.second))
        if first.origin != second.origin or all(key.name != first.origin for key in trusted):
            raise NoteRefused("the checkpoints are of two logs, or of another one than the key")
        if first.size == second.size and first.root != second.root:
            return
        if self.claimed is None or self.claimed == first.root or not 0 < first.size < second.size:
            raise ProofRefused("both checkpoints may be of one log")
        verify_consistency(first.size, second.size, self.claimed, second.root, self.path)


def find_split(
    keys: Sequence[NoteKey], one: str, other: str, path: Sequence[bytes] = (), claimed: bytes | None = None
) -> SplitView | None:
    """The proof that two checkpoints signed by a log (verified already) contradict each other, or None.

    ``path`` is the consistency proof that came with the larger one. Where the smaller tree is a whole subtree of the
    larger one, the path does not say what that is there: ``claimed`` does, if it is known.
    """
    first, second = sorted((one, other), key=_size)
    small, large = (parse_checkpoint(parse_note(raw).text) for raw in (first, second))
    if small.size == large.size and small.root != large.root:
        return SplitView(tuple(keys), first, second)
    if not 0 < small.size < large.size:
        return None
    try:
        root = consistency_roots(small.size, large.size, claimed or small.root, path)[0]
        found = SplitView(tuple(keys), first, second, root, tuple(path))
        found.check()
    except (ProofRefused, NoteRefused):
        return None
    return found


def _size(raw: str) -> int:
    return parse_checkpoint(parse_note(raw).text).size


def _encode(value: bytes) -> str:
    if len(value) != HASH_SIZE:
        raise NoteRefused("a hash has 32 bytes")
    return b64encode(value).decode()

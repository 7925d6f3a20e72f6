"""C2SP tlog-witness: what a log sends to a witness, and what the witness makes of it. Pure: no HTTP, no storage."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from carekeep.audit.checkpoint import LARGEST_SIZE, Checkpoint, parse_checkpoint
from carekeep.audit.merkle import HASH_SIZE, ProofRefused, verify_consistency
from carekeep.audit.note import LARGEST_NOTE, Note, NoteKey, NoteRefused, open_note, parse_note, strict_base64
from carekeep.audit.witnessing.split_views import SplitView, find_split

MOST_PROOF_LINES = 63
LARGEST_REQUEST = LARGEST_NOTE + 64 * MOST_PROOF_LINES

_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class Refusal(Enum):
    """Why a witness does not cosign; the values are the specification's HTTP status codes."""

    MALFORMED = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    INCONSISTENT = 422


class Declined(Exception):
    """A witness does not cosign. ``size`` is that of the latest checkpoint it holds, where the log must know it.

    ``evidence`` proves, where it is not None, that the log showed two pasts.
    """

    def __init__(
        self, refusal: Refusal, text: str, *, size: int | None = None, evidence: SplitView | None = None
    ) -> None:
        super().__init__(text)
        self.refusal = refusal
        self.size = size
        self.evidence = evidence


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint for a witness, with the proof that it continues the first ``old`` entries."""

    old: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        lines = [f"old {self.old}", *(b64encode(each).decode() for each in self.path)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, body: bytes) -> "AddCheckpoint":
        """Read the form of ``str()``. Raises Declined."""
        try:
            head, _, note = body.decode().partition("\n\n")
            first, *lines = head.split("\n")
            path = tuple([strict_base64(line) for line in lines[: MOST_PROOF_LINES + 1]])
        except (NoteRefused, UnicodeDecodeError):
            raise Declined(Refusal.MALFORMED, "it is not lines of base64 and a checkpoint") from None
        old = _OLD.fullmatch(first)
        if old is None or int(old[1]) > LARGEST_SIZE:
            raise Declined(Refusal.MALFORMED, "it does not begin with an old size")
        if len(path) > MOST_PROOF_LINES or any(len(each) != HASH_SIZE for each in path):
            raise Declined(Refusal.MALFORMED, "a proof has at most 63 lines, each a hash of 32 bytes")
        return cls(int(old[1]), path, note)


@dataclass(frozen=True, slots=True)
class Submission:
    """A request whose log is known and has signed: its checkpoint, and the note with the log's signatures alone."""

    request: AddCheckpoint
    checkpoint: Checkpoint
    note: Note
    keys: tuple[NoteKey, ...]


def origin_of(request: AddCheckpoint) -> str:
    """Which log a request claims to be of. Raises Declined."""
    return _parsed(request)[1].origin


def admit(request: AddCheckpoint, keys: Sequence[NoteKey]) -> Submission:
    """Check what needs no memory: the log's signature, and that the tree did not shrink. Raises Declined."""
    checkpoint = _parsed(request)[1]
    try:
        note = open_note(request.note, keys)
    except NoteRefused as error:
        raise Declined(Refusal.NOT_SIGNED, str(error)) from None
    if request.old > checkpoint.size:
        raise Declined(Refusal.MALFORMED, "the old size is larger than the checkpoint's")
    return Submission(request, checkpoint, note, tuple(keys))


def compare(submission: Submission, latest: str | None) -> None:
    """Check a submission against the latest checkpoint of its log that was kept. Raises Declined."""
    request, checkpoint = submission.request, submission.checkpoint
    kept = None if latest is None else parse_checkpoint(parse_note(latest).text)
    size = 0 if kept is None else kept.size
    evidence = None
    if latest is not None:
        evidence = find_split(submission.keys, latest, str(submission.note), request.path)
    if request.old != size:
        text = f"the latest checkpoint that was cosigned here is over {size} entries"
        raise Declined(Refusal.CONFLICT, text, size=size, evidence=evidence)
    if kept is not None and kept.size == checkpoint.size and kept.root != checkpoint.root:
        text = "another root was cosigned here for the same size"
        raise Declined(Refusal.CONFLICT, text, size=size, evidence=evidence)
    if size == 0 and request.path:
        raise Declined(Refusal.INCONSISTENT, "there is nothing yet that a proof could be from")
    if kept is None or size == 0:
        return
    try:
        verify_consistency(size, checkpoint.size, kept.root, checkpoint.root, request.path)
    except ProofRefused as error:
        raise Declined(Refusal.INCONSISTENT, str(error), evidence=evidence) from None


def _parsed(request: AddCheckpoint) -> tuple[Note, Checkpoint]:
    try:
        note = parse_note(request.note)
        return note, parse_checkpoint(note.text)
    except NoteRefused as error:
        raise Declined(Refusal.MALFORMED, str(error)) from None

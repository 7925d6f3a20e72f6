"""Logs and witnesses to play with: an honest log, one with another past, and keys that are always the same."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.merkle import Span, consistency_spans, leaf_hash, root_of
from carekeep.audit.note import Note, NoteKey, VerifierKey, parse_note
from carekeep.audit.witnessing import AddCheckpoint, Cosigner, Witness, WitnessFolder

ORIGIN = "ledger.example/clinic"
NOW_MS = 1_793_880_000_000
NOW_S = NOW_MS // 1000


def seed(name: str) -> bytes:
    return sha256(name.encode()).digest()


def ed25519(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def mldsa44(name: str) -> MLDSA44PrivateKey:
    return MLDSA44PrivateKey.from_seed_bytes(seed(name))


@dataclass(frozen=True, slots=True)
class Log:
    """A log in memory. Up to ``fork_at`` entries it is the log of everybody; from there on a past of its own."""

    fork_at: int = 1 << 62
    origin: str = ORIGIN
    keyname: str = "log"

    @property
    def key(self) -> VerifierKey:
        return VerifierKey.of(self.origin, ed25519(self.keyname))

    @property
    def keys(self) -> tuple[NoteKey, ...]:
        return (self.key,)

    def hashes(self, size: int) -> list[bytes]:
        return [leaf_hash(b"%d %d" % (number, number >= self.fork_at)) for number in range(size)]

    def root(self, size: int) -> bytes:
        return root_of(self.hashes(size))

    def note(self, size: int) -> str:
        return sign_checkpoint(Checkpoint(self.origin, size, self.root(size)), ed25519(self.keyname))

    def text(self, size: int) -> str:
        return parse_note(self.note(size)).text

    def path(self, old: int, size: int) -> tuple[bytes, ...]:
        hashes = self.hashes(size)
        return tuple([root_of(hashes[span.start : span.end]) for span in consistency_spans(old, size)])

    async def roots(self, spans: list[Span], size: int) -> list[bytes]:
        hashes = self.hashes(size)
        return [root_of(hashes[span.start : span.end]) for span in spans]

    def request(self, old: int, size: int) -> bytes:
        return str(AddCheckpoint(old, self.path(old, size), self.note(size))).encode()


HONEST = Log()


def cosigners(name: str) -> tuple[Cosigner, Cosigner]:
    """Both keys of a witness, as :func:`a_witness` has them."""
    return Cosigner(name, ed25519(name)), Cosigner(name, mldsa44(name))


def a_witness(path: Path, name: str = "witness.example/w1", logs: tuple[Log, ...] = (HONEST,)) -> Witness:
    folder = WitnessFolder(path)
    folder.create(name, (seed(name), seed(name)))
    for log in logs:
        folder.add_log(log.key, "")
    return Witness(folder, lambda: NOW_MS)


def with_lines(note: str, *lines: object) -> str:
    """A signed note with more signature lines under it."""
    parsed = parse_note(note)
    return str(Note(parsed.text, parsed.signatures)) + "".join(map(str, lines))

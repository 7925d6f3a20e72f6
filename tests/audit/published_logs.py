"""Logs as folders of files, as tlog-tiles publishes them: to be checked by others, and to be spoilt."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit import Checkpoint, VerifierKey
from carekeep.audit.checkpoint import sign_checkpoint
from carekeep.audit.merkle import leaf_hash
from carekeep.audit.tiles import WIDTH, Place, RightEdge, TilePath, entry_bundle, width_at

ORIGIN = "ledger.example/clinic"
PRIVATE = Ed25519PrivateKey.from_private_bytes(sha256(b"published").digest())
KEY = VerifierKey.of(ORIGIN, PRIVATE)


def leaf(number: int) -> bytes:
    """A small entry."""
    return b"entry %d" % number


@dataclass(slots=True)
class PublishedLog:
    """A log in a folder."""

    folder: Path
    edge: RightEdge = field(default_factory=RightEdge)
    waiting: list[bytes] = field(default_factory=list)
    note: str = ""

    def add(
        self, leaves: Iterable[bytes], *, private: Ed25519PrivateKey = PRIVATE, origin: str = ORIGIN
    ) -> "PublishedLog":
        """Publish more entries, and a checkpoint over all."""
        new = list(leaves)
        first, bundle = self.edge.size - len(self.waiting), [*self.waiting, *new]
        tiles: dict[Place, bytes] = {}
        for some in _batched(new, 16 * WIDTH):
            self.edge, changed = self.edge.append([leaf_hash(each) for each in some])
            tiles |= changed
        size = self.edge.size
        for place, hashes in tiles.items():
            self.write(TilePath(place.level, place.number, len(hashes) // 32), hashes)
        for start in range(0, len(bundle), WIDTH):
            number = (first + start) // WIDTH
            width = width_at(Place(0, number), size)
            self.write(TilePath(None, number, width), entry_bundle(bundle[start : start + WIDTH]))
        self.waiting = bundle[len(bundle) - size % WIDTH :] if size % WIDTH else []
        self.note = sign_checkpoint(Checkpoint(origin, size, self.edge.root()), private)
        (self.folder / "checkpoint").write_text(self.note)
        return self

    def write(self, name: TilePath, content: bytes) -> None:
        file = self.folder / str(name)
        if not file.parent.exists():
            file.parent.mkdir(parents=True)
        file.write_bytes(content)


def publish(folder: Path, size: int) -> PublishedLog:
    """A log of ``size`` small entries."""
    folder.mkdir(parents=True, exist_ok=True)
    return PublishedLog(folder).add(map(leaf, range(size)))


def _batched(items: Sequence[bytes], size: int) -> Iterable[Sequence[bytes]]:
    return (items[start : start + size] for start in range(0, len(items), size))

"""What a witness keeps, in a folder of its own: its keys, the logs it knows, the latest checkpoint of each, evidence.

``latest`` is what the witness's word rests on: it is durable before anything is cosigned, and moves under a lock of the
log that other threads and processes respect. Losing the folder ends the witness: one that forgot would cosign a past
that it has refused.
"""

import fcntl
import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from carekeep.audit.note import NoteKey, NoteRefused, check_key_name, strict_base64
from carekeep.audit.witnessing.cosignatures import Cosigner
from carekeep.audit.witnessing.policy import LARGEST_POLICY, Policy, PolicyRefused, TrustedLog
from carekeep.audit.witnessing.split_views import SplitView
from carekeep.encryption.durable import create_file, replace_file

MOST_SPLIT_VIEWS = 64
"""For each log. A log that signs ever new pasts is proven dishonest by one; it must not fill the disk."""

SEED_SIZE = 32
_LARGEST_KEYS = 4096


class WitnessBroken(Exception):
    """The witness's folder cannot be used; the text says what of it, and what to do."""


@dataclass(frozen=True, slots=True)
class WitnessFolder:
    """A witness's folder. Its methods do file I/O and are called from threads, but for the command's."""

    path: Path

    def create(self, name: str, seeds: tuple[bytes, bytes]) -> None:
        """Make the folder and the keys: 32 random bytes for each. Raises NoteRefused, FileExistsError, OSError."""
        check_key_name(name)
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            f"name {name}",
            *(f"{kind} {b64encode(seed).decode()}" for kind, seed in zip(_KINDS, seeds, strict=True)),
        ]
        create_file(self._keys, "".join(f"{line}\n" for line in lines).encode())

    def cosigners(self) -> tuple[Cosigner, Cosigner]:
        """The keys: Ed25519, and ML-DSA-44. Raises WitnessBroken."""
        try:
            if stat.S_IMODE(self._keys.stat().st_mode) & 0o077:
                raise WitnessBroken(f"{self._keys} can be read by others. Run: chmod 600 {self._keys}")
            lines = self._keys.read_text(encoding="utf-8")[:_LARGEST_KEYS].splitlines()
            values = [line.split(" ", 1)[1] for line in lines]
            name, seeds = values[0], [strict_base64(value) for value in values[1:]]
            first, second = seeds
            return (
                Cosigner(name, Ed25519PrivateKey.from_private_bytes(first)),
                Cosigner(name, MLDSA44PrivateKey.from_seed_bytes(second)),
            )
        except FileNotFoundError:
            raise WitnessBroken(f"{self._keys} is not there. Run: carekeep witness init --name NAME") from None
        except (NoteRefused, ValueError, IndexError) as error:
            raise WitnessBroken(f"{self._keys} is not the key file of a witness. Put its copy back.") from error

    def logs(self) -> tuple[TrustedLog, ...]:
        """The logs that are witnessed, as they are listed now. Raises WitnessBroken."""
        try:
            return Policy.parse(self._logs.read_bytes()[: LARGEST_POLICY + 1]).logs
        except FileNotFoundError:
            return ()
        except PolicyRefused as error:
            raise WitnessBroken(f"{self._logs}: {error}.") from error

    def add_log(self, key: NoteKey, url: str) -> None:
        """One more key of a log. Raises PolicyRefused for one that is there."""
        lines = [f"log {log.key} {log.url}".rstrip() for log in self.logs()]
        content = "".join(f"{line}\n" for line in (*lines, f"log {key} {url}".rstrip(), "quorum none")).encode()
        Policy.parse(content)
        replace_file(self._logs, content)

    def latest(self, origin: str) -> str | None:
        """The latest checkpoint of a log that was found consistent, as the log signed it."""
        return _read(self._of(origin) / "latest")

    def keep_latest(self, origin: str, note: str) -> None:
        """Durable on return. To be called under :meth:`locked`, after a comparison with :meth:`latest`."""
        replace_file(self._of(origin) / "latest", note.encode())

    def cosigned(self, origin_hash: str) -> str | None:
        """The newest checkpoint with our cosignatures, of the log whose origin has this SHA-256 (hexadecimal)."""
        return _read(self.path / "logs" / origin_hash / "cosigned")

    def keep_cosigned(self, origin: str, note: str) -> None:
        """What others may fetch; to be called under :meth:`locked`. As a whole or not at all, but not synced."""
        staged = self._of(origin) / "cosigned.new"
        staged.write_text(note, encoding="utf-8")
        staged.replace(self._of(origin) / "cosigned")

    @contextmanager
    def locked(self, origin: str) -> Iterator[None]:
        """The only one at work on this log, in this process and others on this machine."""
        folder = self._of(origin)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # and with it the lock

    def keep_split_view(self, evidence: SplitView) -> bool:
        """Keep the proof for good; False if it, or enough of the same log, is kept already."""
        folder = self._of(evidence.origin) / "split-views"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if sum(1 for _ in folder.iterdir()) >= MOST_SPLIT_VIEWS:
            return False
        try:
            create_file(folder / f"{evidence.id.hex()}.txt", str(evidence).encode())
        except FileExistsError:
            return False
        return True

    def split_views(self) -> list[Path]:
        """The files of all proofs that are kept."""
        return sorted(self.path.glob("logs/*/split-views/*.txt"))

    @property
    def _keys(self) -> Path:
        return self.path / "witness.key"

    @property
    def _logs(self) -> Path:
        return self.path / "logs.policy"

    def _of(self, origin: str) -> Path:
        return self.path / "logs" / hash_of(origin)


def hash_of(origin: str) -> str:
    """How a log is named in URLs and folders (C2SP tlog-mirror): the SHA-256 of its origin, in hexadecimal."""
    return sha256(origin.encode()).hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


_KINDS = ("ed25519", "ml-dsa-44")

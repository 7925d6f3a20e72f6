"""Witnesses' signatures made by hand, by the letter of tlog-cosignature, and policies that name them."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

TIME_S = 1_793_880_000


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness: 0x04 with an Ed25519 key, 0x06 with one of ML-DSA-44."""

    name: str
    private: Ed25519PrivateKey | MLDSA44PrivateKey

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self._id().hex()}+{b64encode(self._public()).decode()}"

    def line(self, note: str, stamp: int = TIME_S) -> str:
        """The signature line over a checkpoint."""
        text = note[: note.rindex("\n\n") + 1]
        time = stamp.to_bytes(8, "big")
        if isinstance(self.private, Ed25519PrivateKey):
            message = f"cosignature/v1\ntime {stamp}\n{text}".encode()
        else:
            origin, size, root = text.split("\n")[:3]
            message = b"subtree/v1\n\x00" + _short(self.name) + time + _short(origin)
            message += bytes(8) + int(size).to_bytes(8, "big") + b64decode(root)
        return f"— {self.name} {b64encode(self._id() + time + self.private.sign(message)).decode()}\n"

    def _public(self) -> bytes:
        kind = b"\x04" if isinstance(self.private, Ed25519PrivateKey) else b"\x06"
        return kind + self.private.public_key().public_bytes_raw()

    def _id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + self._public()).digest()[:4]


def _short(text: str) -> bytes:
    return len(text.encode()).to_bytes(1, "big") + text.encode()


def cosigner(name: str, kind: str = "ed25519") -> Cosigner:
    """A witness whose key is made of its name."""
    seed = sha256(name.encode()).digest()
    if kind == "ed25519":
        return Cosigner(name, Ed25519PrivateKey.from_private_bytes(seed))
    return Cosigner(name, MLDSA44PrivateKey.from_seed_bytes(seed))

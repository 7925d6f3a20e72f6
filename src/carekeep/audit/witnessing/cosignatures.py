"""C2SP tlog-cosignature: statements of others, and of the log itself, that a checkpoint continues what they saw.

Two kinds: Ed25519 (0x04), whose message is the checkpoint's whole text under a line with the time; and ML-DSA-44
(0x06), whose message is a structure of cosigner, time, log, size and root, and which quantum computers do not forge.
The log signs its own checkpoints with the second kind too.
"""

import struct
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from carekeep.audit.checkpoint import parse_checkpoint
from carekeep.audit.note import (
    ED25519,
    KEY_ID_SIZE,
    NoteKey,
    NoteRefused,
    Signature,
    VerifierKey,
    check_key_name,
    strict_base64,
)

ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06

_PUBLIC_SIZES = {ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}
_VALUE_SIZES = {ED25519_COSIGNATURE: 8 + 64, MLDSA44_COSIGNATURE: 8 + 2420}  # a time and a signature
_TIME_SIZE = 8
_LAST_TIME = 2**63 - 1
_LONGEST_NAME = 255  # bytes: its length is one byte of the signed structure
_LABEL = b"subtree/v1\n\0"

PrivateKey = Ed25519PrivateKey | MLDSA44PrivateKey


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A cosigner's public key. ``kind`` is one of the two above; ``str()`` is the form that is handed around."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public) != _PUBLIC_SIZES.get(self.kind):
            raise NoteRefused("a cosigner's key is an Ed25519 or an ML-DSA-44 public key")
        if self.kind == MLDSA44_COSIGNATURE and len(self.name.encode()) > _LONGEST_NAME:
            raise NoteRefused(f"the name of an ML-DSA-44 cosigner has at most {_LONGEST_NAME} bytes")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of a hash of name, kind and key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key cosigned the checkpoint with this text at the time that the signature says."""
        at_s = time_of(signature)
        if at_s is None or len(signature) != _VALUE_SIZES[self.kind]:
            return False
        try:
            if self.kind == ED25519_COSIGNATURE:
                message = _ed25519_message(text, at_s)
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature[_TIME_SIZE:], message)
            else:
                message = _mldsa44_message(self.name, text, at_s)
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature[_TIME_SIZE:], message)
        except (InvalidSignature, NoteRefused, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class Cosigner:
    """A private key with the name it cosigns under."""

    name: str
    private: PrivateKey

    @property
    def key(self) -> CosignerKey:
        """The public half."""
        is_ed25519 = isinstance(self.private, Ed25519PrivateKey)
        kind = ED25519_COSIGNATURE if is_ed25519 else MLDSA44_COSIGNATURE
        return CosignerKey(self.name, kind, self.private.public_key().public_bytes_raw())

    def cosign(self, text: str, at_s: int) -> Signature:
        """Cosign a checkpoint's text; ``at_s`` is seconds since 1970. Raises NoteRefused for what is no checkpoint."""
        parse_checkpoint(text)
        if isinstance(self.private, Ed25519PrivateKey):
            signature = self.private.sign(_ed25519_message(text, at_s))
        else:
            signature = self.private.sign(_mldsa44_message(self.name, text, at_s))
        return Signature(self.name, self.key.key_id, at_s.to_bytes(_TIME_SIZE, "big") + signature)


def time_of(signature: bytes) -> int | None:
    """When a cosignature says that it was made, in seconds since 1970; None where it cannot be one."""
    at_s = int.from_bytes(signature[:_TIME_SIZE], "big")
    return None if len(signature) <= _TIME_SIZE or at_s > _LAST_TIME else at_s


def parse_key(text: str) -> NoteKey:
    """A verifier key of any kind that is known here: of logs (0x01), of cosigners (0x04, 0x06). Raises NoteRefused."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    value = strict_base64(encoded)
    if value[:1] == bytes([ED25519]):
        return VerifierKey.parse(text)
    if not value or value[0] not in _PUBLIC_SIZES:
        raise NoteRefused("the verifier key is of a kind that is not known here")
    found = CosignerKey(name, value[0], value[1:])
    if found.key_id.hex() != key_id:
        raise NoteRefused("the verifier key's id does not belong to its name and key: it was copied wrongly")
    return found


def public_bytes(key: NoteKey) -> bytes:
    """The bare public key: what makes two verifier keys the same one under other names."""
    return key.public if isinstance(key, CosignerKey | VerifierKey) else key.key_id


def _ed25519_message(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _mldsa44_message(name: str, text: str, at_s: int) -> bytes:
    """The ``cosigned_message`` of the whole tree: start is 0, and the time says that it is the newest one seen."""
    checkpoint = parse_checkpoint(text)
    if checkpoint.extensions:
        raise NoteRefused("ML-DSA-44 cosignatures do not cover extension lines")
    parts = (_LABEL, _opaque(name), at_s.to_bytes(8, "big"), _opaque(checkpoint.origin))
    return b"".join(parts) + struct.pack(">QQ", 0, checkpoint.size) + checkpoint.root


def _opaque(text: str) -> bytes:
    value = text.encode()
    if not 0 < len(value) <= _LONGEST_NAME:
        raise NoteRefused(f"names of logs and cosigners have at most {_LONGEST_NAME} bytes")
    return bytes([len(value)]) + value

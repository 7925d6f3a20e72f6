"""JSON Web Signatures in their compact form (RFC 7515 §7.1), read strictly. Who may sign what, others decide."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import orjson

from carekeep.identity.apps.public_keys import PublicKey

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class NotSigned(ValueError):
    """What was given is no signed object, or not one that can be used; the text says why, for the ledger."""


@dataclass(frozen=True, slots=True)
class Compact:
    """The three parts of a signed object; the first two as they were signed."""

    header: bytes
    payload: bytes
    signature: bytes

    def claims(self) -> dict[str, Any]:
        """What is signed. Raises NotSigned when it is no JSON object."""
        return read_object(self.payload, "payload")

    def is_signed_by(self, key: PublicKey, algorithm: str) -> bool:
        """Whether the signature is the key's, by this algorithm."""
        return key.verifies(algorithm, self.signature, self.header + b"." + self.payload)


def take_apart(text: str, longest: int) -> Compact:
    """The parts of a signed object of at most ``longest`` characters. Raises NotSigned."""
    if len(text) > longest or not _COMPACT.fullmatch(text):
        raise NotSigned("it is no signed object, or too long")
    header, payload, signature = text.encode("ascii").split(b".")
    return Compact(header, payload, decode(signature))


def read_header(header: bytes) -> dict[str, Any]:
    """The protected header. Raises NotSigned, also where it demands what nobody here understands (RFC 7515 §4.1.11)."""
    found = read_object(header, "header")
    if "crit" in found or "b64" in found:
        raise NotSigned("its header makes demands that are not understood")
    return found


def read_object(part: bytes, name: str) -> dict[str, Any]:
    """The JSON object in a part. Raises NotSigned."""
    try:
        found = orjson.loads(decode(part))
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise NotSigned(f"its {name} is no JSON object")
    return found


def decode(part: bytes) -> bytes:
    """Base64url without padding. Raises NotSigned."""
    try:
        return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except binascii.Error:
        raise NotSigned("a part of it is not base64url") from None


def seconds(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 §2) that is a number; None for anything else."""
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

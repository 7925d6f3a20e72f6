"""Authenticated encryption of everything at rest.

A sealed blob is::

    suite (1 byte) | nonce (12 bytes) | AES-256-GCM ciphertext and its 16-byte tag

Suite ``0x01`` is AES-256-GCM (NIST SP 800-38D) with a random nonce. A key may seal at most 2^32 blobs (section 8.3);
who uses a cipher sees to that. The suite byte stands for the algorithm, so that a later one can be added beside it.
"""

import os
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from carekeep.encryption.errors import Tampered, UnknownSuite
from carekeep.encryption.secret import Hidden

KEY_LENGTH = 32
NONCE_LENGTH = 12
OVERHEAD = 1 + NONCE_LENGTH + 16  # bytes by which a sealed blob is longer than its plaintext

_AES_256_GCM = b"\x01"


class Cipher(Hidden):
    """Seals and opens blobs under one 32-byte key."""

    __slots__ = ("_aead", "_random")

    def __init__(self, key: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        if len(key) != KEY_LENGTH:
            raise ValueError(f"A key has {KEY_LENGTH} bytes, not {len(key)}.")
        self._aead = AESGCM(key)
        self._random = random

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """The sealed blob of ``plaintext``, bound to ``aad``, which is not part of it."""
        nonce = self._random(NONCE_LENGTH)
        return b"".join((_AES_256_GCM, nonce, self._aead.encrypt(nonce, plaintext, aad)))

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises Tampered when the blob was not sealed by this key with this ``aad``."""
        if sealed[:1] != _AES_256_GCM:
            raise UnknownSuite(_unknown_suite(sealed))
        try:
            return self._aead.decrypt(sealed[1 : 1 + NONCE_LENGTH], sealed[1 + NONCE_LENGTH :], aad)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce and a tag
            raise Tampered("A ciphertext does not open: it was changed or does not belong where it is.") from None


def _unknown_suite(sealed: bytes) -> str:
    if not sealed:
        return "A ciphertext is empty."
    return (
        f"A ciphertext names cipher suite {sealed[0]:#04x}, which this version of Carekeep does not know: "
        "it was changed, or written by a newer version."
    )


def associated_data(*parts: str | bytes | int) -> bytes:
    """One byte string for a list of parts, such that different lists never give the same string.

    Each part is written as its type (``s``, ``b`` or ``i``), its length in four bytes, and itself: text as UTF-8,
    integers as big-endian two's complement. Used as associated data and as the input of tags.
    """
    pieces: list[bytes] = []
    for part in parts:  # dozens of these are made for each record that is written: one loop, no calls
        if isinstance(part, str):
            kind, content = b"s", part.encode("utf-8", "surrogatepass")
        elif isinstance(part, bytes):
            kind, content = b"b", part
        else:
            kind, content = b"i", part.to_bytes(part.bit_length() // 8 + 1, "big", signed=True)
        pieces += (kind, len(content).to_bytes(4, "big"), content)
    return b"".join(pieces)

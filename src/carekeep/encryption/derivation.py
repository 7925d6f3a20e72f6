"""Deriving keys from keys: HKDF-SHA-256 (RFC 5869), one purpose for each key."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from carekeep.encryption.cipher import KEY_LENGTH, associated_data


def derive(key: bytes, purpose: str, *context: str | bytes | int) -> bytes:
    """32 bytes that only ``key`` gives, independent for each purpose and context.

    ``key`` is uniformly random, so no salt is needed (RFC 5869, section 3.1).
    """
    info = associated_data("carekeep", purpose, *context)
    return HKDF(algorithm=SHA256(), length=KEY_LENGTH, salt=None, info=info).derive(key)

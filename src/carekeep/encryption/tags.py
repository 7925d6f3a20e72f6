"""Tags: what stands in the database instead of a value, so that equal values can be found but not read."""

import hmac

from carekeep.encryption.cipher import KEY_LENGTH, associated_data
from carekeep.encryption.secret import Hidden


class Tagger(Hidden):
    """HMAC-SHA-256 (RFC 2104) under one 32-byte key, truncated."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_LENGTH:
            raise ValueError(f"A key has {KEY_LENGTH} bytes, not {len(key)}.")
        self._key = key

    def tag(self, *parts: str | bytes) -> int:
        """A signed 64-bit integer. Two values may collide: who searches by tags compares what is found."""
        return int.from_bytes(hmac.digest(self._key, associated_data(*parts), "sha256")[:8], "big", signed=True)

    def digest(self, *parts: str | bytes) -> bytes:
        """16 bytes, which do not collide in practice."""
        return hmac.digest(self._key, associated_data(*parts), "sha256")[:16]

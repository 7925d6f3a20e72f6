"""Bearer tokens, and how they are kept: by their hash, and sealed."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import orjson

from carekeep.encryption import Cipher, associated_data
from carekeep.identity.errors import TokenRefused
from carekeep.identity.principal import Session

_PREFIX = "ck_"  # so that secret scanners know one when they see it
_SECRET_LENGTH = 32
_FORMAT = re.compile(r"ck_[A-Za-z0-9_-]{43}")


def new_token(random: Callable[[int], bytes]) -> str:
    """A new token: 256 random bits."""
    return _PREFIX + base64.urlsafe_b64encode(random(_SECRET_LENGTH)).decode().rstrip("=")


def token_hash(bearer: str) -> bytes:
    """SHA-256 of a token; it has too many random bits to need a slow hash. Raises TokenRefused when it is none."""
    if not _FORMAT.fullmatch(bearer):
        raise TokenRefused("malformed token")
    return hashlib.sha256(bearer.encode()).digest()


def seal_session(session: Session, account_id: bytes, cipher: Cipher) -> bytes:
    """The sealed content of a token's row."""
    content = {"assurance": session.assurance, "authenticated_ms": session.authenticated_ms}
    hash_ = bytes.fromhex(session.session)
    return cipher.seal(orjson.dumps(content), _aad(hash_, account_id, session.expires_ms))


def open_session(row: tuple[bytes, bytes, int, bytes], cipher: Cipher) -> Session:
    """The session in a row (hash, account, expires_ms, sealed). Raises Tampered."""
    hash_, account_id, expires_ms, sealed = row
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, _aad(hash_, account_id, expires_ms)))
    return Session(hash_.hex(), content["assurance"], content["authenticated_ms"], expires_ms)


def _aad(hash_: bytes, account_id: bytes, expires_ms: int) -> bytes:
    return associated_data("access_token", hash_, account_id, expires_ms)

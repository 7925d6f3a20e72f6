"""Bearer tokens, and how they are kept: by their hash, and sealed."""

import base64
import hashlib
import re
from collections.abc import Callable

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
    hash_ = bytes.fromhex(session.session)
    return cipher.seal(orjson.dumps(session.facts()), _aad(hash_, account_id, session.expires_ms, session.parent))


def open_session(row: tuple[bytes, bytes, int, bytes | None, bytes], cipher: Cipher) -> Session:
    """The session in a row (hash, account, expires_ms, parent, sealed). Raises Tampered."""
    hash_, account_id, expires_ms, parent, sealed = row
    facts = orjson.loads(cipher.open(sealed, _aad(hash_, account_id, expires_ms, parent)))
    return Session.read(hash_.hex(), expires_ms, facts, parent)


def _aad(hash_: bytes, account_id: bytes, expires_ms: int, parent: bytes | None) -> bytes:
    belongs = () if parent is None else (parent,)  # rows from before the column existed were sealed without it
    return associated_data("access_token", hash_, account_id, expires_ms, *belongs)

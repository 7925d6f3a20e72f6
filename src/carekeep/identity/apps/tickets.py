"""Random secrets that stand for something for a short while: authorization codes, pushed requests, launches.

The database knows each by its SHA-256 only, and what it stands for is sealed.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from carekeep.encryption import Cipher, Secret, associated_data

_SECRET_LENGTH = 32
_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A new secret. ``hash`` is what the database knows it by; ``expires_ms`` is when it is worth nothing any more."""

    secret: Secret
    hash: bytes
    expires_ms: int


def new_ticket(random: Callable[[int], bytes], expires_ms: int) -> Ticket:
    """A new secret of 256 random bits, 43 characters."""
    secret = base64.urlsafe_b64encode(random(_SECRET_LENGTH)).rstrip(b"=")
    return Ticket(Secret(secret), hashlib.sha256(secret).digest(), expires_ms)


def ticket_hash(secret: str) -> bytes | None:
    """What the database would know this secret by; None for what cannot be one."""
    return hashlib.sha256(secret.encode()).digest() if _FORMAT.fullmatch(secret) else None


def seal_ticket(table: str, ticket: Ticket, content: bytes, cipher: Cipher) -> bytes:
    """The sealed content of a ticket's row."""
    return cipher.seal(content, associated_data(table, ticket.hash, ticket.expires_ms))


def open_ticket(table: str, row: tuple[bytes, int, bytes], cipher: Cipher) -> bytes:
    """The content of a row (hash, expires_ms, sealed). Raises Tampered."""
    hash_, expires_ms, sealed = row
    return cipher.open(sealed, associated_data(table, hash_, expires_ms))

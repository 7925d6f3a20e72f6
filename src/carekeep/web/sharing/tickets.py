"""Where a manifest says that a file is: a URL of one use, good for some minutes, that nobody else can make."""

import base64
import binascii
import hmac
import os
import struct
from collections.abc import Callable

from carekeep.access.sharing import Link
from carekeep.encryption import Keyring
from carekeep.storage import Prepared
from carekeep.web.services import Services

LIFETIME_MS = 10 * 60 * 1000  # 1.0.0 allows an hour
_TICKET = struct.Struct(">qB16s16s")
_NONCE = 16


def ticket(keyring: Keyring, link: Link, number: int, now_ms: int, random: Callable[[int], bytes] = os.urandom) -> str:
    """For one fetch of one file of a link, as it is now."""
    until, nonce = now_ms + LIFETIME_MS, random(_NONCE)
    packed = _TICKET.pack(until, number, nonce, _mac(keyring, link, number, until, nonce))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def redeem(services: Services, link: Link, text: str) -> tuple[int, Prepared[None]] | None:
    """The number of the file, and the use of the ticket, to be committed with its entry (conflict: it was used)."""
    try:
        until, number, nonce, mac = _TICKET.unpack(base64.urlsafe_b64decode(text.encode("ascii") + b"=="))
    except (ValueError, struct.error, binascii.Error):
        return None
    if until <= services.clock() or not hmac.compare_digest(mac, _mac(services.keyring, link, number, until, nonce)):
        return None
    return number, services.replays.prepare_once("file of a link", link.id, nonce.hex(), until)


def _mac(keyring: Keyring, link: Link, number: int, until: int, nonce: bytes) -> bytes:
    return keyring.nonces.digest("file of a link", link.id, str(link.revision), str(number), str(until), nonce)

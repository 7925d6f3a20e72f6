"""Values that a browser keeps for us: not secret, but known again as ours.

They are authenticated rather than encrypted: anybody may ask for as many as they like, and no key wears out by it.
"""

import base64
import binascii
import hmac

from carekeep.encryption import Tagger

_MAC_LENGTH = 16
_LONGEST = 1024  # characters


def stamp(tagger: Tagger, purpose: str, content: bytes) -> str:
    """``content`` and its MAC (HMAC-SHA-256, 128 bits) for this purpose, in base64url."""
    return base64.urlsafe_b64encode(_mac(tagger, purpose, content) + content).decode().rstrip("=")


def read_stamped(tagger: Tagger, purpose: str, text: str) -> bytes | None:
    """What was stamped for this purpose; None when it was not, or not by us."""
    if len(text) > _LONGEST or not text.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    mac, content = raw[:_MAC_LENGTH], raw[_MAC_LENGTH:]
    return content if hmac.compare_digest(mac, _mac(tagger, purpose, content)) else None


def _mac(tagger: Tagger, purpose: str, content: bytes) -> bytes:
    return tagger.digest("stamped", purpose, content)

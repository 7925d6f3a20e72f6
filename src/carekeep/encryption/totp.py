"""Time-based one-time codes (RFC 6238): HMAC-SHA-1, six digits, 30 seconds, as every authenticator app has them."""

import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from carekeep.encryption.secret import Secret

_KEY_LENGTH = 20  # bytes; the length of the HMAC's output, RFC 4226 section 4
_DIGITS = 6
_STEP_SECONDS = 30


def new_totp_key(random: Callable[[int], bytes] = os.urandom) -> Secret:
    """A new shared key."""
    return Secret(random(_KEY_LENGTH))


def totp_code(key: Secret, now_ms: int) -> str:
    """The code of this moment."""
    return _totp(key).generate(now_ms // 1000).decode()


def totp_counter(key: Secret, code: str, now_ms: int, last: int) -> int | None:
    """The time step of a code that is right now, or one step before or after; None when it is not right.

    A code is good once (RFC 6238, section 5.2): steps up to ``last``, the step accepted last, are refused. ``now_ms``
    is milliseconds since 1970 (UTC).
    """
    totp = _totp(key)
    given = code.encode("utf-8", "replace")
    current = now_ms // 1000 // _STEP_SECONDS
    found = None
    for counter in (current - 1, current, current + 1):  # always all three: the time does not tell which one it was
        right = hmac.compare_digest(totp.generate(counter * _STEP_SECONDS), given)
        if right and counter > last:
            found = counter
    return found


def totp_uri(key: Secret, login: str, issuer: str) -> Secret:
    """What an authenticator app scans (``otpauth://``); as secret as the key."""
    return Secret(_totp(key).get_provisioning_uri(login, issuer))


def _totp(key: Secret) -> TOTP:
    return TOTP(key.reveal(), _DIGITS, SHA1(), _STEP_SECONDS)  # noqa: S303 - RFC 6238; HMAC-SHA-1 is sound

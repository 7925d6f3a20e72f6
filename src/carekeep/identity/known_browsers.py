"""Browsers that signed in to an account before: what strangers do to its password does not hold them up.

The idea is OWASP's "device cookies". The cookie proves nothing about who sits there: it only chooses the bucket in
which wrong passwords are counted, so it is worth nothing without the password.
"""

import os
from collections.abc import Callable

from carekeep.encryption import Keyring, Secret
from carekeep.identity.account import login_tag
from carekeep.identity.stamps import read_stamped, stamp
from carekeep.storage import Clock, system_clock

LIFETIME_MS = 90 * 86_400_000
_PURPOSE = "known browser"
_NUMBER = 16  # bytes
_TAG = 16
_TIME = 8


class KnownBrowsers:
    """Hands out the cookie by which a browser is known again, and reads it."""

    def __init__(
        self, keyring: Keyring, clock: Clock = system_clock, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._keyring = keyring
        self._clock = clock
        self._random = random

    def issue(self, login: str) -> Secret:
        """A cookie for the browser in which somebody has just signed in with this login. Good for 90 days."""
        issued = self._clock().to_bytes(_TIME, "big")
        content = self._random(_NUMBER) + issued + login_tag(self._keyring, login)
        return Secret(stamp(self._keyring.index, _PURPOSE, content))

    def recognize(self, cookie: str, login: str) -> bytes | None:
        """The number of the browser (16 bytes); None when the cookie is not ours, too old, or for another login."""
        content = read_stamped(self._keyring.index, _PURPOSE, cookie)
        if content is None or len(content) != _NUMBER + _TIME + _TAG:
            return None
        issued = int.from_bytes(content[_NUMBER : _NUMBER + _TIME], "big")
        if content[_NUMBER + _TIME :] != login_tag(self._keyring, login):
            return None
        return content[:_NUMBER] if 0 <= self._clock() - issued < LIFETIME_MS else None

"""The server's nonces in DPoP proofs (RFC 9449 §8): a proof cannot have been made long before it is used.

Every worker makes the same nonce for the same two minutes, without keeping anything: it is a keyed digest of their
number. That of the two minutes before is good as well.
"""

import hmac

from carekeep.encryption import Keyring
from carekeep.storage import Clock, system_clock

WINDOW_MS = 120_000


class Nonces:
    """Makes and knows the nonces."""

    def __init__(self, keyring: Keyring, clock: Clock = system_clock) -> None:
        self._tagger = keyring.nonces
        self._clock = clock
        self._window = -1
        self._current = self._previous = ""

    def current(self) -> str:
        """The nonce to hand out now: 32 characters."""
        self._turn()
        return self._current

    def is_good(self, nonce: object) -> bool:
        """Whether a proof with this nonce is fresh enough."""
        self._turn()
        if not isinstance(nonce, str) or not nonce.isascii():
            return False
        # Both, always: the time tells nothing of a nonce that was not handed out yet.
        is_current = hmac.compare_digest(nonce, self._current)
        return hmac.compare_digest(nonce, self._previous) or is_current

    def _turn(self) -> None:
        window = self._clock() // WINDOW_MS
        if window != self._window:
            self._window = window
            self._current, self._previous = self._of(window), self._of(window - 1)

    def _of(self, window: int) -> str:
        return self._tagger.digest("dpop", str(window)).hex()

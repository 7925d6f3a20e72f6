"""The yes to a second look: bound to exactly the plan that was asked about, and good for ten minutes.

Nothing is kept: who is asked gets a value that only this installation can make, and it fits no other plan.
"""

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence

from carekeep.access.sharing.second_look import Plan, Question
from carekeep.encryption import Keyring
from carekeep.storage import Clock, system_clock

LIFETIME_MS = 10 * 60 * 1000
_VALUE = struct.Struct(">q16s")


class Confirmations:
    """Makes and recognizes confirmations."""

    def __init__(self, keyring: Keyring, clock: Clock = system_clock) -> None:
        self._tagger = keyring.nonces
        self._clock = clock

    def ask(self, plan: Plan, asked: Sequence[Question]) -> str:
        """What comes back when the sender says yes to these questions."""
        until = self._clock() + LIFETIME_MS
        return base64.urlsafe_b64encode(_VALUE.pack(until, self._mac(plan, asked, until))).decode()

    def is_yes(self, plan: Plan, asked: Sequence[Question], confirmation: str) -> bool:
        """Whether the same sender said yes to the same questions about the same plan, in the last ten minutes."""
        try:
            until, mac = _VALUE.unpack(base64.urlsafe_b64decode(confirmation.encode("ascii")))
        except (ValueError, struct.error, binascii.Error):
            return False
        now = self._clock()
        return now < until <= now + LIFETIME_MS and hmac.compare_digest(mac, self._mac(plan, asked, until))

    def _mac(self, plan: Plan, asked: Sequence[Question], until: int) -> bytes:
        texts = [part for question in asked for part in (question.code, question.text)]
        return self._tagger.digest(
            "second look", plan.sender, plan.patient, plan.recipient, plan.content, str(until), *texts
        )

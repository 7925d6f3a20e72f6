"""Recovery codes: ten one-time codes on paper, for the day when the phone or the key is gone.

80 random bits each (NIST SP 800-63B-4, section 4.2.1.1, asks for 64). Kept as keyed digests inside the account's sealed
row: whoever has the database and not the keys can try none.
"""

import base64
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from carekeep.encryption import Hidden, Secret, Tagger
from carekeep.identity.account import Account

HOW_MANY = 10
_LENGTH = 10  # bytes
_FORMAT = re.compile(r"[A-Z2-7]{16}")
_GROUP = 4
_MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B"})  # digits that the alphabet (RFC 4648) does not have
_LONGEST_TYPED = 64


@dataclass(frozen=True, slots=True, repr=False)
class RecoveryCodes(Hidden):
    """New recovery codes, to be shown once, and the account as it is with them."""

    account: Account
    codes: tuple[Secret, ...]


def new_codes(random: Callable[[int], bytes]) -> tuple[Secret, ...]:
    """Ten codes as they are shown: four groups of four letters and digits."""
    return tuple(_shown(base64.b32encode(random(_LENGTH)).decode()) for _ in range(HOW_MANY))


def code_digest(tagger: Tagger, account_id: bytes, code: Secret) -> bytes | None:
    """What is kept of a code of this account. None when the text is no recovery code (it may be a one-time code)."""
    letters = _typed(code)
    return tagger.digest("recovery code", account_id, letters) if letters else None


def without(kept: tuple[bytes, ...], digest: bytes) -> tuple[bytes, ...] | None:
    """The digests that are left when this one is used up; None when it is none of them. Looks at all of them."""
    same = [hmac.compare_digest(each, digest) for each in kept]
    return tuple(each for each, is_it in zip(kept, same, strict=True) if not is_it) if any(same) else None


def _shown(letters: str) -> Secret:
    return Secret("-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP)))


def _typed(code: Secret) -> str | None:
    text = code.reveal()[:_LONGEST_TYPED].decode("ascii", "replace").upper()
    letters = text.replace("-", "").replace(" ", "").translate(_MISREAD)
    return letters if _FORMAT.fullmatch(letters) else None

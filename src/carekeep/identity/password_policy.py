"""Which passwords may be set: NIST SP 800-63B-4, section 3.1.1.

Length is what counts: 15 characters where the password stands alone, 8 where a one-time code goes with it. Any
character is allowed, none is demanded, nothing expires.
"""

import unicodedata

from carekeep.encryption import Secret
from carekeep.identity.errors import PasswordRefused

SHORTEST_ALONE = 15  # characters
SHORTEST_WITH_CODE = 8
LONGEST = 1024  # bytes


def check_password(password: Secret, *, with_code: bool, login: str, name: str) -> None:
    """Raises PasswordRefused with a sentence for the person who chose it."""
    content = password.reveal()
    if len(content) > LONGEST:
        raise PasswordRefused(f"The password is too long: at most {LONGEST} bytes.")
    try:
        text = unicodedata.normalize("NFKC", content.decode())
    except UnicodeDecodeError:
        raise PasswordRefused("The password is not valid text (UTF-8).") from None
    shortest = SHORTEST_WITH_CODE if with_code else SHORTEST_ALONE
    if len(text) < shortest:
        raise PasswordRefused(f"The password is too short: at least {shortest} characters.")
    letters = _letters(text)
    if letters and letters in {_letters(login), _letters(name)}:
        raise PasswordRefused("The password must not be the login or the name.")


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())

"""Which passwords may be set: NIST SP 800-63B-4, section 3.1.1.

Length is what counts: 15 characters where the password stands alone, 8 where a one-time code goes with it. Any
character is allowed, none is demanded, nothing expires. What attackers try first is refused: the lists of most used
passwords, words and names that come with ``zxcvbn``, what the account itself gives away, repetition and rows of keys.
"""

import re
import unicodedata
from typing import Any

from zxcvbn import matching, scoring  # type: ignore[import-untyped]

from carekeep.encryption import Secret
from carekeep.identity.errors import PasswordRefused

SHORTEST_ALONE = 15  # characters
SHORTEST_WITH_CODE = 8
LONGEST = 1024  # bytes

# An attacker has 100 guesses online; this many leave room for a leaked hash, which Argon2id makes slow to try.
_FEWEST_GUESSES = 100_000_000
# The search for look-alike letters grows with the square of the length: 0.5 s at worst for so many characters.
_RATED = 32
_SERVICE = "carekeep"
_SHORTEST_PART = 4  # of a name: shorter ones are in many words
_WORD = re.compile(rf"[^\W_]{{{_SHORTEST_PART},}}")
_COMMON = "passwords"  # zxcvbn's name for its list of leaked passwords
_CONTEXT = "user_inputs"
_LEANING = "it leans on the login, the name or the name of this service"
_ADVICE = "Take four or more words that have nothing to do with each other or with you."


def check_password(password: Secret, *, with_code: bool, login: str, name: str) -> None:
    """Raises PasswordRefused with a sentence for the person who chose it. May take some tenths of a second."""
    text = _text(password)
    shortest = SHORTEST_WITH_CODE if with_code else SHORTEST_ALONE
    if len(text) < shortest:
        raise PasswordRefused(f"The password is too short: at least {shortest} characters.")
    context = _context(login, name)
    weakness = _LEANING if _leans_on(text, context) else _weakness(text[:_RATED], context)
    if weakness:
        raise PasswordRefused(f"The password is easy to guess: {weakness}. {_ADVICE}")


def stands_alone(password: Secret) -> bool:
    """Whether a password that was accepted is long enough without one-time codes. Raises PasswordRefused."""
    return len(_text(password)) >= SHORTEST_ALONE


def _text(password: Secret) -> str:
    """The password as it is hashed, too: one text whatever keyboard it came from."""
    content = password.reveal()
    if len(content) > LONGEST:
        raise PasswordRefused(f"The password is too long: at most {LONGEST} bytes.")
    try:
        return unicodedata.normalize("NFKC", content.decode())
    except UnicodeDecodeError:
        raise PasswordRefused("The password is not valid text (UTF-8).") from None


def _weakness(text: str, context: dict[str, int]) -> str | None:
    """What makes a password weak, in words; None for one that is strong enough."""
    # Not through zxcvbn.zxcvbn(): it keeps what it is told of the account in a global of the process.
    dictionaries = {**matching.RANKED_DICTIONARIES, _CONTEXT: context}
    rated = scoring.most_guessable_match_sequence(text, matching.omnimatch(text, dictionaries))
    return _in_words(text, rated["sequence"]) if rated["guesses"] < _FEWEST_GUESSES else None


def _in_words(text: str, found: list[dict[str, Any]]) -> str:
    kinds = {match.get("dictionary_name") or match["pattern"] for match in found}
    if any(match.get("dictionary_name") == _COMMON and match["token"] == text for match in found):
        return "it is on the lists of most used passwords"
    if _CONTEXT in kinds:
        return _LEANING
    if "repeat" in kinds:
        return "it repeats itself"
    if kinds & {"sequence", "spatial"}:
        return "it follows the alphabet, the numbers or the keyboard"
    if kinds & {"date", "regex"}:
        return "it leans on a date"
    return "it is a common password, word or name with little added"


def _leans_on(text: str, context: dict[str, int]) -> bool:
    """Whether less than a short password is left when what everybody knows of the account is taken away."""
    letters = left = _letters(text)
    parts = {part for part in map(_letters, context) if len(part) >= _SHORTEST_PART}
    for part in sorted(parts, key=len, reverse=True):
        left = left.replace(part, "")
    return left != letters and len(left) < SHORTEST_WITH_CODE


def _context(login: str, name: str) -> dict[str, int]:
    """What an attacker who knows the account tries first: login, name and service, whole and by words."""
    texts = [unicodedata.normalize("NFKC", text).lower() for text in (_SERVICE, login, name)]
    parts = [text for whole in texts for text in (whole, _letters(whole), *_WORD.findall(whole))]
    return {part: rank for rank, part in enumerate(dict.fromkeys(parts), start=1)}


def _letters(text: str) -> str:
    """Letters and digits alone, in lower case and without their accents."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in plain if character.isalnum())

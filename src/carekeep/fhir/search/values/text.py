"""Strings as search compares them, and the escapes of query values (FHIR R4 3.1.1.4.8, 3.1.1.4.11)."""

import re
import unicodedata

# Apostrophes join (O'Brien is one word), everything else that is no letter or digit separates.
_JOINING = dict.fromkeys((0x27, 0x60, 0xB4, 0x2BB, 0x2BC, 0x2BD, 0x2018, 0x2019))
# Letters with strokes and ligatures have no decomposition in Unicode, but people type them without.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
_SEPARATORS = re.compile(r"[\W_]+")


class BadValue(ValueError):
    """A value of a query has no meaning for its parameter. The message never repeats the value."""


def normalise(text: str) -> str:
    """Without case, accents and punctuation; words separated by one space."""
    folded = text.casefold().translate(_JOINING)
    if not folded.isascii():
        decomposed = unicodedata.normalize("NFKD", folded).casefold().translate(_JOINING)
        folded = "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS)
    return _SEPARATORS.sub(" ", folded).strip()


def split(text: str, separator: str, limit: int = 0) -> list[str]:
    r"""Split at a separator that no backslash escapes. Escapes stay; ``limit`` bounds the splits (0: none)."""
    pieces: list[str] = []
    start = at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == separator and (not limit or len(pieces) < limit):
            pieces.append(text[start:at])
            start = at + 1
        at += 1
    pieces.append(text[start:])
    return pieces


def unescape(text: str) -> str:
    r"""``\,`` ``\|`` ``\$`` ``\\`` mean the second character; a backslash before another stands for itself."""
    return re.sub(r"\\([,|$\\])", r"\1", text) if "\\" in text else text

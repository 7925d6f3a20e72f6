"""Strings (FHIR R4 3.1.1.4.8): a field starts with what is sought, without regard to case, accents and punctuation.

Names and addresses are searched as one ("a server defined search"): every word that is sought starts a word of the
HumanName or Address, so that ``name=garcia maria`` finds Maria García. Their pieces (``family``, ``address-city``)
follow the plain rule, but lie in the same index, which holds the beginnings of every word once for all of them.
Other fields have the beginnings of the whole field in the index.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from carekeep.fhir.search.expressions import Path
from carekeep.fhir.search.values.text import BadValue, normalise, unescape

_PIECES = {
    "HumanName": ("family", "given", "prefix", "suffix", "text"),
    "Address": ("line", "city", "district", "state", "postalCode", "country", "text"),
}
# One-letter beginnings would say much about a name and select little; ideographs are whole words by themselves.
_WORD = (2, 3, 4, 6, 8)
_FIELD = (2, 3, 4, 6, 8, 12, 16)
_IDEOGRAPHS = "\u2e80"


class How(Enum):
    """How a string is compared."""

    STARTS = "starts"
    EXACT = "exact"
    CONTAINS = "contains"


def fields(type_: str, element: Any) -> Iterator[str]:
    """The strings of an element."""
    if isinstance(element, str):
        yield element
    elif isinstance(element, dict):
        for name in _PIECES.get(type_, ()):
            piece = element.get(name)
            for text in piece if isinstance(piece, list) else (piece,):
                if isinstance(text, str):
                    yield text


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element."""
    if path.type not in _PIECES:
        return [start.encode() for text in fields(path.type, element) for start in _starts(normalise(text), _FIELD)]
    words = {word for text in fields(path.type, element) for word in normalise(text).split(" ")}
    return [start.encode() for word in words for start in _starts(word, _WORD)]


def _starts(text: str, lengths: tuple[int, ...]) -> Iterator[str]:
    if text[:1] >= _IDEOGRAPHS:
        yield text[:1]
    for length in lengths:
        if length > len(text):
            return
        yield text[:length]


@dataclass(frozen=True, slots=True)
class SoughtString:
    """``text`` as it was asked for, and normalised."""

    how: How
    text: str
    normal: str

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        texts = fields(path.type, element)
        if self.how is How.EXACT:
            return any(text == self.text for text in texts)
        if self.how is How.CONTAINS:
            return any(self.normal in normalise(text) for text in texts)
        if path.type in _PIECES:
            words = [word for text in texts for word in normalise(text).split(" ")]
            return all(any(word.startswith(start) for word in words) for start in self.normal.split(" "))
        return any(normalise(text).startswith(self.normal) for text in texts)

    def terms(self, path: Path) -> Iterable[bytes] | None:
        """The longest beginning that is indexed; of a name, of its longest word."""
        if self.how is How.CONTAINS:
            return None
        if path.inside or path.type in _PIECES:
            longest = max(self.normal.split(" "), key=len)
            starts = list(_starts(longest, _WORD))
        else:
            starts = list(_starts(self.normal, _FIELD))
        return (starts[-1].encode(),) if starts else None


def parse(text: str, how: How) -> SoughtString:
    """A string as queries write it. Raises BadValue."""
    plain = unescape(text)
    normal = normalise(plain)
    if not normal and how is not How.EXACT:
        raise BadValue("the string has no letters or digits")
    return SoughtString(how, plain, normal)

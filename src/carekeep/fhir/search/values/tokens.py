"""Tokens (FHIR R4 3.1.1.4.10): codes and identifiers, with or without their system. Compared as written.

The index holds the bare code only, one term a code: the same code in two systems at the same place is rare, and exact
matching tells them apart. Telephone numbers and e-mail addresses lose their separators and case.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.values.text import BadValue, normalise, split, unescape

_TELEPHONE = re.compile(r"[\s().\-/]+")
_OF_TYPE_PIECES = 3


@dataclass(frozen=True, slots=True)
class Token:
    """A code and its system; None: the element has none."""

    system: str | None
    code: str


def tokens(path: Path, element: Any) -> Iterator[Token]:
    """The tokens of an element. Types that are no tokens (a Range among a choice's types) have none."""
    if isinstance(element, dict):
        yield from _of_complex(path.type, element)
    elif isinstance(element, bool):
        yield Token(None, "true" if element else "false")
    elif isinstance(element, str):
        yield Token(path.system, element)


def _of_complex(type_: str, element: Json) -> Iterator[Token]:
    if type_ == "CodeableConcept":
        codings = element.get("coding")
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict):
                yield from _pair(coding.get("system"), coding.get("code"))
    elif type_ == "Coding":
        yield from _pair(element.get("system"), element.get("code"))
    elif type_ == "Identifier":
        yield from _pair(element.get("system"), element.get("value"))
    elif type_ == "ContactPoint" and isinstance(element.get("value"), str):
        yield Token(None, contact(element["value"]))


def _pair(system: object, code: object) -> Iterator[Token]:
    if isinstance(code, str):
        yield Token(system if isinstance(system, str) else None, code)


def contact(value: str) -> str:
    """A telephone number without separators, an e-mail address without case."""
    folded = value.casefold().strip()
    return folded if "@" in folded else _TELEPHONE.sub("", folded)


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element."""
    return [token.code.encode() for token in tokens(path, element)]


@dataclass(frozen=True, slots=True)
class SoughtToken:
    """``code`` (system None: any), ``system|code``, ``|code`` (system "": none), ``system|`` (code None: any)."""

    system: str | None
    code: str | None

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        code = self._code(path)
        return any(
            (code is None or token.code == code) and (self.system is None or (token.system or "") == self.system)
            for token in tokens(path, element)
        )

    def _code(self, path: Path) -> str | None:
        return contact(self.code) if self.code is not None and path.type == "ContactPoint" else self.code

    def terms(self, path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        code = self._code(path)
        return None if code is None else (code.encode(),)


@dataclass(frozen=True, slots=True)
class SoughtCodes:
    """One of these ``(system, code)``; a code without a system belongs to none."""

    codes: frozenset[tuple[str, str]]

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        return any((token.system or "", token.code) in self.codes for token in tokens(path, element))

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        return {code.encode() for _, code in self.codes}


@dataclass(frozen=True, slots=True)
class SoughtText:
    """``:text``: the words that go with a code start with these (normalised)."""

    start: str

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        return any(normalise(text).startswith(self.start) for text in _texts(path.type, element))

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """Texts of codes are not indexed."""
        return None


def _texts(type_: str, element: Any) -> Iterator[str]:
    """CodeableConcept.text, Coding.display, Identifier.type.text."""
    if not isinstance(element, dict):
        return
    if type_ == "Identifier":
        yield from _texts("CodeableConcept", element.get("type"))
        return
    if isinstance(element.get("text"), str):
        yield element["text"]
    codings = element.get("coding") if type_ == "CodeableConcept" else [element]
    for coding in codings if isinstance(codings, list) else ():
        if isinstance(coding, dict) and isinstance(coding.get("display"), str):
            yield coding["display"]


_KIND = Path(("type",), "type", "CodeableConcept", many=False, system=None, walk=lambda *_: None)


@dataclass(frozen=True, slots=True)
class SoughtOfType:
    """``:of-type``: an Identifier with this value whose type has this coding."""

    kind: SoughtToken
    value: str

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        if path.type != "Identifier" or not isinstance(element, dict) or element.get("value") != self.value:
            return False
        return self.kind.matches(_KIND, element.get("type"))

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        return (self.value.encode(),)


def parse(text: str) -> SoughtToken:
    """A token as queries write it. Raises BadValue."""
    pieces = [unescape(piece) for piece in split(text, "|", limit=1)]
    if len(pieces) == 1:
        return SoughtToken(None, pieces[0])
    system, code = pieces
    if not system and not code:
        raise BadValue("write a token as code, system|code, |code or system|")
    return SoughtToken(system, code or None)


def parse_text(text: str) -> SoughtText:
    """The value of ``:text``. Raises BadValue."""
    start = normalise(unescape(text))
    if not start:
        raise BadValue("the text has no letters or digits")
    return SoughtText(start)


def parse_of_type(text: str) -> SoughtOfType:
    """The value of ``:of-type``: ``system|code|value``. Raises BadValue."""
    pieces = [unescape(piece) for piece in split(text, "|")]
    if len(pieces) != _OF_TYPE_PIECES or not all(pieces):
        raise BadValue("write the value of :of-type as system|code|value")
    return SoughtOfType(SoughtToken(pieces[0], pieces[1]), pieces[2])

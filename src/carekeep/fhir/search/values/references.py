"""References (FHIR R4 3.1.1.4.12): ``id``, ``Type/id``, a whole URL, and ``:identifier``.

An element is compared as it is written: relative with relative, URL with URL. Versions count only if the query names
one. Canonical elements (``url|version``) follow the same rule.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.search.expressions import Path
from carekeep.fhir.search.values.text import BadValue, unescape
from carekeep.fhir.search.values.tokens import SoughtToken, Token, tokens

_ID = r"([A-Za-z0-9\-.]{1,64})"
_RELATIVE = re.compile(rf"(?:([A-Z][A-Za-z]{{1,63}})/)?{_ID}(?:/_history/{_ID})?", re.ASCII)
_VERSIONED = re.compile(rf"(.*)/_history/{_ID}", re.ASCII | re.DOTALL)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+", re.ASCII)
_IDENTIFIED = b"identifier|"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a reference points: the address without version, and the version ("" if none)."""

    base: str
    version: str


def address(type_: str, element: Any) -> Address | None:
    """The address that an element holds, or None if it has none, or one inside its own resource."""
    if isinstance(element, str):
        base, _, version = element.partition("|")
        return Address(base, version)
    if not isinstance(element, dict):
        return None
    if type_ == "Resource":
        named = isinstance(element.get("resourceType"), str) and isinstance(element.get("id"), str)
        return Address(f"{element['resourceType']}/{element['id']}", "") if named else None
    text = element.get("reference")
    if not isinstance(text, str) or text.startswith("#"):
        return None
    found = _VERSIONED.fullmatch(text) if "/_history/" in text else None
    return Address(found[1], found[2]) if found else Address(text, "")


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element."""
    found = address(path.type, element)
    values = [found.base.encode()] if found else []
    values.extend(_IDENTIFIED + token.code.encode() for token in _identifiers(element))
    return values


def _identifiers(element: Any) -> list[Token]:
    identifier = element.get("identifier") if isinstance(element, dict) else None
    return list(tokens(_IDENTIFIER, identifier)) if isinstance(identifier, dict) else []


_IDENTIFIER = Path(("identifier",), "identifier", "Identifier", many=False, system=None, walk=lambda *_: None)


@dataclass(frozen=True, slots=True)
class SoughtReference:
    """Any of these addresses; ``version`` "" means any version. ``types`` are the types that they name."""

    bases: frozenset[str]
    version: str
    types: frozenset[str]

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        found = address(path.type, element)
        return found is not None and found.base in self.bases and self.version in {"", found.version}

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        return [base.encode() for base in self.bases]


@dataclass(frozen=True, slots=True)
class SoughtIdentifier:
    """``:identifier``: the identifier that a reference carries itself."""

    token: SoughtToken

    def matches(self, _path: Path, element: Any) -> bool:
        """See Sought."""
        identifier = element.get("identifier") if isinstance(element, dict) else None
        return isinstance(identifier, dict) and self.token.matches(_IDENTIFIER, identifier)

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        values = self.token.terms(_IDENTIFIER)
        return None if values is None else [_IDENTIFIED + value for value in values]


def parse(text: str, targets: tuple[str, ...]) -> SoughtReference:
    """A reference as queries write it; a bare id may be of any target type. Raises BadValue."""
    plain = unescape(text)
    found = _RELATIVE.fullmatch(plain)
    if found is not None:
        type_, id_, version = found.groups()
        types = frozenset((type_,) if type_ else targets)
        if not types:
            raise BadValue("write this reference with its type (Type/id) or as a URL")
        if type_ and targets and type_ not in targets:
            raise BadValue(f"this parameter refers to {', '.join(targets)}")
        return SoughtReference(frozenset(f"{each}/{id_}" for each in types), version or "", types)
    if _ABSOLUTE.fullmatch(plain) is None:
        raise BadValue("write a reference as id, Type/id or a URL")
    versioned = _VERSIONED.fullmatch(plain)
    base, version = (versioned[1], versioned[2]) if versioned else plain.partition("|")[::2]
    return SoughtReference(frozenset({base}), version, frozenset())

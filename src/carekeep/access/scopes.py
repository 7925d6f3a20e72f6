"""Scopes: what an app was given (SMART App Launch 2.2.0, scopes and launch context; OpenID Connect Core 5.4).

A set of scopes is a set of things that may be done: a letter of ``cruds`` to a type, at a level, to records that meet
the search arguments. ``narrowed_to`` is the intersection of two such sets, so nothing that comes out of it is wider
than either. Scopes of version 1 (``.read``, ``.write``, ``.*``) are read as what they mean in version 2.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl

from carekeep.access.rights import ANY, LETTERS, Content, Pair, Right, query_of
from carekeep.access.scope_words import rights_in_words, words_in_words
from carekeep.fhir import RESOURCE_TYPES, QueryError

MAX_LENGTH: Final = 8_192  # characters of a list of scopes
MAX_SCOPES: Final = 200
MAX_WITH_ARGUMENTS: Final = 20
MAX_ARGUMENTS: Final = 10  # of one scope
WORDS: Final = frozenset(
    {
        "openid",
        "fhirUser",
        "profile",
        "launch",
        "launch/patient",
        "launch/encounter",
        "offline_access",
        "online_access",
    }
)
"""The scopes that are no right to records."""

_LEVELS = ("patient", "user", "system")
_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,40})\.([a-z*]{1,5})(?:\?(.{1,1024}))?")
_FIRST_VERSION: Mapping[str, str] = MappingProxyType({"read": "rs", "write": "cud", "*": LETTERS})
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
_CACHED = 4_096


class ScopeInvalid(ValueError):
    """A scope that cannot be read, or is of nothing that there is. The message is for the app's developer."""


@dataclass(frozen=True, slots=True)
class Scopes:
    """A set of scopes, in one form for each meaning. ``words`` are those that are no right to records."""

    rights: tuple[Right, ...] = ()
    words: frozenset[str] = field(default=frozenset())

    @classmethod
    def parse(cls, text: str) -> "Scopes":
        """Read scopes with spaces between them. Raises ScopeInvalid for the first that is none of ours."""
        return _parse(text)

    @classmethod
    def of(cls, rights: Iterable[Right], words: Iterable[str] = ()) -> "Scopes":
        """The set of these. Raises ScopeInvalid above the bounds."""
        found = cls(_in_one_form(rights), frozenset(words))
        with_arguments = sum(1 for right in found.rights if right.arguments)
        if (
            len(found.rights) + len(found.words) > MAX_SCOPES
            or with_arguments > MAX_WITH_ARGUMENTS
            or any(len(right.arguments) > MAX_ARGUMENTS for right in found.rights)
            or len(str(found)) > MAX_LENGTH
        ):
            raise ScopeInvalid("These scopes are too many or too long. Ask for fewer, or with fewer arguments.")
        return found

    def __str__(self) -> str:
        """As a token answer lists them."""
        return " ".join([*sorted(self.words), *map(str, self.rights)])

    def __contains__(self, word: str) -> bool:
        """Whether one of ``WORDS`` is among them."""
        return word in self.words

    def narrowed_to(self, allowed: "Scopes") -> "Scopes":
        """What both sets permit. Raises ScopeInvalid when that takes too many scopes to say."""
        met = [mine.meet(theirs) for mine in self.rights for theirs in allowed.rights]
        return Scopes.of([right for right in met if right is not None], self.words & allowed.words)

    def is_within(self, allowed: "Scopes") -> bool:
        """Whether the others permit all that these do."""
        mine = [each for right in self.rights for each in right.by_letter()]
        return self.words <= allowed.words and all(any(other.covers(each) for other in allowed.rights) for each in mine)

    def at_level(self, level: str) -> tuple[Right, ...]:
        """The rights at a level: ``patient``, ``user`` or ``system``."""
        return tuple(right for right in self.rights if right.level == level)

    def permits(
        self,
        letter: str,
        type_: str,
        *,
        patients: Sequence[str] = (),
        launch_patient: str | None = None,
        content: Content | None = None,
        machine: bool = False,
    ) -> bool:
        """Whether these scopes let an app do ``letter`` to a record (or, with ANYTHING, to some record).

        ``type_`` may be empty: of any type. ``patients`` are those in whose compartment the record is. ``machine``: the
        app acts for itself, by ``system/`` scopes; for a person the others count. ``content`` None: it is not told.
        """
        for right in self.rights:
            if letter not in right.letters or (type_ and right.type not in (ANY, type_)):
                continue
            if right.reaches(letter, patients, launch_patient, content, machine=machine) and right.is_met_by(content):
                return True
        return False

    def in_words(self, whose: str = "your") -> tuple[str, ...]:
        """What a person is asked to allow, a plain sentence for each kind of thing, worst last.

        ``whose``: the records at the patient's level ("your", or "the open patient's" in a clinician's session).
        """
        return (*rights_in_words(self.rights, whose), *words_in_words(self.words))


@lru_cache(_CACHED)
def _parse(text: str) -> Scopes:
    if len(text) > MAX_LENGTH:
        raise ScopeInvalid(f"The scopes are longer than {MAX_LENGTH} characters.")
    parts = text.split(" ") if text else []
    if len(parts) > MAX_SCOPES:
        raise ScopeInvalid(f"There are more than {MAX_SCOPES} scopes.")
    words = {part for part in parts if part in WORDS}
    return Scopes.of([_read(part) for part in parts if part and part not in words], words)


def _read(text: str) -> Right:
    shown = text[:80] if _TOKEN.fullmatch(text) else "with characters that no scope has"
    found = _SCOPE.fullmatch(text) if _TOKEN.fullmatch(text) else None
    if found is None:
        raise ScopeInvalid(f"The scope {shown} is not known here.")
    level, type_, access, query = found.groups()
    if type_ != ANY and type_ not in RESOURCE_TYPES:
        raise ScopeInvalid(f"The scope {shown} is of no resource type of FHIR R4.")
    letters = _FIRST_VERSION.get(access, access)
    if not _is_in_order(letters):
        raise ScopeInvalid(f"The scope {shown} must end in letters of {LETTERS}, in that order.")
    return Right(level, type_, letters, _arguments(type_, query, shown, is_new=access == letters))


def _is_in_order(letters: str) -> bool:
    return letters == "".join(letter for letter in LETTERS if letter in letters)


def _arguments(type_: str, query: str | None, shown: str, *, is_new: bool) -> tuple[Pair, ...]:
    if query is None:
        return ()
    if type_ == ANY or not is_new:
        raise ScopeInvalid(f"The scope {shown} can have no search arguments: name a type, and letters of {LETTERS}.")
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MAX_ARGUMENTS
        )
        arguments = tuple(sorted(set(pairs)))
        query_of(type_, arguments)
    except QueryError as error:
        raise ScopeInvalid(f"The arguments of the scope {shown} cannot be used: {error}") from None
    except ValueError:
        raise ScopeInvalid(f"The arguments of the scope {shown} are not 1 to {MAX_ARGUMENTS} parameters.") from None
    return arguments


def _in_one_form(rights: Iterable[Right]) -> tuple[Right, ...]:
    """The same rights, each letter where it reaches furthest and nowhere else; in an order of their own."""
    alike: dict[tuple[str, str, str], set[Right]] = {}
    for right in {each for many in rights for each in many.by_letter()}:
        alike.setdefault((right.level, right.letters, right.type), set()).add(right)
    widest = [
        right
        for (level, letter, type_), bucket in alike.items()
        if type_ == ANY or (level, letter, ANY) not in alike
        for right in bucket
        if not any(other != right and other.covers(right) for other in bucket)
    ]
    letters: dict[tuple[str, str, tuple[Pair, ...]], set[str]] = {}
    for right in widest:
        letters.setdefault((right.level, right.type, right.arguments), set()).add(right.letters)
    together = [
        Right(level, type_, "".join(letter for letter in LETTERS if letter in found), arguments)
        for (level, type_, arguments), found in letters.items()
    ]
    return tuple(sorted(together, key=lambda right: (_LEVELS.index(right.level), right)))

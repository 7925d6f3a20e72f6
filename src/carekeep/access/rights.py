"""One right that a scope names: what may be done to which records, and whether a record is one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from carekeep.fhir import Issue, Query, QueryError, parse_query

LETTERS: Final = "cruds"
ANY: Final = "*"
_CACHED = 4_096

Pair = tuple[str, str]


class Content(Protocol):
    """What a record says: ``records.Stored`` is one."""

    @property
    def resource(self) -> dict[str, Any]:
        """The FHIR resource."""
        ...


class _Anything:
    """Stands for the content of all records of a kind, before any of them is looked at."""

    @property
    def resource(self) -> dict[str, Any]:
        raise LookupError("This stands for many records.")


ANYTHING: Final = _Anything()
"""The content of a target that is no record: may there be one that is permitted? Each is decided again by itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Proposed:
    """What a record would say once it is written."""

    resource: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One right to records: ``letters`` of ``cruds``, in that order, to a type (or ``*``).

    ``arguments`` are search parameters that a record must meet, all of them; sorted. Only of a right to one type.
    """

    level: str
    type: str
    letters: str
    arguments: tuple[Pair, ...] = ()

    def __str__(self) -> str:
        text = f"{self.level}/{self.type}.{self.letters}"
        return f"{text}?{urlencode(self.arguments, quote_via=quote, safe='/:|,$')}" if self.arguments else text

    def by_letter(self) -> "list[Right]":
        """The same right, a letter at a time."""
        return [replace(self, letters=letter) for letter in self.letters]

    def covers(self, other: "Right") -> bool:
        """Whether nothing that the other permits is missing here."""
        return (
            self.level == other.level
            and self.type in (ANY, other.type)
            and set(self.letters).issuperset(other.letters)
            and set(self.arguments).issubset(other.arguments)
        )

    def meet(self, other: "Right") -> "Right | None":
        """What both permit, if there is anything."""
        letters = "".join(letter for letter in self.letters if letter in other.letters)
        if self.level != other.level or not letters or (self.type != other.type and ANY not in (self.type, other.type)):
            return None
        type_ = other.type if self.type == ANY else self.type
        return Right(self.level, type_, letters, tuple(sorted({*self.arguments, *other.arguments})))

    def is_met_by(self, content: Content | None) -> bool:
        """Whether a record is among those that the arguments mean. Of one that is not told, nothing is known."""
        if not self.arguments or content is ANYTHING:
            return True
        return content is not None and query_of(self.type, self.arguments).matches(content.resource)

    def reaches(
        self,
        letter: str,
        patients: Sequence[str],
        launch_patient: str | None,
        content: Content | None,
        *,
        machine: bool,
    ) -> bool:
        """Whether a right at this level is about a record of these patients at all; see ``Scopes.permits``.

        A record that belongs to no patient (the medication that a prescription names, the practitioner who wrote it)
        may be read at the patient's level as well, for it tells nothing of anybody. To write takes a record of the
        launch patient and of nobody else.
        """
        if machine or self.level == "system":
            return machine and self.level == "system"
        if self.level == "user":
            return True
        if launch_patient is None:
            return False
        if not patients:
            return letter in "rs" or content is ANYTHING
        return launch_patient in patients if letter in "rs" else set(patients) == {launch_patient}


@lru_cache(_CACHED)
def query_of(type_: str, arguments: tuple[Pair, ...]) -> Query:
    """What arguments mean. Raises QueryError for those that are none, or that one record alone cannot answer."""
    query = parse_query(type_, arguments, lenient=False)
    if query.includes or len(query.criteria) != len(arguments):
        says = "parameters that shape a result, or ask about other records and value sets, mean nothing here"
        raise QueryError([Issue("error", "not-supported", "", says)])
    return query

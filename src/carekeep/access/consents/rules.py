"""A Consent as decisions use it: one tree of provisions, of which each is an exception to the one above it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from carekeep.access.spans import ALWAYS, Span
from carekeep.access.vocabulary import Purpose

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Provision:
    """One rule and its exceptions, in their order. What it does not name, it means all of.

    When it holds: ``period``; for whom: ``actors`` ("Type/id"); what for: ``purposes``. What it is about: ``types`` of
    records, ``labels`` and ``codes`` ("system|code"), the time ``dated`` from which the data is, and the data itself:
    ``instances``, what is ``related`` to a record, what ``authors`` wrote ("Type/id" each; one of the three is enough).
    """

    permits: bool
    period: Span = ALWAYS
    actors: frozenset[str] = _NONE
    purposes: frozenset[Purpose] = frozenset()
    types: frozenset[str] = _NONE
    labels: frozenset[str] = _NONE
    codes: frozenset[str] = _NONE
    dated: Span | None = None
    instances: frozenset[str] = _NONE
    related: frozenset[str] = _NONE
    authors: frozenset[str] = _NONE
    exceptions: tuple["Provision", ...] = field(default=())

    @property
    def names_data(self) -> bool:
        """Whether it is about particular records by themselves: by id, by what they refer to, by their author."""
        return bool(self.instances or self.related or self.authors)

    @property
    def narrows_data(self) -> bool:
        """Whether it is about some records only."""
        return bool(self.types or self.labels or self.codes or self.dated is not None or self.names_data)

    @property
    def needs_content(self) -> bool:
        """Whether one must know what a record says to tell whether it is meant; its type and labels are not enough."""
        return bool(self.codes or self.dated is not None or self.names_data)

    def all(self) -> Iterator["Provision"]:
        """The provision and all below it."""
        yield self
        for exception in self.exceptions:
            yield from exception.all()


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """What one active Consent says. ``reference``: "Consent/id"; ``patient``: whose it is, an id."""

    reference: str
    patient: str = field(repr=False)
    root: Provision = field(repr=False)
    needs_content: bool = False

    @classmethod
    def of(cls, reference: str, patient: str, root: Provision) -> "ConsentRules":
        """The rules with this root."""
        return cls(reference, patient, root, any(each.needs_content for each in root.all()))

    def names(self) -> frozenset[str]:
        """Everybody whom some provision names."""
        return frozenset[str]().union(*(each.actors for each in self.root.all()))

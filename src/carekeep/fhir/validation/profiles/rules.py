"""A profile, compiled: what its elements must be, beyond what the base standard says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from carekeep.fhir.fhirpath import Node
from carekeep.fhir.outcome import Severity

if TYPE_CHECKING:
    from carekeep.fhir.validation.profiles.checking import Checking


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong with one item. ``code`` is of FHIR's IssueType."""

    code: str
    words: str
    severity: Severity = "error"


# Looks at one item of an element; None if it is as it must be.
Demand = Callable[[Node, "Checking"], Breach | None]
Test = Callable[[Node, "Checking"], bool]


@dataclass(frozen=True, slots=True)
class SliceRule:
    """One slice: an item that passes all ``tests`` belongs to it, and must follow ``rule``."""

    name: str
    tests: tuple[Test, ...]
    rule: "ElementRule"


@dataclass(frozen=True, slots=True)
class ElementRule:
    """One element.

    ``many`` says that it is a list; ``kinds`` which types its items may have (None: those of the base standard);
    ``minimum`` and ``maximum`` how many there are; ``demands`` hold for every item; ``children`` are the rules of
    the elements below, by the item's type; ``profiles`` those that an item must conform to one of, by its type.
    """

    name: str
    many: bool
    choice: bool
    minimum: int
    maximum: int | None
    kinds: frozenset[str] | None
    demands: tuple[Demand, ...]
    children: "Mapping[str, tuple[ElementRule, ...]]"
    profiles: Mapping[str, tuple[str, ...]]
    slices: tuple[SliceRule, ...] = ()
    closed: bool = False

    @property
    def says_nothing(self) -> bool:
        """Whether it allows whatever the base standard allows."""
        free = self.minimum == 0 and self.maximum is None and self.kinds is None
        return free and not (self.demands or self.children or self.profiles or self.slices)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that resources (or datatypes) of ``type`` can be checked against.

    ``based_on`` are profiles that must be followed as well: the base of one that only says how it differs.
    ``left_out`` are the things that it asks and that are not looked at, in words.
    """

    url: str
    name: str
    type: str
    root: ElementRule
    based_on: "tuple[Profile, ...]"
    left_out: tuple[str, ...]

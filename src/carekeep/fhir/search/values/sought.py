"""What all kinds of values have in common: a thing that is sought."""

from collections.abc import Iterable
from typing import Any, Protocol

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.ranges import Wanted

__all__ = ["Json", "Ranged", "Sought"]


class Sought(Protocol):
    """One value of a query, read by its parameter's type.

    ``matches`` is the standard's rule for one element that ``path`` found. ``terms`` are index values of which every
    element that matches gave at least one when it was indexed, or None if the index cannot tell.
    """

    def matches(self, path: Path, element: Any) -> bool:
        """Whether an element meets it."""
        ...

    def terms(self, path: Path) -> Iterable[bytes] | None:
        """What to look for in the index at this path."""
        ...


class Ranged(Sought, Protocol):
    """A sought value on an ordered line; two of them may narrow each other."""

    def wanted(self) -> Wanted | None:
        """The leaves in question, or None if the index cannot tell."""
        ...

"""What all kinds of values have in common: a thing that is sought."""

from collections.abc import Iterable
from typing import Any, Protocol

from carekeep.fhir.search.expressions import Path


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

"""What a transaction is about to write, searched as the store would be once it is written.

R4 resolves the conditional references of a transaction last, and its creates one after the other, so a condition may
mean something that stands in the same Bundle. The resources are indexed by the terms that the store would index; a
Bundle of ten thousand is not searched by looking at each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carekeep.fhir.search import Clause, Query, Term, index_terms

Json = dict[str, Any]


@dataclass(slots=True)
class _Shelf:
    """The resources of one type. ``waiting`` have been added and are not indexed yet."""

    resources: dict[str, Json] = field(default_factory=dict)
    by_term: dict[Term, list[str]] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


class NewContent:
    """Valid resources by their reference ("Type/id")."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}

    def add(self, reference: str, resource: Json) -> None:
        """One more resource that will be written."""
        shelf = self._shelves.setdefault(resource["resourceType"], _Shelf())
        shelf.resources[reference] = resource
        shelf.waiting.append(reference)

    def matches(self, query: Query) -> list[str]:
        """The references of what a query matches exactly."""
        shelf = self._shelves.get(query.type)
        if shelf is None:
            return []
        return [each for each in _candidates(shelf, query.clauses) if query.matches(shelf.resources[each])]


def _candidates(shelf: _Shelf, clauses: Iterable[Clause]) -> list[str]:
    """Every resource that may match: those that the most selective clause finds, or all."""
    for reference in shelf.waiting:
        for term in index_terms(shelf.resources[reference]):
            shelf.by_term.setdefault(term, []).append(reference)
    shelf.waiting.clear()
    found = [_with_any(shelf, clause.terms) for clause in clauses if clause.terms is not None]
    return min(found, key=len) if found else list(shelf.resources)


def _with_any(shelf: _Shelf, terms: Iterable[Term]) -> list[str]:
    return list(dict.fromkeys(reference for term in terms for reference in shelf.by_term.get(term, ())))

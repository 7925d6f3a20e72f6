"""A search that has been read: what matches, what the index must be asked, how the result is shaped."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from carekeep.fhir.outcome import Issue
from carekeep.fhir.search.clauses import clauses_of
from carekeep.fhir.search.control import Control, Summary, Total
from carekeep.fhir.search.criteria import Clause, Criterion, InCompartment
from carekeep.fhir.search.expressions import Json
from carekeep.fhir.search.links import CodeSet, Coding, Link
from carekeep.fhir.search.sorting import Sort, Values, place_in_order, values_of

Pair = tuple[str, str]


class QueryError(ValueError):
    """The query cannot be answered; ``issues`` say why, one for each parameter that is at fault."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(issue.diagnostics for issue in issues))
        self.issues = tuple(issues)


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one resource type.

    ``clauses`` hold together and find every match, and perhaps more: at least one of them has terms or ids.
    ``matches`` is exact. ``links`` and ``code_sets`` are what must be found out elsewhere before there are matches;
    ``includes`` are the values of ``_include`` and ``_revinclude``, as (name, value). ``self_link`` are the parameters
    that were used, for the Bundle's self link; ``ignored`` are the names of those that were not. ``control`` shapes
    the result, and ``count``, ``sort``, … are its fields.
    The values in a query are health data: neither its repr nor an error shows them.
    """

    type: str
    clauses: tuple[Clause, ...] = field(repr=False)
    criteria: tuple[Criterion, ...] = field(repr=False)
    control: Control
    ignored: tuple[str, ...]
    self_link: tuple[Pair, ...] = field(repr=False)
    links: tuple[Link, ...] = ()
    code_sets: tuple[CodeSet, ...] = ()
    includes: tuple[Pair, ...] = ()

    def matches(self, resource: Json) -> bool:
        """Whether a resource meets every parameter, by the rules of the standard.

        Raises QueryError while links or code sets are open: some searches of the server's own take none.
        """
        if self.links or self.code_sets:
            says = "Parameters that ask about other records or value sets cannot be used here"
            raise QueryError([Issue("error", "not-supported", "", says)])
        return resource.get("resourceType") == self.type and all(each.matches(resource) for each in self.criteria)

    def with_references(self, answers: Sequence[frozenset[str]]) -> "Query":
        """The query with its links answered: for each, in order, the records (``Type/id``) that it leads to."""
        criteria = [link.criterion(self.type, found) for link, found in zip(self.links, answers, strict=True)]
        return replace(self._and(criteria), links=())

    def with_codes(self, answers: Sequence[frozenset[Coding]]) -> "Query":
        """The query with its code sets answered: for each, in order, its codes."""
        criteria = [codes.criterion(found) for codes, found in zip(self.code_sets, answers, strict=True)]
        return replace(self._and(criteria), code_sets=())

    def within(self, patient: str) -> "Query":
        """The same question about what is in the compartment of one patient."""
        return self._and([InCompartment(patient)])

    def sort_values(self, resource: Json) -> Values:
        """What ``_sort`` orders a match by, one value for each key, in a form that JSON can carry."""
        return values_of(self.control.sort, resource)

    def sort_place(self, values: Values) -> tuple[Any, ...]:
        """Something that compares as ``_sort`` orders: less is earlier, what has no value is last."""
        return place_in_order(self.control.sort, values)

    def _and(self, criteria: Sequence[Criterion]) -> "Query":
        together = (*self.criteria, *criteria)
        return replace(self, criteria=together, clauses=clauses_of(self.type, together))

    @property
    def count(self) -> int:
        """Matches a page; 0 if only the total is wanted."""
        return self.control.count

    @property
    def sort(self) -> tuple[Sort, ...]:
        """The keys of ``_sort``."""
        return self.control.sort

    @property
    def summary(self) -> Summary | None:
        """What ``_summary`` says."""
        return self.control.summary

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that ``_elements`` names."""
        return self.control.elements

    @property
    def total(self) -> Total | None:
        """What ``_total`` says."""
        return self.control.total

"""Which records an export is for. Pure: who may see them is decided elsewhere."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from carekeep.access import Decision
from carekeep.fhir import Query, parse_query
from carekeep.records import Stored
from carekeep.web.bulk.orders import ExportOrder
from carekeep.web.http import form_pairs
from carekeep.web.obligations import may_match
from carekeep.web.problems import problem

_FILTER = re.compile(r"([A-Za-z]{1,64})\?(.+)", re.ASCII | re.DOTALL)
_ANOTHER = re.compile(r",(?=[A-Z][A-Za-z]{1,63}\?)", re.ASCII)
_SHAPES = frozenset(
    {
        "_count",
        "_sort",
        "_summary",
        "_elements",
        "_total",
        "_include",
        "_revinclude",
        "_format",
        "_pretty",
        "_contained",
    }
)
OTHERS_TOO: Literal["others-too"] = "others-too"

Place = Literal["output", "deleted", "others-too"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The filter that an order describes."""

    order: ExportOrder
    types: frozenset[str] | None
    patients: frozenset[str] | None = field(repr=False)
    queries: dict[str, list[Query]] = field(repr=False)

    @classmethod
    def of(cls, order: ExportOrder) -> "Selection":
        """Raises Problem for a filter that cannot be read."""
        queries: dict[str, list[Query]] = defaultdict(list)
        for text in order.filters:
            query = read_filter(text, order.moment_ms)
            queries[query.type].append(query)
        return cls(
            order,
            None if order.types is None else frozenset(order.types),
            None if order.patients is None else frozenset(order.patients),
            dict(queries),
        )

    def place_of(self, stored: Stored) -> Place | None:
        """Where a record goes; None for one that was not asked for.

        "others-too" is a record that also belongs to a patient who is not on the list: it is left out (Bulk Data
        3.0.0, ``patient``), and counted, so that the client is told.
        """
        order = self.order
        if self.types is not None and stored.type not in self.types:
            return None
        if order.since_ms is not None and stored.last_updated_ms <= order.since_ms:
            return None
        if order.until_ms is not None and stored.last_updated_ms >= order.until_ms:
            return None
        # A patient's Binary is reached through the attachment that names it (3.0.0: not as a Binary).
        if order.in_compartments and (not stored.patients or stored.type == "Binary"):
            return None
        if stored.deleted:
            return self._others(stored) or ("deleted" if order.since_ms is not None else None)
        queries = self.queries.get(stored.type)
        if queries is not None and not any(query.matches(stored.resource) for query in queries):
            return None
        return self._others(stored) or "output"

    def may_tell(self, decision: Decision, stored: Stored) -> bool:
        """Whether a record that a decision permits may be in the files, of which the filters tell something."""
        queries = self.queries.get(stored.type, ())
        return stored.deleted or all(may_match(decision, query) for query in queries)

    def _others(self, stored: Stored) -> Place | None:
        if self.patients is None or self.order.own or self.patients.issuperset(stored.patients):
            return None
        return OTHERS_TOO


def read_filter(text: str, now_ms: int) -> Query:
    """A ``_typeFilter``: a search of one type without parameters that shape results. Raises Problem, QueryError."""
    found = _FILTER.fullmatch(text)
    if found is None:
        raise problem(400, "value", "A _typeFilter is a resource type, a question mark and a search.", "_typeFilter")
    pairs = form_pairs(found[2])
    if any(name.partition(":")[0] in _SHAPES for name, _ in pairs):
        raise problem(400, "invalid", "Parameters that shape results have no place in a _typeFilter.", "_typeFilter")
    query = parse_query(found[1], pairs, lenient=False, clock=lambda: now_ms)
    if query.links or query.code_sets:
        text = "A _typeFilter cannot ask about other records or value sets here."
        raise problem(400, "not-supported", text, "_typeFilter")
    return query


def split_filters(values: Sequence[str]) -> tuple[str, ...]:
    """Each filter by itself: the parameter is repeated (3.0.0), or holds several with commas between (2.0.0)."""
    return tuple(text for value in values for text in _ANOTHER.split(value))

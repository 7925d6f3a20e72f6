"""The one place where obligations are kept: what of a record may leave, and what may not be asked about it.

Whoever takes a record for an answer passes it through ``abide`` with the decision that permitted it, at once: nothing
after that (summaries, includes, documents, sorting) sees what is left out.

A search must not tell by its matches what it does not show. So a match does not count when the search asks about an
element of which something is left out for this person, or about the words of the whole record.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from carekeep.access import Decision
from carekeep.fhir import Query, dump_json
from carekeep.fhir.search.criteria import InCompartment
from carekeep.fhir.search.parameters import SearchParameter
from carekeep.records import Stored

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def abide(decision: Decision, stored: Stored) -> Stored:
    """What of a record may leave by a decision that permits it to be read. The record itself is never changed."""
    obligations = decision.obligations
    if obligations is None or stored.deleted:
        return stored
    left = obligations.narrowed(stored.resource)
    return stored if left is stored.resource else replace(stored, body=dump_json(left))


def may_match(decision: Decision, query: Query) -> bool:
    """Whether a record that a decision permits may be found by a query."""
    obligations = decision.obligations
    omitted = obligations.omitted_of(query.type) if obligations is not None else frozenset[str]()
    if not omitted:
        return True
    return not any(parameter is None or _touches(parameter, omitted) for parameter in _parameters(query))


def _parameters(query: Query) -> Iterator[SearchParameter | None]:
    """What a query asks about; None for words, which may be anywhere."""
    for criterion in query.criteria:
        if not isinstance(criterion, InCompartment):
            yield getattr(criterion, "parameter", None)
    for asked in (*query.links, *query.code_sets):
        yield getattr(asked, "parameter", None)


def _touches(parameter: SearchParameter, omitted: frozenset[str]) -> bool:
    """Whether a parameter looks at one of these elements. Of composite ones, which have parts, it is not asked."""
    return bool(parameter.components) or not omitted.isdisjoint(_WORD.findall(parameter.expression))

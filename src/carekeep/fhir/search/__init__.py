"""Search as FHIR R4 3.1.1 has it, without I/O: what a resource is found by, and what a query asks.

Two answers to one question: ``index_terms`` and ``Clause.terms`` for an encrypted index, which may find too much and
never too little, and ``Query.matches`` for the decrypted resource, which is exact.
"""

from carekeep.fhir.search.criteria import Clause
from carekeep.fhir.search.index import Term, index_terms
from carekeep.fhir.search.parameters import SearchParameter, search_parameters
from carekeep.fhir.search.query import Query, QueryError, parse_query
from carekeep.fhir.search.reading import modifiers
from carekeep.fhir.search.sorting import Sort

__all__ = [
    "Clause",
    "Query",
    "QueryError",
    "SearchParameter",
    "Sort",
    "Term",
    "index_terms",
    "modifiers",
    "parse_query",
    "search_parameters",
]

"""Search as FHIR R4 3.1.1 has it, without I/O: what a resource is found by, and what a query asks.

Two answers to one question: ``index_terms`` and ``Clause.terms`` for an encrypted index, which may find too much and
never too little, and ``Query.matches`` for the decrypted resource, which is exact. What a query asks of other records
(chains, lists) and of value sets is read here and answered by whoever runs it.
"""

from carekeep.fhir.search.asking import parse_query
from carekeep.fhir.search.criteria import Clause
from carekeep.fhir.search.includes import Include, parse_includes
from carekeep.fhir.search.index import OVERFLOW, Term, index_terms
from carekeep.fhir.search.links import Chain, CodeSet, Coding, Has, Link, Listed, ValueSets, references_of
from carekeep.fhir.search.parameters import SearchParameter, search_parameters
from carekeep.fhir.search.query import Query, QueryError
from carekeep.fhir.search.reading import modifiers
from carekeep.fhir.search.sorting import Sort
from carekeep.fhir.search.subset import summarised, with_elements

__all__ = [
    "OVERFLOW",
    "Chain",
    "Clause",
    "CodeSet",
    "Coding",
    "Has",
    "Include",
    "Link",
    "Listed",
    "Query",
    "QueryError",
    "SearchParameter",
    "Sort",
    "Term",
    "ValueSets",
    "index_terms",
    "modifiers",
    "parse_includes",
    "parse_query",
    "references_of",
    "search_parameters",
    "summarised",
    "with_elements",
]

"""FHIR R4 itself, without any I/O: what its types are, whether a resource is valid, whose record it is, its Bundles.

Invariants: nothing here reads files but the tables of facts, imports another room, or tells a value of a resource in a
message. Resources are plain dictionaries as ``parse_json`` makes them; functions never change their arguments.
"""

from carekeep.fhir.bundles import (
    BundleEntry,
    BundleRefused,
    EntryResponse,
    RequestBundle,
    conditional_references,
    entry_issues,
    parse_bundle,
    processing_order,
    response_bundle,
    rewrite_references,
)
from carekeep.fhir.capability import (
    ResourceCapability,
    SearchParameterFacts,
    ServerFacts,
    capability_statement,
)
from carekeep.fhir.compartment import labels_of, patients_of
from carekeep.fhir.definitions import FHIR_VERSION, RESOURCE_TYPES, patient_compartment, type_facts
from carekeep.fhir.instant import format_instant
from carekeep.fhir.json_text import JsonLimits, JsonRefused, WrittenNumber, dump_json, parse_json
from carekeep.fhir.outcome import Issue, operation_outcome
from carekeep.fhir.search import (
    Clause,
    Query,
    QueryError,
    SearchParameter,
    Term,
    index_terms,
    parse_query,
    search_parameters,
)
from carekeep.fhir.validation import validate

__all__ = [
    "FHIR_VERSION",
    "RESOURCE_TYPES",
    "BundleEntry",
    "BundleRefused",
    "Clause",
    "EntryResponse",
    "Issue",
    "JsonLimits",
    "JsonRefused",
    "Query",
    "QueryError",
    "RequestBundle",
    "ResourceCapability",
    "SearchParameter",
    "SearchParameterFacts",
    "ServerFacts",
    "Term",
    "WrittenNumber",
    "capability_statement",
    "conditional_references",
    "dump_json",
    "entry_issues",
    "format_instant",
    "index_terms",
    "labels_of",
    "operation_outcome",
    "parse_bundle",
    "parse_json",
    "parse_query",
    "patient_compartment",
    "patients_of",
    "processing_order",
    "response_bundle",
    "rewrite_references",
    "search_parameters",
    "type_facts",
    "validate",
]

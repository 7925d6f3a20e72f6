"""Transaction and batch Bundles, as far as they need no database (FHIR R4, http.html#transaction).

The caller's way through a transaction: ``parse_bundle``, look up what ``conditional_references`` and the conditions of
entries ask for, give new resources their ids, ``rewrite_references``, ``entry_issues`` (only now are targets known),
then do the work in ``processing_order`` and answer with ``response_bundle`` in the order of the request.
"""

from carekeep.fhir.bundles.content import NewContent
from carekeep.fhir.bundles.entries import (
    MAX_ENTRIES,
    BundleEntry,
    BundleRefused,
    RequestBundle,
    entry_issues,
    parse_bundle,
    processing_order,
)
from carekeep.fhir.bundles.responses import EntryResponse, response_bundle
from carekeep.fhir.bundles.rewriting import conditional_references, relative_references, rewrite_references

__all__ = [
    "MAX_ENTRIES",
    "BundleEntry",
    "BundleRefused",
    "EntryResponse",
    "NewContent",
    "RequestBundle",
    "conditional_references",
    "entry_issues",
    "parse_bundle",
    "processing_order",
    "relative_references",
    "response_bundle",
    "rewrite_references",
]

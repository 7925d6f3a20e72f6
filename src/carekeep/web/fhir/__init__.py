"""FHIR R4 over HTTP: routes, interactions, Bundles.

Invariants: a request is authenticated before its body is read, decided before anything of a record leaves, and its
ledger entry is durable before the response; whatever a client sends, the answer is FHIR and never a stack trace.
"""

from carekeep.web.fhir.routes import FhirRoutes

__all__ = ["FhirRoutes"]

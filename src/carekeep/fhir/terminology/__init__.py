"""Code systems and value sets that are loaded, and what can be said from them (FHIR R4, terminology-service.html).

Invariants: pure functions of resources handed in as a ``Library``; what is not in it is said to be missing and never
guessed. Expansions are bounded, flat and in the order of their definition; no filter runs a client's regular
expression.
"""

from carekeep.fhir.terminology.canonical import Canonical
from carekeep.fhir.terminology.code_system import CodeSystem, Concept
from carekeep.fhir.terminology.expansion import MAX_CODES, Expanded, expand
from carekeep.fhir.terminology.library import Library, NotLoaded, TerminologyRefused
from carekeep.fhir.terminology.lookup import look_up
from carekeep.fhir.terminology.needs import needed_by
from carekeep.fhir.terminology.validating import Asked, Verdict, in_code_system, in_value_set
from carekeep.fhir.terminology.written import Wish, expanded_value_set

__all__ = [
    "MAX_CODES",
    "Asked",
    "Canonical",
    "CodeSystem",
    "Concept",
    "Expanded",
    "Library",
    "NotLoaded",
    "TerminologyRefused",
    "Verdict",
    "Wish",
    "expand",
    "expanded_value_set",
    "in_code_system",
    "in_value_set",
    "look_up",
    "needed_by",
]

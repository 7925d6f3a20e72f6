"""FHIRPath, as far as rules about resources need it: compiled once to closures, run on plain dictionaries.

An expression that uses what is left out here is refused when it is compiled (``Unsupported``), never answered wrongly.
Left out: dates written as literals, quantities with units, ``~``, arithmetic but ``+``, ``-`` and ``&``, terminology
(``memberOf``), ``conformsTo``, and ``resolve()`` of anything but contained resources. Expressions of strangers are
bounded: in length, in depth, in the items that they look at, and in what their patterns may repeat.
"""

from carekeep.fhir.fhirpath.compiling import Predicate, compile_predicate
from carekeep.fhir.fhirpath.grammar import Unsupported
from carekeep.fhir.fhirpath.nodes import Node, Slot, Undecided, Work, children_named, elements_of, is_a, resource_node

__all__ = [
    "Node",
    "Predicate",
    "Slot",
    "Undecided",
    "Unsupported",
    "Work",
    "children_named",
    "compile_predicate",
    "elements_of",
    "is_a",
    "resource_node",
]

"""Whose record a resource is: FHIR R4's Patient compartment, and the security labels. On the way of every write."""

from functools import cache
from typing import Any

from carekeep.fhir.definitions import patient_compartment
from carekeep.fhir.validation.references import RELATIVE

_PATIENT = "Patient/"
# R4's Patient compartment leaves these out, though they say whose they are. A Binary belongs to whom the record belongs
# that stands in for it in access control; what is in or on a patient's body is as much theirs as an observation.
_BESIDE_THE_COMPARTMENT = {
    "Binary": (("securityContext",),),
    "BiologicallyDerivedProduct": (("collection", "source"),),
    "Device": (("patient",),),
    "GuidanceResponse": (("subject",),),
}


def patients_of(resource: dict[str, Any]) -> tuple[str, ...]:
    """Ids of the patients in whose compartment a valid resource is.

    A Patient's own id comes first, then those of the compartment's parameters in their order, then the few types that
    R4's compartment leaves out though they name their patient. Only literal references
    on this server count (``Patient/x``): what an absolute URL, a ``urn:uuid:`` or an identifier stands for is not
    known here.
    """
    kind = resource["resourceType"]
    found: dict[str, None] = {}
    if kind == "Patient" and "id" in resource:
        found[resource["id"]] = None
    for path in _paths(kind):
        _collect(resource, path, 0, found)
    return tuple(found)


def labels_of(resource: dict[str, Any]) -> tuple[str, ...]:
    """The security labels of a valid resource, each "system|code", in their order."""
    labels = resource.get("meta", {}).get("security", ())
    return tuple(f"{label.get('system', '')}|{label.get('code', '')}" for label in labels)


@cache
def _paths(kind: str) -> tuple[tuple[str, ...], ...]:
    beside = _BESIDE_THE_COMPARTMENT.get(kind, ())
    return beside + tuple(path for parameter in patient_compartment(kind) for path in parameter.paths)


def _collect(value: Any, path: tuple[str, ...], start: int, found: dict[str, None]) -> None:
    for position in range(start, len(path)):
        value = value.get(path[position])
        if value is None:
            return
        if type(value) is list:
            for item in value:
                _collect(item, path, position + 1, found)
            return
    reference = value.get("reference")
    if reference is not None and reference.startswith(_PATIENT) and (match := RELATIVE.fullmatch(reference)):
        found[match[2]] = None

"""What ``Reference.reference`` may look like and point to (FHIR R4, "Resource References")."""

import re
from dataclasses import dataclass
from typing import Final

from carekeep.fhir.definitions import RESOURCE_TYPES

_ID = r"[A-Za-z0-9\-.]{1,64}"
RELATIVE: Final = re.compile(rf"([A-Z][A-Za-z]{{1,63}})/({_ID})(?:/_history/({_ID}))?")
CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]{1,63})\?(\S+)")
_RESTFUL = re.compile(rf"https?://\S+?/([A-Z][A-Za-z]{{1,63}})/{_ID}(?:/_history/{_ID})?")
_UUID = re.compile("urn:uuid:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]{1,31}:[^\s/]\S*|[a-z][a-z0-9+.\-]{1,31}://[^\s/]\S*")


@dataclass(frozen=True, slots=True)
class WrongReference:
    """``code`` is of FHIR's IssueType."""

    code: str
    words: str


def check_reference(reference: str, targets: frozenset[str]) -> WrongReference | None:
    """What is wrong with a reference that is no fragment. ``targets`` empty means any type."""
    match = RELATIVE.fullmatch(reference)
    if match is None:
        return _check_absolute(reference, targets)
    return _check_type(match[1], targets)


def _check_absolute(reference: str, targets: frozenset[str]) -> WrongReference | None:
    if reference.startswith("urn:uuid:"):
        return None if _UUID.fullmatch(reference) else WrongReference("value", "urn:uuid: must be followed by a UUID")
    if CONDITIONAL.fullmatch(reference):
        return WrongReference("value", "A search can stand for a reference only inside of a transaction")
    if _ABSOLUTE.fullmatch(reference) is None:
        return WrongReference("value", "Must be Type/id, an absolute URL, urn:uuid: with a UUID, or # with an id")
    restful = _RESTFUL.fullmatch(reference)
    # Other servers may serve what they want under their URLs; only a known type that is not allowed is wrong.
    return _check_type(restful[1], targets) if restful and restful[1] in RESOURCE_TYPES else None


def _check_type(name: str, targets: frozenset[str]) -> WrongReference | None:
    if name not in RESOURCE_TYPES:
        return WrongReference("value", "It names a resource type that FHIR R4 does not have")
    if targets and name not in targets:
        return WrongReference("value", f"May point to {', '.join(sorted(targets))}, not to {name}")
    return None

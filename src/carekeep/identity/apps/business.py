"""On whose behalf a machine asks, and what for: the extension ``hl7-b2b`` of UDAP Security 2.0.0."""

from dataclasses import dataclass
from typing import Any

_NAME = "hl7-b2b"
_LONGEST = 256
_MOST_PURPOSES = 10


class BusinessRefused(ValueError):
    """The extension cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Business:
    """``organization``: its id, a URI. ``purposes``: why, as codes of HL7's PurposeOfUse."""

    organization: str
    purposes: tuple[str, ...]


def read_business(claims: dict[str, Any]) -> Business | None:
    """The extension in the claims of a statement; None where there is none. Raises BusinessRefused."""
    extensions = claims.get("extensions")
    if extensions is None:
        return None
    found = extensions.get(_NAME) if isinstance(extensions, dict) else None
    if not isinstance(found, dict) or found.get("version") != "1":
        raise BusinessRefused(f"it has extensions without {_NAME} in version 1")
    organization, purposes = found.get("organization_id"), found.get("purpose_of_use")
    if not isinstance(organization, str) or not 0 < len(organization) <= _LONGEST or not organization.isprintable():
        raise BusinessRefused("it does not say which organization asks")
    if not isinstance(purposes, list) or not 0 < len(purposes) <= _MOST_PURPOSES:
        raise BusinessRefused("it does not say what for")
    if not all(isinstance(each, str) and 0 < len(each) <= _LONGEST and each.isprintable() for each in purposes):
        raise BusinessRefused("it does not say what for")
    # A code may come with its system before it ("urn:oid:2.16.840.1.113883.5.8#TREAT").
    return Business(organization, tuple(each.rpartition("#")[2] for each in purposes))

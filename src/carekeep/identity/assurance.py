"""Levels of assurance as tokens and challenges name them (``acr``; OpenID Connect Core 2, RFC 9470).

The values are the ones under which identity providers publish the levels of NIST SP 800-63B, so that an outside
directory that asserts them is understood as well.
"""

from collections.abc import Mapping
from types import MappingProxyType

ACR: Mapping[int, str] = MappingProxyType(
    {
        1: "http://idmanagement.gov/ns/assurance/aal/1",
        2: "http://idmanagement.gov/ns/assurance/aal/2",
        3: "http://idmanagement.gov/ns/assurance/aal/3",
    }
)
"""Assurance level -> ``acr`` value."""


def level_of(acr: str) -> int | None:
    """The level that an ``acr`` value says; None for one that is not known."""
    return next((level for level, value in ACR.items() if value == acr), None)


def least_level(acr_values: str) -> int | None:
    """The lowest of the levels in a list of ``acr`` values (spaces between them): any of them would do.

    None when none of them is known.
    """
    return min((level for value in acr_values.split(" ")[:20] if (level := level_of(value))), default=None)

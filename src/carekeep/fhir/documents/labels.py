"""The high-water mark: the security labels of something that holds several records (FHIR R4, security-labels.html)."""

from collections.abc import Iterable
from typing import Any

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
# From the least to the most confidential (HL7 v3 Confidentiality).
_LEVELS = ("U", "L", "M", "N", "R", "V")

Json = dict[str, Any]


def high_water_mark(resources: Iterable[Json]) -> list[Json]:
    """The labels that a Bundle of these resources must carry, as Codings.

    Confidentiality is ordered, so of it only the highest stays; any other label holds for the whole as soon as it holds
    for a part. Codings come in the order in which they are met, confidentiality first.
    """
    highest: Json | None = None
    others: dict[tuple[str, str], Json] = {}
    for resource in resources:
        for label in resource.get("meta", {}).get("security", ()):
            system, code = label.get("system", ""), label.get("code", "")
            if system != CONFIDENTIALITY or code not in _LEVELS:
                others.setdefault((system, code), label)
            elif highest is None or _LEVELS.index(code) > _LEVELS.index(highest["code"]):
                highest = label
    return [*([highest] if highest else []), *others.values()]

"""Security labels as FHIR has them: Codings in ``meta.security``, those of rules with the extensions of DS4P 1.0.0."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

Coding = dict[str, Any]

ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
CONFIDENTIALITY_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "U": "unrestricted",
        "L": "low",
        "M": "moderate",
        "N": "normal",
        "R": "restricted",
        "V": "very restricted",
    }
)
"""From the least to the most confidential."""

LEVELS: Final[Mapping[str, int]] = MappingProxyType({code: place for place, code in enumerate(CONFIDENTIALITY_NAMES)})
_DS4P = "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/"
BASIS: Final = f"{_DS4P}extension-sec-label-basis"
CLASSIFIER: Final = f"{_DS4P}extension-sec-label-classifier"
_WE: Final = "Carekeep labelling rules"


def assigned_coding(system: str, code: str, display: str, basis: Coding) -> Coding:
    """A label as rules assign it: with the law or policy that it rests on, and who gave it."""
    return {
        "extension": [
            {"url": BASIS, "valueCoding": basis},
            {"url": CLASSIFIER, "valueContributor": {"type": "author", "name": _WE}},
        ],
        "system": system,
        "code": code,
        "display": display,
    }


def is_assigned(label: Any) -> bool:
    """Whether a label says that rules of ours gave it. Anybody may write that; rules decide what becomes of it."""
    extensions = label.get("extension") if isinstance(label, dict) else None
    if not isinstance(extensions, list):
        return False
    return any(
        isinstance(each, dict)
        and each.get("url") == CLASSIFIER
        and isinstance(each.get("valueContributor"), dict)
        and each["valueContributor"].get("name") == _WE
        for each in extensions
    )


def key_of(label: Any) -> tuple[Any, Any]:
    """Labels are the same when system and code are (FHIR R4, resource.html#tags)."""
    return (label.get("system"), label.get("code")) if isinstance(label, dict) else (None, repr(label))


def level_of(label: Any) -> int | None:
    """How confidential a label says that something is; None for a label of another kind."""
    system, code = key_of(label)
    return LEVELS.get(code) if system == CONFIDENTIALITY and isinstance(code, str) else None

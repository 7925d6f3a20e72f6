"""The codes that a Consent is written in, and what each means to a decision.

Sources: FHIR R4 Consent; HL7 terminology (v3-ActReason, v3-ActCode, v3-Confidentiality, v3-ParticipationType,
v3-RoleCode, consentscope, consentaction, consentcategorycodes); IHE ITI Privacy Consent on FHIR (PCF).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from carekeep.access.vocabulary import PURPOSE_SYSTEM, Purpose

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
ACT_CODE: Final = _TERMINOLOGY + "v3-ActCode"
CONFIDENTIALITY: Final = _TERMINOLOGY + "v3-Confidentiality"
CONSENT_ACTION: Final = _TERMINOLOGY + "consentaction"
CONSENT_CATEGORY: Final = _TERMINOLOGY + "consentcategorycodes"
CONSENT_SCOPE: Final = _TERMINOLOGY + "consentscope"
LOINC: Final = "http://loinc.org"
PARTICIPATION: Final = _TERMINOLOGY + "v3-ParticipationType"
RESOURCE_TYPE: Final = "http://hl7.org/fhir/resource-types"
ROLE_CODE: Final = _TERMINOLOGY + "v3-RoleCode"
_PCF = "https://profiles.ihe.net/ITI/PCF/"

CARE: Final = frozenset({Purpose.TREAT, Purpose.ETREAT, Purpose.COC})
EMERGENCY: Final = frozenset({Purpose.ETREAT})


@unique
class Implicit(StrEnum):
    """What holds for a patient of whom no consent says anything (IHE PCF, Implicit Option)."""

    BASIC_NORMAL = "basic-normal"
    ALL_NORMAL = "all-normal"
    BREAK_GLASS_ONLY = "break-glass-only"
    DENY = "deny"


IMPLICIT_POLICIES: Mapping[str, Implicit] = MappingProxyType({f"{_PCF}Policy-{each}": each for each in Implicit})
"""PCF's canonical URIs of these policies, as Consent.policy.uri may name them."""

ACTIVE: Final = "active"
WITHOUT_EFFECT: Final = frozenset({"draft", "proposed", "rejected", "inactive", "entered-in-error"})

ENFORCED_SCOPES: Final = frozenset({f"{CONSENT_SCOPE}|patient-privacy", f"{CONSENT_SCOPE}|research"})
OTHER_SCOPES: Final = frozenset({f"{CONSENT_SCOPE}|treatment", f"{CONSENT_SCOPE}|adr"})
"""Agreements to a treatment and advance directives: they are about care, not about who may see records."""

CATEGORIES: Final = frozenset(
    {
        *(f"{LOINC}|{code}" for code in ("59284-0", "57016-8", "57017-6", "64292-6")),
        *(f"{ACT_CODE}|{code}" for code in ("ICOL", "IDSCL", "INFA", "INFAO", "INFASO", "IRDSCL", "RESEARCH")),
        *(f"{CONSENT_CATEGORY}|{code}" for code in ("npp", "research")),
    }
)

OPT_IN: Final = frozenset({f"{ACT_CODE}|OPTIN", f"{ACT_CODE}|OPTINR"})
OPT_OUT: Final = frozenset({f"{ACT_CODE}|OPTOUT", f"{ACT_CODE}|OPTOUTE"})

READING: Final = f"{CONSENT_ACTION}|access"
READING_ACTIONS: Final = frozenset({f"{CONSENT_ACTION}|{code}" for code in ("access", "use", "disclose")})

DELEGATEE: Final = f"{ROLE_CODE}|DELEGATEE"
RECIPIENT: Final = f"{PARTICIPATION}|IRCP"
RECIPIENT_ROLES: Final = frozenset({RECIPIENT, f"{PARTICIPATION}|PRCP", f"{ROLE_CODE}|GRANTEE", DELEGATEE})

ACTOR_TYPES: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "RelatedPerson"})
AUTHOR_TYPES: Final = frozenset(
    {"Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson", "CareTeam", "Group"}
)
RELATED_TYPES: Final = frozenset({"Encounter", "EpisodeOfCare", "CarePlan"})

# A consent to treatment is one to coordinating it and to emergencies, as the policies of care see it. Break-the-glass
# is what ETREAT is here; what a family member or somebody with power of attorney asks for is asked for the patient.
_PURPOSES: Mapping[str, frozenset[Purpose]] = MappingProxyType(
    {
        **{purpose.value: frozenset({purpose}) for purpose in Purpose},
        "TREAT": CARE,
        "CAREMGT": frozenset({Purpose.COC}),
        "BTG": EMERGENCY,
        "ERTREAT": EMERGENCY,
        "FAMRQT": frozenset({Purpose.PATRQT}),
        "PWATRNY": frozenset({Purpose.PATRQT}),
    }
)


def purposes_of(coding: str) -> frozenset[Purpose]:
    """The purposes of use that a "system|code" of a Consent means; none for one that is not known."""
    system, _, code = coding.partition("|")
    return _PURPOSES.get(code, frozenset()) if system == PURPOSE_SYSTEM else frozenset()


# v3-ActCode, ActInformationSensitivityPolicy: what lies below a code. PCF puts the two use disorders below ETH.
_BELOW: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ETH": frozenset({"SUD", "ETHUD", "OPIOIDUD"}),
        "SUD": frozenset({"ETHUD", "OPIOIDUD"}),
        "PSY": frozenset({"PSYTHPN"}),
        "BH": frozenset({"COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "ETHUD", "OPIOIDUD"}),
        "SPI": frozenset({"BH", "COGN", "DVD", "EMOTDIS", "MH", "PSY", "PSYTHPN", "SUD", "ETHUD", "OPIOIDUD"}),
    }
)
_SENSITIVITIES = [
    "ETH",
    "GDIS",
    "HIV",
    "MST",
    "PREGNANT",
    "SCA",
    "SDV",
    "SEX",
    "SPI",
    "BH",
    "COGN",
    "DVD",
    "EMOTDIS",
    "MH",
    "PSY",
    "PSYTHPN",
    "SUD",
    "ETHUD",
    "OPIOIDUD",
    "STD",
    "TBOO",
    "VIO",
    "IDS",
    "SICKLE",
]
SENSITIVE: Final = frozenset(f"{ACT_CODE}|{code}" for code in _SENSITIVITIES)
"""Labels of sensitive information. What has one and says no confidentiality is taken as restricted."""

_CONFIDENTIALITY = ("U", "L", "M", "N", "R", "V")
_RANKS: Mapping[str, int] = MappingProxyType(
    {f"{CONFIDENTIALITY}|{code}": rank for rank, code in enumerate(_CONFIDENTIALITY)}
)
_NORMAL, _RESTRICTED = _CONFIDENTIALITY.index("N"), _CONFIDENTIALITY.index("R")


def rank_of(label: str) -> int | None:
    """How confidential a label of v3-Confidentiality is, from 0; None for any other label."""
    return _RANKS.get(label)


def confidentiality_of(labels: Iterable[str]) -> int:
    """How confidential a record is: the highest that it says, else restricted where it is sensitive, else normal."""
    found = tuple(labels)
    said = [rank for rank in map(_RANKS.get, found) if rank is not None]
    if said:
        return max(said)
    return _NORMAL if SENSITIVE.isdisjoint(found) else _RESTRICTED


def with_those_below(label: str) -> frozenset[str]:
    """A label and the more particular ones that it means as well."""
    system, _, code = label.partition("|")
    below = _BELOW.get(code, frozenset()) if system == ACT_CODE else frozenset()
    return frozenset({label, *(f"{ACT_CODE}|{each}" for each in below)})


def canonical_of(policy: Implicit) -> str:
    """PCF's URI of an implicit policy."""
    return f"{_PCF}Policy-{policy}"

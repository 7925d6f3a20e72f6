"""A patient's own switches: the choices that most people want to make, each kept as one Consent of theirs. Pure.

A switch is on or off. Off, for those that begin on, is an active consent that denies; on, for research, one that
permits. So a switch is never more than its consent: what a page shows is what decisions see. Consents that were written
otherwise stand beside the switches and are not touched by them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Any, Final

from carekeep.access.consents.reading import ConsentRefused, read_consent
from carekeep.access.consents.words import (
    ACT_CODE,
    CONSENT_SCOPE,
    LOINC,
    PARTICIPATION,
)
from carekeep.access.vocabulary import PURPOSE_SYSTEM

Json = dict[str, Any]
_POLICY: Final = "https://carekeep.example/fhir/consent-switch/"

SENSITIVE: Mapping[str, str] = MappingProxyType(
    {
        "PSY": "Mental health",
        "ETH": "Substance use",
        "HIV": "HIV",
        "SEX": "Sexual and reproductive health",
    }
)
"""The sensitive categories that have a switch: codes of v3-ActCode, and what people call them."""


@unique
class SwitchKind(StrEnum):
    """What a switch is about."""

    SENSITIVE = "sensitive"
    ORGANIZATION = "organization"
    SHARING = "sharing"
    RESEARCH = "research"


@dataclass(frozen=True, slots=True)
class Switch:
    """One choice. ``about``: the code of a category, or "Organization/x"; else "".

    ``consent``: the id of the Consent that it was set by; None as long as nobody touched it.
    """

    kind: SwitchKind
    about: str = ""
    on: bool = True
    consent: str | None = None

    @property
    def in_force(self) -> bool:
        """Whether it takes an active consent to be as it is."""
        return self.on if self.kind is SwitchKind.RESEARCH else not self.on

    @property
    def sentence(self) -> str:
        """What "on" means, for people. An organization is named by the page."""
        if self.kind is SwitchKind.SENSITIVE:
            return f"{SENSITIVE[self.about]}: those who treat me see what my record says of it"
        return _SENTENCES[self.kind]


_SENTENCES: Mapping[SwitchKind, str] = MappingProxyType(
    {
        SwitchKind.ORGANIZATION: "The people of this organization may see my record when they treat me",
        SwitchKind.SHARING: "My record is used to coordinate my care with others",
        SwitchKind.RESEARCH: "My record may be used for research",
    }
)


def switches(consents: Iterable[Mapping[str, Any]], organizations: Iterable[str] = ()) -> tuple[Switch, ...]:
    """Every switch of a patient as it stands, given their Consent resources, active or not.

    ``organizations``: "Organization/x" of those that shall have a switch, beside those that one was set for.
    """
    known = [Switch(SwitchKind.SENSITIVE, code) for code in SENSITIVE]
    known += [Switch(SwitchKind.SHARING), Switch(SwitchKind.RESEARCH, on=False)]
    known += [Switch(SwitchKind.ORGANIZATION, each) for each in organizations]
    found = {(each.kind, each.about): each for each in known}
    for resource in consents:
        switch = _switch_of(resource)
        if switch is None:
            continue
        before = found.get((switch.kind, switch.about))
        # Of two that say different things, the one in force decides; so it does here.
        if before is None or before.consent is None or switch.in_force:
            found[switch.kind, switch.about] = switch
    return tuple(found.values())


def consent_for(switch: Switch, patient: str, *, on: bool, at: str) -> Json:
    """The Consent that puts a switch on or off, to be written by the patient: new, or over the one it was set by.

    ``patient``: the patient's id; ``at``: a FHIR dateTime. Raises KeyError for a category that has no switch.
    """
    own = {"reference": f"Patient/{patient}"}
    in_force = replace(switch, on=on).in_force
    resource: Json = {
        "resourceType": "Consent",
        "status": "active" if in_force else "inactive",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": own,
        "dateTime": at,
        "performer": [own],
        "policy": [{"uri": _uri(switch.kind, switch.about)}],
        "provision": _provision(switch.kind, switch.about),
    }
    return resource if switch.consent is None else {**resource, "id": switch.consent}


def _switch_of(resource: Mapping[str, Any]) -> Switch | None:
    """The switch that a Consent is, if it is one to the letter."""
    for kind, about in _named(resource):
        expected = _provision(kind, about)
        status = resource.get("status")
        if resource.get("provision") != expected or status not in {"active", "inactive"}:
            continue
        try:
            in_force = read_consent(resource) is not None
        except ConsentRefused:
            continue
        on = in_force if kind is SwitchKind.RESEARCH else not in_force
        return Switch(kind, about, on, resource.get("id"))
    return None


def _named(resource: Mapping[str, Any]) -> list[tuple[SwitchKind, str]]:
    policies = resource.get("policy")
    if not isinstance(policies, list) or len(policies) != 1 or not isinstance(policies[0], Mapping):
        return []
    uri = str(policies[0].get("uri"))
    kind, _, about = uri.removeprefix(_POLICY).partition("/")
    if not uri.startswith(_POLICY) or kind not in set(SwitchKind):
        return []
    if kind == SwitchKind.SENSITIVE and about not in SENSITIVE:
        return []
    return [(SwitchKind(kind), about)]


def _uri(kind: SwitchKind, about: str) -> str:
    return f"{_POLICY}{kind}/{about}" if about else f"{_POLICY}{kind}"


def _provision(kind: SwitchKind, about: str) -> Json:
    if kind is SwitchKind.SENSITIVE:
        label = {"system": ACT_CODE, "code": about, "display": SENSITIVE[about]}
        return {"type": "deny", "securityLabel": [label]}
    if kind is SwitchKind.ORGANIZATION:
        role = {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]}
        return {"type": "deny", "actor": [{"role": role, "reference": {"reference": about}}]}
    if kind is SwitchKind.SHARING:
        return {"type": "deny", "purpose": [{"system": PURPOSE_SYSTEM, "code": "COC"}]}
    return {"type": "permit", "purpose": [{"system": PURPOSE_SYSTEM, "code": "HRESCH"}]}

"""The consent by which a patient lets a related person act for them: who, which kinds of records, until when. Pure.

It is one Consent that permits one delegatee. What is specially protected stays out unless the patient says otherwise. A
consent that was written otherwise is not touched by this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from carekeep.access.consents.switches import SENSITIVE
from carekeep.access.consents.words import ACT_CODE, CONSENT_SCOPE, LOINC, RESOURCE_TYPE, ROLE_CODE
from carekeep.access.spans import FOREVER, moment

Json = dict[str, Any]
_POLICY: Final = "https://carekeep.example/fhir/acting-for-a-patient"


@dataclass(frozen=True, slots=True)
class Acting:
    """Somebody who acts for a patient. ``who``: "RelatedPerson/x"; ``types``: what they may read, without Patient.

    ``last_day``: the last day (UTC) on which it holds, as FHIR writes it; ``consent``: the id of its Consent, "" for a
    new one; ``in_force``: False once the patient has ended it.
    """

    who: str
    types: frozenset[str]
    sensitive: bool
    last_day: str
    consent: str = ""
    in_force: bool = True

    @property
    def until_ms(self) -> int:
        """When it ends by itself; 0 where its last day cannot be read."""
        span = moment(self.last_day)
        return 0 if span is None or span.until >= FOREVER else span.until


def consent_to_acting(acting: Acting, patient: str, at: str) -> Json:
    """The Consent to be written by the patient. ``patient``: the patient's id; ``at``: a FHIR dateTime."""
    own = {"reference": f"Patient/{patient}"}
    resource: Json = {
        "resourceType": "Consent",
        "status": "active" if acting.in_force else "inactive",
        "scope": {"coding": [{"system": CONSENT_SCOPE, "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": LOINC, "code": "59284-0"}]}],
        "patient": own,
        "dateTime": at,
        "performer": [own],
        "policy": [{"uri": _POLICY}],
        "provision": _provision(acting),
    }
    return {**resource, "id": acting.consent} if acting.consent else resource


def acting_of(resource: Mapping[str, Any]) -> Acting | None:
    """What a Consent says, if it is one of these to the letter."""
    if resource.get("policy") != [{"uri": _POLICY}] or resource.get("status") not in {"active", "inactive"}:
        return None
    provision = resource.get("provision")
    try:
        found = Acting(
            who=str(provision["actor"][0]["reference"]["reference"]),  # type: ignore[index]
            types=frozenset(str(each["code"]) for each in provision["class"]) - {"Patient"},  # type: ignore[index]
            sensitive="provision" not in provision,  # type: ignore[operator]
            last_day=str(provision["period"]["end"]),  # type: ignore[index]
            consent=str(resource.get("id", "")),
            in_force=resource["status"] == "active",
        )
    except (KeyError, IndexError, TypeError):
        return None
    return found if provision == _provision(found) else None


def _provision(acting: Acting) -> Json:
    role = {"coding": [{"system": ROLE_CODE, "code": "DELEGATEE"}]}
    provision: Json = {
        "type": "permit",
        "period": {"end": acting.last_day},
        "actor": [{"role": role, "reference": {"reference": acting.who}}],
        # An app asks which patient it is about, so that Patient is always among them.
        "class": [{"system": RESOURCE_TYPE, "code": type_} for type_ in sorted(acting.types | {"Patient"})],
    }
    if not acting.sensitive:
        labels = [{"system": ACT_CODE, "code": code} for code in SENSITIVE]
        provision["provision"] = [{"type": "deny", "securityLabel": labels}]
    return provision

"""Provenance of what is written in an emergency: who added it, when, and under which right (FHIR R4, provenance.html).

The server makes it in the unit of the write, sealed and labelled as the record that it is about.
"""

import uuid
from typing import Any

from carekeep.access import Decision
from carekeep.access.vocabulary import PURPOSE_SYSTEM
from carekeep.fhir import format_instant
from carekeep.records import Stored
from carekeep.web.passage import Passage

Json = dict[str, Any]

_EMERGENCY = "emergency.care"
_ROLE = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


def of_emergency(passage: Passage, stored: Stored, decision: Decision) -> Json | None:
    """The Provenance of a record that emergency access permitted to add; None where it was permitted otherwise."""
    who = passage.principal.fhir_user
    if who is None or _EMERGENCY not in decision.policies or stored.type == "Provenance":
        return None
    made: Json = {
        "resourceType": "Provenance",
        "id": str(uuid.uuid4()),
        "target": [{"reference": f"{stored.reference}/_history/{stored.version}"}],
        "recorded": format_instant(stored.last_updated_ms),
        "reason": [{"coding": [{"system": PURPOSE_SYSTEM, "code": str(passage.purpose)}]}],
        "activity": {"coding": [{"system": _OPERATION, "code": "CREATE"}]},
        "agent": [{"type": {"coding": [{"system": _ROLE, "code": "author"}]}, "who": {"reference": who}}],
    }
    if labels := stored.resource["meta"].get("security"):
        made["meta"] = {"security": labels}
    return made

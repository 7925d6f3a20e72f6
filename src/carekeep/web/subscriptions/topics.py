"""The topics that can be subscribed to, as data.

R4 has no SubscriptionTopic: a Subscription names a topic by its canonical URL in ``criteria``, and the
CapabilityStatement lists those that a server knows (R5 Backport, "Subscription Topics in R4"). Every topic here is "a
record of this type was created, updated or deleted". A topic about reads ("somebody looked at my record") would be
another kind of trigger over the same entries of the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_BASE = "https://carekeep.example/fhir/SubscriptionTopic/"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: its ``name`` in the canonical URL, the resource type, and the search parameters that may narrow it."""

    name: str
    type: str
    filters: tuple[str, ...]

    @property
    def url(self) -> str:
        """The canonical URL."""
        return _BASE + self.name


TOPICS: tuple[Topic, ...] = (
    Topic("allergy-changed", "AllergyIntolerance", ("patient", "code", "clinical-status", "criticality")),
    Topic("appointment-changed", "Appointment", ("patient", "status", "actor", "date")),
    Topic("care-team-changed", "CareTeam", ("patient", "status", "participant")),
    Topic("communication-changed", "Communication", ("patient", "status", "recipient", "sender")),
    Topic("condition-changed", "Condition", ("patient", "code", "category", "clinical-status")),
    Topic("diagnostic-report-changed", "DiagnosticReport", ("patient", "code", "category", "status")),
    Topic("document-changed", "DocumentReference", ("patient", "type", "category", "status")),
    Topic("encounter-changed", "Encounter", ("patient", "status", "class", "type", "service-provider")),
    Topic("immunization-changed", "Immunization", ("patient", "vaccine-code", "status")),
    Topic("medication-request-changed", "MedicationRequest", ("patient", "status", "intent")),
    Topic("observation-changed", "Observation", ("patient", "code", "category", "status")),
    Topic("patient-changed", "Patient", ("_id", "identifier", "active")),
    Topic("procedure-changed", "Procedure", ("patient", "code", "status")),
    Topic("service-request-changed", "ServiceRequest", ("patient", "code", "status", "intent", "performer")),
    Topic("task-changed", "Task", ("patient", "status", "owner", "code")),
)


def websocket_url(fhir_url: str) -> str:
    """Where websockets connect."""
    return f"wss{fhir_url.removeprefix('https')}/ws"


TOPICS_BY_URL: Mapping[str, Topic] = MappingProxyType({topic.url: topic for topic in TOPICS})

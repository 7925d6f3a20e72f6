"""What an entry's action is in the code systems of AuditEvent (FHIR R4, DICOM PS3.16 CID 400 and 401, IHE BALP)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from carekeep.audit.entries import Entry

EventAction = Literal["C", "R", "U", "D", "E"]

DCM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
PURPOSE = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
BALP = "https://profiles.ihe.net/ITI/BALP"
OWN = "https://carekeep.example/fhir/CodeSystem/ledger-action"
_CUSTODIAN = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


@dataclass(frozen=True, slots=True)
class Code:
    """A code of a code system, and its display."""

    system: str
    code: str
    display: str


APPLICATION = Code(DCM, "110150", "Application")
DESTINATION = Code(DCM, "110152", "Destination Role ID")
SOURCE = Code(DCM, "110153", "Source Role ID")
CUSTODIAN = Code(_CUSTODIAN, "custodian", "Custodian")
RECIPIENT = Code(PARTICIPATION, "IRCP", "information recipient")
AUTHOR = Code(PARTICIPATION, "AUT", "author (originator)")
EXPORT = Code(DCM, "110106", "Export")
SECURITY_ALERT = Code(DCM, "110113", "Security Alert")
DISCLOSE = Code(LIFECYCLE, "disclose", "Disclose Record Lifecycle Event")
AUTHZ_CONSENT = Code(
    f"{BALP}/CodeSystem/AuthZsubType", "AuthZ-Consent", "Authorization Decision using Roles and Consent"
)

_RESTFUL = Code(REST, "rest", "RESTful Operation")


@dataclass(frozen=True, slots=True)
class Kind:
    """How an interaction is written as an AuditEvent.

    ``pattern`` is BALP's, "" where it has none. ``client``, ``server`` and ``user`` are the types of the agents: data
    flows from the source to the destination.
    """

    type: Code
    subtype: Code
    action: EventAction
    pattern: str = ""
    client: Code = SOURCE
    server: Code = DESTINATION
    user: Code = RECIPIENT


def _rest(code: str, action: EventAction, pattern: str = "", user: Code = RECIPIENT) -> Kind:
    return Kind(_RESTFUL, Code(INTERACTION, code, code), action, pattern, user=user)


def _given(code: str, pattern: str = "") -> Kind:
    return Kind(_RESTFUL, Code(INTERACTION, code, code), "R", pattern, DESTINATION, SOURCE)


def _own(type_: Code, action: str, does: EventAction = "E") -> Kind:
    return Kind(type_, Code(OWN, action, action), does)


def _event(type_: Code, code: str, display: str) -> Kind:
    return Kind(type_, Code(DCM, code, display), "E")


_ACTIVITY = Code(DCM, "110100", "Application Activity")
_LOG_USED = Code(DCM, "110101", "Audit Log Used")
_IMPORT = Code(DCM, "110107", "Import")
_AUTHENTICATION = Code(DCM, "110114", "User Authentication")
_PATIENT_RECORD = Code(DCM, "110110", "Patient Record")

_DELETE = Kind(
    _RESTFUL, Code(INTERACTION, "delete", "delete"), "D", "Delete", APPLICATION, CUSTODIAN, AUTHOR
)  # BALP names these agents differently for this interaction alone
_SYSTEM_SEARCH = _rest("search-system", "E", "Query")
_OPERATION = _rest("operation", "E")
_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "fhir:record:read": _given("read", "Read"),
        "fhir:record:vread": _given("vread", "Read"),
        "fhir:record:history": _given("history"),
        "fhir:record:create": _rest("create", "C", "Create", AUTHOR),
        "fhir:record:update": _rest("update", "U", "Update", AUTHOR),
        "fhir:record:delete": _DELETE,
        "fhir:type:search": _rest("search-type", "E", "Query"),
        "fhir:type:find-in-emergency": _OPERATION,
        "fhir:bundle:transaction": _rest("transaction", "E", user=AUTHOR),
        "fhir:capability:read": _rest("capabilities", "E"),
        "fhir:patient:break-glass": _event(SECURITY_ALERT, "110127", "Emergency Override Started"),
        "fhir:patient:disclosures": _own(_LOG_USED, "fhir:patient:disclosures", "R"),
        "fhir:subscription:notify": _own(EXPORT, "fhir:subscription:notify", "R"),
        "fhir:patient:export": _own(EXPORT, "fhir:patient:export", "R"),
        "fhir:bulk:export": _own(EXPORT, "fhir:bulk:export", "R"),
        "fhir:bulk:import": _own(_IMPORT, "fhir:bulk:import", "C"),
        "identity:session:open": _event(_AUTHENTICATION, "110122", "Login"),
        "identity:session:close": _event(_AUTHENTICATION, "110123", "Logout"),
        "encryption:key:destroy": _own(SECURITY_ALERT, "encryption:key:destroy", "D"),
        # Of another system's log; how that system is asked, it does not say.
        "foreign:read": _own(_PATIENT_RECORD, "foreign:read", "R"),
        "foreign:search": _own(_PATIENT_RECORD, "foreign:search", "E"),
        "foreign:create": _own(_PATIENT_RECORD, "foreign:create", "C"),
        "foreign:update": _own(_PATIENT_RECORD, "foreign:update", "U"),
        "foreign:delete": _own(_PATIENT_RECORD, "foreign:delete", "D"),
        "foreign:export": _own(EXPORT, "foreign:export", "R"),
        "foreign:sign-in": _event(_AUTHENTICATION, "110122", "Login"),
        "foreign:sign-out": _event(_AUTHENTICATION, "110123", "Logout"),
    }
)
_BY_ROOM: tuple[tuple[str, Code], ...] = (
    ("audit:", _LOG_USED),
    ("identity:", SECURITY_ALERT),
    ("access:", SECURITY_ALERT),
    ("encryption:", SECURITY_ALERT),
)


def kind_of(entry: Entry) -> Kind:
    """How an entry is written as an AuditEvent. Every action has a kind, later ones too."""
    kind = _KINDS.get(entry.action)
    path = (entry.query or "").partition("?")[0]
    if kind is not None and entry.action.startswith(("fhir:record:", "fhir:type:")):
        if "$" in path:
            return _OPERATION
        if entry.action == "fhir:type:search" and not path:
            return _SYSTEM_SEARCH
        if kind.pattern == "Read" and entry.query is not None:  # what BALP has a pattern for names one record by itself
            return _OPERATION
    if kind is not None:
        return kind
    type_ = next((code for start, code in _BY_ROOM if entry.action.startswith(start)), _ACTIVITY)
    return _own(type_, "-".join(entry.action.split()) or "unknown")  # another system's may be no code

"""An entry as an audit message of ATNA: the XML of DICOM PS3.15, A.5 (which began as RFC 3881).

Nobody's library writes it for Python; the structure is small, and written out here. Everything told is plain words,
and is escaped nevertheless. What the schema has no place for stands as details of an object that is the entry itself.
"""

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from carekeep.audit.export.told import Origin, Told
from carekeep.audit.views.codes import DCM, Code
from carekeep.fhir import format_instant

MANY_PATIENTS = 8
MANY_POLICIES = 8
_OUTCOMES = {"permitted": "0", "failed": "4", "denied": "8"}
_IP_ADDRESS = "2"
_ROLES = "Carekeep roles"


def atna_message(told: Told, origin: Origin) -> bytes:
    """The message, plain ASCII, without an XML declaration, in one line."""
    return "".join(["<AuditMessage>", *_parts(told, origin), "</AuditMessage>"]).encode("ascii", "xmlcharrefreplace")


def _parts(told: Told, origin: Origin) -> Iterable[str]:
    yield _element(
        "EventIdentification",
        _coded("EventID", told.type) + _coded("EventTypeCode", told.subtype),
        EventActionCode=told.deed,
        EventDateTime=format_instant(told.at_ms),
        EventOutcomeIndicator=_OUTCOMES[told.outcome],
    )
    yield _element(
        "ActiveParticipant",
        _coded("RoleIDCode", Code(_ROLES, told.role or "unknown", told.role or "unknown")),
        UserID=told.account or told.role or "unknown",
        AlternativeUserID=told.session,
        UserIsRequestor="true",
        NetworkAccessPointID=told.address,
        NetworkAccessPointTypeCode=_IP_ADDRESS if told.address else "",
    )
    yield _element(
        "ActiveParticipant",
        _coded("RoleIDCode", Code(DCM, "110150", "Application")),
        UserID="Carekeep",
        AlternativeUserID=told.app,
        UserIsRequestor="false",
        NetworkAccessPointID=origin.host,
        NetworkAccessPointTypeCode="1",
    )
    yield _element(
        "AuditSourceIdentification",
        '<AuditSourceTypeCode csd-code="4"/>',
        AuditEnterpriseSiteID=origin.host,
        AuditSourceID=told.source or "Carekeep",
    )
    for patient in told.patients[:MANY_PATIENTS]:
        yield _object(patient, Code("RFC-3881", "2", "Patient Number"), "pseudonym", person=True)
    yield _object(told.uid, Code("Carekeep", "entry", "Ledger entry"), "ledger-entry", _details(told))


def _object(id_: str, kind: Code, name: str, details: str = "", *, person: bool = False) -> str:
    return _element(
        "ParticipantObjectIdentification",
        _coded("ParticipantObjectIDTypeCode", kind)
        + f"<ParticipantObjectName>{escape(name)}</ParticipantObjectName>"
        + details,
        ParticipantObjectID=id_,
        ParticipantObjectTypeCode="1" if person else "2",
        ParticipantObjectTypeCodeRole="1" if person else "13",
    )


def _details(told: Told) -> str:
    facts = (
        ("action", told.action),
        ("index", str(told.index)),
        ("purpose-of-use", told.purpose),
        *(("policy", policy) for policy in told.policies[:MANY_POLICIES]),
        ("risk", str(told.risk)),
        ("device", told.device),
        ("patients", str(told.patient_count)),
        ("records", str(told.records)),
        ("disclosure", "true" if told.disclosed else ""),
        ("delegated", "true" if told.delegated else ""),
    )
    return "".join(
        _element("ParticipantObjectDetail", type=name, value=b64encode(value.encode()).decode())
        for name, value in facts
        if value
    )


def _coded(name: str, code: Code) -> str:
    """A coded value. ``csd-code`` is its name since DICOM took the schema over."""
    system = "DCM" if code.system == DCM else code.system
    attributes = {"csd-code": code.code, "codeSystemName": system, "originalText": code.display}
    return _element(name, **attributes)


def _element(name: str, content: str = "", **attributes: str) -> str:
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items() if value)
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"

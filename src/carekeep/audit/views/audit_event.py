"""A ledger entry as FHIR R4 AuditEvents, by the patterns of IHE BALP 1.1 (Basic Audit Log Patterns).

The ledger is what counts; this is one way to read it. An entry gives one event for what was done; another one when
consents decided (AuthZ-Consent), and another when data left to a recipient (Privacy Disclosure). A profile of BALP is
named in ``meta.profile`` when the event meets it: BALP's are for what succeeded, and for one patient at a time.
"""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from carekeep.audit.entries import Entry, What
from carekeep.audit.following import Followed
from carekeep.audit.views.codes import (
    APPLICATION,
    AUTHZ_CONSENT,
    BALP,
    DESTINATION,
    DISCLOSE,
    EXPORT,
    PURPOSE,
    RECIPIENT,
    SECURITY_ALERT,
    SOURCE,
    Code,
    Kind,
    kind_of,
)
from carekeep.fhir import format_instant

Json = dict[str, Any]

CONSENT_EVENT = ".consent"
DISCLOSURE_EVENT = ".disclosure"

_OBJECT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_RESOURCE = "http://hl7.org/fhir/resource-types"
_SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
_AUTHORITY = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
_ROLE_CLASS = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
_POLICY = "https://carekeep.example/policy/"
_URI = "urn:ietf:rfc:3986"
_ACCOUNT = "https://carekeep.example/account"
_CLIENT = "https://carekeep.example/client"
_IP_ADDRESS, _URI_ADDRESS = "2", "5"
# AuditEvent.outcome: 0 success, 4 minor failure, 8 serious failure. Being refused is the more serious one.
_OUTCOMES = {"permitted": "0", "failed": "4", "denied": "8"}


@dataclass(frozen=True, slots=True)
class Server:
    """Where the events come from: the FHIR base URL, and the name of the organization's site."""

    url: str
    site: str


def audit_events(followed: Followed, server: Server) -> tuple[Json, ...]:
    """The AuditEvents of an entry, the one of the interaction first. Their ids begin with the entry's.

    The entry may have been narrowed to one patient before (``redaction.for_patient``).
    """
    entry = followed.entry
    events = [_interaction(followed, server)]
    if entry.consents:
        events.append(_consent_decision(followed, server))
    if entry.recipient is not None:
        events.append(_disclosure(followed, server))
    return tuple(events)


def entry_id_of(event_id: str) -> str:
    """The hexadecimal id of the entry that an event is a view of."""
    return event_id.partition(".")[0]


# -------------------------------------------------------------------------------------------------- what was done


def _interaction(followed: Followed, server: Server) -> Json:
    entry, kind = followed.entry, kind_of(followed.entry)
    is_delete = kind.pattern == "Delete"
    event = _event(followed, server, "", (kind.type, kind.subtype), kind.action)
    user = _user(entry, kind.user, with_policies=not is_delete)
    if entry.source is not None:
        event["agent"] = [*_told_elsewhere(entry, kind), *user]
    else:
        client = _client(entry, kind.client, bare=is_delete)
        event["agent"] = [client, _server(server, kind.server), *user, *_behalf(entry)]
    entities = [
        *map(_patient, entry.patients),
        *(_data(what) for what in entry.what if kind.pattern != "Query"),
        *_query(entry),
        *map(_consent, entry.consents),
        _transaction(entry),
        *(_listed(what) for what in entry.what if kind.pattern == "Query"),
    ]
    event["entity"] = entities
    if profile := _profile(entry, kind):
        event["meta"]["profile"] = [profile]
    return event


def _profile(entry: Entry, kind: Kind) -> str | None:
    """The profile that the event meets, if there is one."""
    known = entry.outcome == "permitted" and entry.agent.address is not None and entry.source is None
    if not kind.pattern or not known or len(entry.patients) > 1:
        return None
    if kind.pattern == "Query":
        if entry.query is None:
            return None
    elif len(entry.what) != 1 or entry.query is not None:
        return None
    patient = "Patient" if entry.patients else ""
    return f"{BALP}/StructureDefinition/IHE.BasicAudit.{patient}{kind.pattern}"


# ---------------------------------------------------------------------------------------- consents, and disclosures


def _consent_decision(followed: Followed, server: Server) -> Json:
    entry = followed.entry
    event = _event(followed, server, CONSENT_EVENT, (SECURITY_ALERT, AUTHZ_CONSENT), "E")
    organization = Code(_ROLE_CLASS, "PROV", "healthcare provider")
    authority = Code(_AUTHORITY, "authserver", "authorization server")
    event["agent"] = [
        _client(entry, APPLICATION, bare=True),
        *_user(entry, RECIPIENT, with_policies=True),
        {"type": _concept(organization), "who": {"display": server.site}, "requestor": False},
        {"type": _concept(authority), "who": event["source"]["observer"], "requestor": False},
    ]
    event["entity"] = [*map(_patient, entry.patients), *map(_consent, entry.consents)]
    if len(entry.patients) == 1 and entry.agent.address is not None:
        event["meta"]["profile"] = [f"{BALP}/StructureDefinition/IHE.BasicAudit.AuthZconsent"]
    return event


def _disclosure(followed: Followed, server: Server) -> Json:
    entry = followed.entry
    event = _event(followed, server, DISCLOSURE_EVENT, (EXPORT, DISCLOSE), "R")
    received: Json = {"type": _concept(DESTINATION), "who": {"display": entry.recipient}, "requestor": False}
    if entry.agent.address is not None:
        received["network"] = {"address": entry.agent.address, "type": _IP_ADDRESS}
    event["agent"] = [
        {**_server(server, SOURCE), "who": event["source"]["observer"]},
        received,
        *_user(entry, RECIPIENT, with_policies=True),
    ]
    event["entity"] = [*map(_patient, entry.patients), *map(_data, entry.what), _transaction(entry)]
    if len(entry.patients) == 1 and entry.agent.address is not None:
        event["meta"]["profile"] = [f"{BALP}/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source"]
    return event


# -------------------------------------------------------------------------------------------------- parts of events


def _event(followed: Followed, server: Server, part: str, codes: tuple[Code, Code], action: str) -> Json:
    """What all events have, without agents and entities."""
    entry = followed.entry
    recorded = format_instant(entry.at_ms)
    event: Json = {
        "resourceType": "AuditEvent",
        "id": f"{followed.entry_id.hex()}{part}",
        "meta": {"versionId": "1", "lastUpdated": recorded},
        "type": _coding(codes[0]),
        "subtype": [_coding(codes[1])],
        "action": action,
        "recorded": recorded,
        "outcome": _OUTCOMES[entry.outcome],
        "source": _source(entry, server),
    }
    if entry.happened_ms is not None:
        happened = format_instant(entry.happened_ms)
        event["period"] = {"start": happened, "end": happened}
    if entry.reason:
        event["outcomeDesc"] = entry.reason
    if entry.purpose:
        event["purposeOfEvent"] = [_purpose(entry)]
    return event


def _source(entry: Entry, server: Server) -> Json:
    if entry.source is not None:  # taken over from another system's log, which is the observer
        return {"observer": {"display": entry.source}}
    return {
        "site": server.site,
        "observer": {"identifier": {"system": _URI, "value": server.url}, "display": "Carekeep"},
        "type": [_coding(Code(_SOURCE_TYPE, "4", "Application Server"))],
    }


def _client(entry: Entry, type_: Code, *, bare: bool = False) -> Json:
    """The program that asked. ``bare``: with nothing beside who and where."""
    agent = entry.agent
    who: Json = {"display": "Carekeep's own pages" if entry.source is None else "not told"}
    if agent.app and entry.source is None:
        who = {"identifier": {"system": _CLIENT, "value": agent.app}}
    elif agent.app:
        who = {"display": agent.app}
    told: Json = {"type": _concept(type_), "who": who, "requestor": False}
    if agent.device is not None and not bare:
        told["altId"] = agent.device
    if agent.address is not None:
        told["network"] = {"address": agent.address, "type": _IP_ADDRESS}
    return told


def _told_elsewhere(entry: Entry, kind: Kind) -> list[Json]:
    """The program or the place that another system's log names; this server had no part in it."""
    agent = entry.agent
    return [_client(entry, kind.client)] if agent.app or agent.address is not None else []


def _server(server: Server, type_: Code) -> Json:
    return {
        "type": _concept(type_),
        "who": {"identifier": {"system": _URI, "value": server.url}},
        "requestor": False,
        "network": {"address": server.url, "type": _URI_ADDRESS},
    }


def _user(entry: Entry, type_: Code, *, with_policies: bool) -> list[Json]:
    agent = entry.agent
    who: Json = {}
    if agent.who is not None:
        who = {"reference": agent.who} if _is_reference(agent.who) else {"display": agent.who}
    if agent.account:
        who["identifier"] = {"system": _ACCOUNT, "value": agent.account}
    told: Json = {
        "type": _concept(type_),
        "role": [{"text": agent.role}] if agent.role else [],
        "who": who or {"display": agent.role or "unknown"},
        "requestor": True,
        "policy": [_POLICY + quote(policy) for policy in entry.policies] if with_policies else [],
        "purposeOfUse": [_purpose(entry)] if entry.purpose else [],
    }
    return [{name: value for name, value in told.items() if value != []}]


def _behalf(entry: Entry) -> list[Json]:
    behalf = entry.agent.on_behalf_of
    if behalf is None:
        return []
    who = {"reference": behalf} if _is_reference(behalf) else {"display": behalf}
    return [{"who": who, "requestor": False, "role": [{"text": "on whose behalf"}]}]


def _patient(patient: str) -> Json:
    return {
        "what": {"reference": f"Patient/{patient}"},
        "type": _coding(Code(_OBJECT_TYPE, "1", "Person")),
        "role": _coding(Code(_OBJECT_ROLE, "1", "Patient")),
    }


def _data(what: What) -> Json:
    return {"what": _reference(what), "type": _system_object(), "role": _coding(_DOMAIN_RESOURCE)}


def _listed(what: What) -> Json:
    """What a search gave out, in the open slice of the pattern: of another type than the query itself."""
    type_ = what.reference.partition("/")[0]
    return {
        "what": _reference(what),
        "type": _coding(Code(_RESOURCE, type_, type_)),
        "role": _coding(_DOMAIN_RESOURCE),
    }


def _consent(reference: str) -> Json:
    return {"what": {"reference": reference}, "type": _coding(Code(_RESOURCE, "Consent", "Consent"))}


def _query(entry: Entry) -> list[Json]:
    if entry.query is None:
        return []
    query = b64encode(entry.query.encode("utf-8", "backslashreplace")).decode("ascii")
    return [{"type": _system_object(), "role": _coding(Code(_OBJECT_ROLE, "24", "Query")), "query": query}]


def _transaction(entry: Entry) -> Json:
    code = Code(f"{BALP}/CodeSystem/BasicAuditEntityType", "XrequestId", "X-Request-Id header")
    return {"what": {"identifier": {"value": entry.request_id or "unknown"}}, "type": _coding(code)}


_DOMAIN_RESOURCE = Code(_OBJECT_ROLE, "4", "Domain Resource")


def _system_object() -> Json:
    return _coding(Code(_OBJECT_TYPE, "2", "System Object"))


def _reference(what: What) -> Json:
    version = "" if what.version is None else f"/_history/{what.version}"
    if not _is_reference(what.reference):
        return {"display": what.reference}
    return {"reference": f"{what.reference}{version}"}


def _purpose(entry: Entry) -> Json:
    return {"coding": [{"system": PURPOSE, "code": entry.purpose}]}


def _is_reference(text: str) -> bool:
    """Whether a text is a literal reference: imported entries may have names in its place."""
    type_, slash, id_ = text.partition("/")
    return bool(slash) and type_.isalpha() and type_[:1].isupper() and " " not in id_ and bool(id_)


def _coding(code: Code) -> Json:
    return {"system": code.system, "code": code.code, "display": code.display}


def _concept(code: Code) -> Json:
    return {"coding": [_coding(code)]}

"""An entry as an event of the Open Cybersecurity Schema Framework (OCSF 1.6.0), one JSON object.

Signing in and out is Authentication (3002); rights that are given are Authorize Session (3003); what is done to
accounts, apps, devices, policies and keys is Entity Management (3004); everything else is API Activity (6003).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from carekeep.audit.export.told import Origin, Told

VERSION = "1.6.0"
AUTHENTICATION, AUTHORIZE_SESSION, ENTITY_MANAGEMENT, API_ACTIVITY = 3002, 3003, 3004, 6003
_OTHER = 99
_SUCCESS, _FAILURE = 1, 2
_ORDINARY, _ADMINISTRATOR, _SYSTEM = 1, 2, 3

Json = dict[str, Any]

_CRUD = MappingProxyType({"C": 1, "R": 2, "U": 3, "D": 4, "E": _OTHER})
_SESSIONS: Mapping[str, int] = MappingProxyType({"identity:session:open": 1, "identity:session:close": 2})
# Rights that an action gives to whoever acts, and how they are called.
_RIGHTS: Mapping[str, str] = MappingProxyType(
    {
        "fhir:patient:break-glass": "emergency-access",
        "identity:token:issue": "token",
        "identity:grant:give": "grant",
    }
)
_ENTITIES = ("identity:", "access:", "encryption:", "records:")
_KINDS: Mapping[str, int] = MappingProxyType(
    {"administrator": _ADMINISTRATOR, "server": _SYSTEM, "operator": _SYSTEM, "engine": _SYSTEM, "app": _SYSTEM}
)


def ocsf_event(told: Told, origin: Origin) -> bytes:
    """The event in UTF-8, in one line; plain ASCII, since everything told is."""
    return orjson.dumps(_event(told, origin))


def _event(told: Told, origin: Origin) -> Json:
    user = _user(told)
    class_, activity, own = _classified(told, user)
    succeeded = told.outcome == "permitted"
    return {
        "category_uid": class_ // 1000,
        "class_uid": class_,
        "activity_id": activity,
        **({"activity_name": told.action} if activity == _OTHER else {}),
        "type_uid": class_ * 100 + activity,
        "time": told.at_ms,
        "severity_id": told.severity,
        "status_id": _SUCCESS if succeeded else _FAILURE,
        "status_code": told.outcome,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Carekeep", "vendor_name": "Carekeep", "version": origin.version},
            "uid": told.uid,
            "sequence": told.index,
            "event_code": told.action,
            "log_name": "ledger",
            "log_provider": origin.host,
            "logged_time": told.recorded_ms,
        },
        "actor": _actor(told, user),
        "src_endpoint": {"ip": told.address} if told.address else {"name": "unknown"},
        **own,
        "unmapped": _unmapped(told),
    }


def _classified(told: Told, user: Json) -> tuple[int, int, Json]:
    """The class, its activity, and what only this class has."""
    if told.action in _SESSIONS:
        return AUTHENTICATION, _SESSIONS[told.action], {"user": user, "service": {"name": "Carekeep"}}
    if told.action in _RIGHTS:
        return AUTHORIZE_SESSION, 1, {"user": user, "privileges": [_RIGHTS[told.action]]}
    if told.action.startswith(_ENTITIES):
        kind = told.action.split(":")[1] if ":" in told.action else told.action
        return ENTITY_MANAGEMENT, _CRUD[told.deed], {"entity": {"name": kind, "type": kind}}
    return API_ACTIVITY, _CRUD[told.deed], {"api": {"operation": told.action, "service": {"name": "Carekeep"}}}


def _user(told: Told) -> Json:
    """By the id of the account, and the role as a group. Who has no account is named by the role."""
    known = {"uid": told.account} if told.account else {"name": told.role or "unknown"}
    return {**known, "type_id": _KINDS.get(told.role, _ORDINARY), "groups": [{"name": told.role or "unknown"}]}


def _actor(told: Told, user: Json) -> Json:
    actor: Json = {"user": user}
    if told.session:
        actor["session"] = {"uid": told.session}
    if told.app:
        actor["app_uid"] = told.app
    return actor


def _unmapped(told: Told) -> Json:
    """What OCSF has no attribute for; what is not there is left out."""
    facts: Json = {
        "purpose_of_use": told.purpose,
        "policies": told.policies,
        "risk": told.risk,
        "device": told.device,
        "patients": told.patients,
        "patient_count": told.patient_count,
        "record_count": told.records,
        "disclosure": told.disclosed,
        "delegated": told.delegated,
        "imported_from": told.source,
    }
    return {name: value for name, value in facts.items() if value}

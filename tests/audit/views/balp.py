"""The constraints of IHE BALP 1.1's profiles, as facts: what an AuditEvent must have to be named after one.

From input/fsh of IHE/ITI.BasicAudit (PatientRead, PatientCreate, PatientUpdate, PatientDelete, PatientQuery, Disclose,
AuthZ).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
DCM = "http://dicom.nema.org/resources/ontology/DCM"
_THO = "http://terminology.hl7.org/CodeSystem"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
_BALP = "https://profiles.ihe.net/ITI/BALP"
PROFILES = f"{_BALP}/StructureDefinition/IHE.BasicAudit."

REST = f"{_THO}/audit-event-type|rest"
SOURCE, DESTINATION, APPLICATION = f"{DCM}|110153", f"{DCM}|110152", f"{DCM}|110150"
CUSTODIAN = f"{_THO}/provenance-participant-type|custodian"
IRCP = f"{_THO}/v3-ParticipationType|IRCP"
AUTHORS = frozenset(f"{_THO}/v3-ParticipationType|{code}" for code in ("AUT", "INF", "CST"))
PERSON, OBJECT = f"{_THO}/audit-entity-type|1", f"{_THO}/audit-entity-type|2"
PATIENT_ROLE, QUERY_ROLE = f"{_THO}/object-role|1", f"{_THO}/object-role|24"
REST_ROLES = frozenset(f"{_THO}/object-role|{code}" for code in ("3", "4", "20"))
TRANSACTION = f"{_BALP}/CodeSystem/BasicAuditEntityType|XrequestId"
CONSENT = "http://hl7.org/fhir/resource-types|Consent"
SUCCESS, ANY = frozenset("0"), frozenset({"0", "4", "8", "12"})


@dataclass(frozen=True, slots=True)
class Slice:
    """Elements of one type: how many there may be, what each must have, and what none may."""

    types: frozenset[str]
    least: int
    most: int
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    roles: frozenset[str] = frozenset()
    requestor: bool | None = None

    def breaches(self, name: str, elements: Sequence[Json]) -> list[str]:
        found = [each for each in elements if codes(each.get("type")) & self.types]
        told = [] if self.least <= len(found) <= self.most else [f"{name}: {len(found)}"]
        for each in found:
            told += [f"{name} has no {path}" for path in self.has if not at(each, path)]
            told += [f"{name} has {path}" for path in self.lacks if at(each, path)]
            if self.roles and not codes(each.get("role")) & self.roles:
                told.append(f"{name} has another role")
            if self.requestor is not None and each.get("requestor") is not self.requestor:
                told.append(f"{name} requestor")
        return told


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile: codes of the event, and its slices."""

    type: str
    subtypes: frozenset[str]
    action: str
    outcomes: frozenset[str]
    agents: Mapping[str, Slice]
    entities: Mapping[str, Slice]
    least_entities: int

    def breaches(self, event: Json) -> list[str]:
        """Everything in which the event is not of the profile."""
        told = []
        if codes(event["type"]) != {self.type}:
            told.append("type")
        if not any(codes(each) & self.subtypes for each in event.get("subtype", ())):
            told.append("subtype")
        if event.get("action") != self.action:
            told.append("action")
        if event.get("outcome") not in self.outcomes:
            told.append("outcome")
        told += ["recorded"] if "recorded" not in event or "observer" not in event["source"] else []
        told += [f"{len(event['agent'])} agents"] if len(event["agent"]) < 2 else []
        told += [f"{len(event['entity'])} entities"] if len(event["entity"]) < self.least_entities else []
        for name, part in self.agents.items():
            told += part.breaches(f"agent[{name}]", event["agent"])
        for name, part in self.entities.items():
            told += part.breaches(f"entity[{name}]", event["entity"])
        return told


def codes(value: Any) -> frozenset[str]:
    """A Coding, or the codings of a CodeableConcept, as "system|code"."""
    if value is None:
        return frozenset()
    return frozenset(f"{each['system']}|{each['code']}" for each in value.get("coding", [value]) if "code" in each)


def at(element: Any, path: str) -> Any:
    for name in path.split("."):
        element = (element or {}).get(name)
    return element


_NETWORKED = ("who", "network.address")
_BARE = ("role", "altId", "name", "location", "policy", "media", "purposeOfUse")
_ALONE = ("lifecycle", "name", "query", "detail")


def _agents(client: str, server: str, users: frozenset[str], *, bare: bool = False) -> Mapping[str, Slice]:
    lacks = _BARE if bare else ("media",)
    hidden = ("altId", "location", "policy") if bare else ()
    return {
        "client": Slice(frozenset({client}), 1, 1, _NETWORKED, lacks),
        "server": Slice(frozenset({server}), 1, 1, _NETWORKED, lacks),
        "user": Slice(users, 0, 1, ("who",), ("media", "network", *hidden), requestor=True),
    }


_PATIENT = Slice(frozenset({PERSON}), 1, 1, ("what.reference",), roles=frozenset({PATIENT_ROLE}))
_DATA = Slice(frozenset({OBJECT}), 1, 1, ("what",), roles=REST_ROLES)
_LONE_DATA = Slice(frozenset({OBJECT}), 1, 1, ("what",), _ALONE, roles=REST_ROLES)
_QUERY = Slice(frozenset({OBJECT}), 1, 1, ("query",), ("what", "lifecycle", "detail"), roles=frozenset({QUERY_ROLE}))
_TRANSACTION = Slice(frozenset({TRANSACTION}), 0, 1, ("what.identifier.value",))


def _restful(
    subtypes: Sequence[str], action: str, agents: Mapping[str, Slice], data: Mapping[str, Slice], *, patient: bool
) -> Profile:
    entities = {"transaction": _TRANSACTION, **data} | ({"patient": _PATIENT} if patient else {})
    about = frozenset(f"{INTERACTION}|{code}" for code in subtypes)
    return Profile(REST, about, action, SUCCESS, agents, entities, 2 if patient and "data" in data else 1)


_RESTFUL: Mapping[str, tuple[tuple[str, ...], str, Mapping[str, Slice], Mapping[str, Slice]]] = {
    "Read": (("read", "vread"), "R", _agents(DESTINATION, SOURCE, frozenset({IRCP})), {"data": _DATA}),
    "Create": (("create",), "C", _agents(SOURCE, DESTINATION, AUTHORS), {"data": _DATA}),
    "Update": (("update", "patch"), "U", _agents(SOURCE, DESTINATION, AUTHORS), {"data": _DATA}),
    "Delete": (("delete",), "D", _agents(APPLICATION, CUSTODIAN, AUTHORS, bare=True), {"data": _LONE_DATA}),
    "Query": (
        ("search", "search-type", "search-system"),
        "E",
        _agents(SOURCE, DESTINATION, frozenset({IRCP})),
        {"query": _QUERY},
    ),
}
_DISCLOSURE = Profile(
    f"{DCM}|110106",
    frozenset({f"{_THO}/iso-21089-lifecycle|disclose"}),
    "R",
    ANY,
    {
        "source": Slice(frozenset({SOURCE}), 1, 1, _NETWORKED),
        "recipient": Slice(frozenset({DESTINATION}), 1, 1, _NETWORKED),
    },
    {"patient": _PATIENT},
    2,
)
_AUTHORIZATION = Profile(
    f"{DCM}|110113",
    frozenset({f"{_BALP}/CodeSystem/AuthZsubType|AuthZ-Consent"}),
    "E",
    ANY,
    {
        "client": Slice(frozenset({APPLICATION}), 1, 1, _NETWORKED, ("role", "altId", "name", "location", "media")),
        "user": Slice(frozenset({IRCP}), 1, 1, ("who",), ("altId", "location", "media", "network"), requestor=True),
        "userorg": Slice(frozenset({f"{_THO}/v3-RoleClass|PROV"}), 1, 1, ("who",), ("network",), requestor=False),
        "authorizer": Slice(
            frozenset({f"{_THO}/extra-security-role-type|authserver"}), 1, 1, ("who",), ("network",), requestor=False
        ),
    },
    {"patient": _PATIENT, "consent": Slice(frozenset({CONSENT}), 1, 99, ("what.reference",))},
    2,
)
BY_NAME: Mapping[str, Profile] = {
    **{name: _restful(*facts, patient=False) for name, facts in _RESTFUL.items()},
    **{f"Patient{name}": _restful(*facts, patient=True) for name, facts in _RESTFUL.items()},
    "PrivacyDisclosure.Source": _DISCLOSURE,
    "AuthZconsent": _AUTHORIZATION,
}


def claimed(event: Json) -> str | None:
    """The name of the profile that an event says it is of."""
    profiles: list[str] = event["meta"].get("profile", [])
    return profiles[0].removeprefix(PROFILES) if profiles else None

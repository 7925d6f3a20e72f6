"""Who looked at a record, and why, in words for the patient whose record it is.

Nothing is left out: not what the patient did, not what was refused, not what the organization itself looked at. What is
told of one look is what Regulation (EU) 2025/327, Art. 9(2) asks for and more: who, when, and which data.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum, unique
from types import MappingProxyType

from carekeep.audit.entries import Entry
from carekeep.audit.following import Followed
from carekeep.audit.views.record_kinds import enumerated, kinds_of


@unique
class Deed(StrEnum):
    """What somebody did with a record."""

    LOOKED = "looked"
    CHANGED = "changed"
    GAVE_OUT = "gave-out"
    OPENED_EMERGENCY = "opened-emergency"
    LOOKED_WHO_LOOKED = "looked-who-looked"
    DID_SOMETHING = "did-something"


@dataclass(frozen=True, slots=True)
class Directory:
    """Names for the people and programs in entries, and words for purposes of use.

    ``names``: by reference ("Practitioner/7"), account or client id. ``purposes``: by code, such as "to treat the
    patient".
    """

    names: Mapping[str, str] = field(default_factory=dict, repr=False)
    purposes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """What one person did with one patient's record on one day (UTC), with one purpose and outcome.

    Times are milliseconds since 1970. ``who``, ``role``, ``kinds``, ``why`` and ``because`` are words; ``through`` is
    the program, ``recipient`` to whom data went, ``source`` the other system whose log told it. ``refused``: nothing
    was seen. ``entries`` are the ids of the ledger's entries, hexadecimal.
    """

    first_ms: int
    last_ms: int
    times: int
    who: str
    role: str
    reference: str | None
    through: str | None
    deed: Deed
    refused: bool
    emergency: bool
    kinds: tuple[str, ...]
    why: str
    because: str
    recipient: str | None
    source: str | None
    entries: tuple[str, ...]

    @property
    def day(self) -> str:
        """The day, as 2026-11-24."""
        return f"{_moment(self.first_ms):%Y-%m-%d}"

    @property
    def sentence(self) -> str:
        """The whole of it, as somebody would say it to the patient."""
        return _sentence(self)


def looks(
    entries: Iterable[Followed], patient: str, directory: Directory, *, each_alone: bool = False
) -> tuple[Look, ...]:
    """What was done with a patient's record, the newest first. The entries are narrowed to the patient.

    Equal deeds of one person on one day are told as one, unless ``each_alone``.
    """
    groups: dict[tuple[object, ...], list[Followed]] = {}
    for followed in entries:
        groups.setdefault(_key(followed, each_alone=each_alone), []).append(followed)
    found = [_look(group, patient, directory) for group in groups.values()]
    return tuple(sorted(found, key=lambda look: look.last_ms, reverse=True))


def when_ms(entry: Entry) -> int:
    """When it happened: as another system's log says, or when it was recorded here."""
    return entry.at_ms if entry.happened_ms is None else entry.happened_ms


def _key(followed: Followed, *, each_alone: bool) -> tuple[object, ...]:
    entry, agent = followed.entry, followed.entry.agent
    alone = followed.entry_id if each_alone else None
    return (
        alone,
        when_ms(entry) // _DAY_MS,
        agent.who or agent.account,
        agent.role,
        agent.app,
        _deed(entry),
        entry.outcome == "denied",
        entry.purpose,
        _is_emergency(entry),
        entry.recipient,
        entry.source,
    )


def _look(group: list[Followed], patient: str, directory: Directory) -> Look:
    entry = group[0].entry
    agent = entry.agent
    moments = [when_ms(each.entry) for each in group]
    types = [what.reference.partition("/")[0] for each in group for what in each.entry.what]
    reasons = dict.fromkeys(each.entry.reason for each in group if each.entry.reason)
    names = directory.names if entry.source is None else {}
    is_person = agent.role in {"practitioner", "patient", "administrator", "auditor"}
    return Look(
        first_ms=min(moments),
        last_ms=max(moments),
        times=len(group),
        who=_who(entry, patient, directory),
        role=_ROLES.get(agent.role, agent.role),
        reference=agent.who,
        through=names.get(agent.app, agent.app) if agent.app and is_person else None,
        deed=_deed(entry),
        refused=entry.outcome == "denied",
        emergency=_is_emergency(entry),
        kinds=kinds_of(types),
        why=_to_the_patient(directory.purposes.get(entry.purpose, "")),
        because=" ".join(reasons),
        recipient=entry.recipient,
        source=entry.source,
        entries=tuple(each.entry_id.hex() for each in group),
    )


def _who(entry: Entry, patient: str, directory: Directory) -> str:
    agent = entry.agent
    if agent.who == f"Patient/{patient}":
        return "You"
    if entry.source is not None:  # another system's log: a name, or an id that only it knows, and never one of ours
        return agent.who or _UNKNOWN
    for known in (agent.who, agent.account, agent.app):
        if known and known in directory.names:
            return directory.names[known]
    return _NAMELESS.get(agent.role, _UNKNOWN)


def _is_emergency(entry: Entry) -> bool:
    by_policy = any(policy.startswith(_EMERGENCY_POLICIES) for policy in entry.policies)
    return by_policy or entry.purpose == _EMERGENCY or entry.action == _BREAK_GLASS


def _deed(entry: Entry) -> Deed:
    if entry.recipient is not None:
        return Deed.GAVE_OUT
    return _DEEDS.get(entry.action, Deed.DID_SOMETHING)


def _sentence(look: Look) -> str:
    parts = [f"On {_date(look.first_ms)}, {_subject(look)}{_verb(look)}"]
    if look.times > 1:
        parts.append(f", {look.times} times")
    if look.why:
        parts.append(f", {look.why}")
    if look.emergency and look.deed is not Deed.OPENED_EMERGENCY:
        parts.append(", in an emergency")
    if look.source is not None:
        parts.append(f", as the log of {look.source} says")
    return "".join(parts) + "."


def _subject(look: Look) -> str:
    if look.who == "You":
        return "you"
    role = f" ({look.role})" if look.role and look.who not in _NAMELESS.values() else ""
    return f"{look.who[:1].lower() + look.who[1:] if look.who in _LOWERED else look.who}{role}"


def _verb(look: Look) -> str:
    kinds = f"your {enumerated(look.kinds)}" if look.kinds else "your record"
    through = f" with {look.through}" if look.through else ""
    if look.refused:
        return f" tried to use {kinds}{through} and was refused"
    if look.deed is Deed.GAVE_OUT:
        return f" gave {kinds}{through} to {look.recipient}"
    said = _OF_THE_WHOLE.get(look.deed) or f"{_VERBS[look.deed]} {kinds}"
    return f" {said}{through}"


def _to_the_patient(purpose: str) -> str:
    for said, instead in (("the patient's", "your"), ("the patient", "you"), ("their details", "your details")):
        purpose = purpose.replace(said, instead)
    return purpose


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def _date(ms: int) -> str:
    moment = _moment(ms)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


_DAY_MS = 86_400_000
_EMERGENCY = "ETREAT"
_EMERGENCY_POLICIES = "emergency."
_BREAK_GLASS = "fhir:patient:break-glass"
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DEEDS: Mapping[str, Deed] = MappingProxyType(
    {
        "fhir:record:read": Deed.LOOKED,
        "fhir:record:vread": Deed.LOOKED,
        "fhir:record:history": Deed.LOOKED,
        "fhir:type:search": Deed.LOOKED,
        "fhir:type:find-in-emergency": Deed.LOOKED,
        "fhir:patient:export": Deed.LOOKED,
        "fhir:bulk:export": Deed.LOOKED,
        "fhir:subscription:notify": Deed.LOOKED,
        "fhir:record:create": Deed.CHANGED,
        "fhir:record:update": Deed.CHANGED,
        "fhir:record:delete": Deed.CHANGED,
        "fhir:bundle:transaction": Deed.CHANGED,
        "fhir:bulk:import": Deed.CHANGED,
        _BREAK_GLASS: Deed.OPENED_EMERGENCY,
        "fhir:patient:disclosures": Deed.LOOKED_WHO_LOOKED,
        "audit:ledger:read": Deed.LOOKED_WHO_LOOKED,
        **{f"foreign:{verb}": Deed.LOOKED for verb in ("read", "search", "export")},  # another system's log
        **{f"foreign:{verb}": Deed.CHANGED for verb in ("create", "update", "delete")},
    }
)
_VERBS: Mapping[Deed, str] = MappingProxyType(
    {
        Deed.LOOKED: "looked at",
        Deed.CHANGED: "changed or added to",
        Deed.DID_SOMETHING: "did something that concerns",
    }
)
_OF_THE_WHOLE: Mapping[Deed, str] = MappingProxyType(
    {
        Deed.OPENED_EMERGENCY: "opened emergency access to your record",
        Deed.LOOKED_WHO_LOOKED: "looked at who looked at your record",
    }
)
_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "practitioner": "practitioner",
        "patient": "patient",
        "administrator": "administrator",
        "auditor": "auditor",
        "app": "program",
        "operator": "operator of the server",
        "server": "the server itself",
        "unknown": "not signed in",
    }
)
_UNKNOWN = "Somebody whose name is not known"
_NAMELESS: Mapping[str, str] = MappingProxyType(
    {
        "practitioner": "A practitioner whose name is not known any more",
        "patient": "Another person with a patient's account",
        "administrator": "An administrator",
        "auditor": "An auditor",
        "app": "A program",
        "operator": "The operator of the server",
        "server": "The server itself",
        "unknown": "Somebody who was not signed in",
    }
)
_LOWERED = frozenset((*_NAMELESS.values(), _UNKNOWN))

"""What of a ledger entry leaves for a SIEM: the shortest list by which misuse can be noticed.

Left out: names, references to people and records, search questions, reasons, recipients, and what the policies saw.
All of them can hold words that somebody typed. Patients and sessions are keyed pseudonyms; whoever must know who it
was opens the entry itself, by its id, in the ledger: ``carekeep ledger show``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType

from carekeep.audit.entries import Outcome
from carekeep.audit.following import Followed
from carekeep.audit.views.codes import Code, EventAction, kind_of
from carekeep.audit.views.plain_words import when_ms

Pseudonym = Callable[[str, str], str]
"""Of ("patient" or "session", id): the same 32 hexadecimal digits each time, which only the key could lead back."""

MANY = 20
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who tells: the host of the installation, and the version of the program."""

    host: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of one entry. All texts are plain ASCII words without spaces; "" is told as nothing.

    ``uid`` is the entry's id: the same entry that came twice is known by it. ``index`` is its place in the ledger.
    Times are milliseconds since 1970. ``deed`` is C, R, U, D or E (execute). ``patients`` are at most ``MANY``
    pseudonyms of ``patient_count``; ``records`` is how many records were touched. ``source`` is the other system whose
    log the entry was imported from: of such an entry no agent is told, since its words are not ours.
    """

    uid: str
    index: int
    at_ms: int
    recorded_ms: int
    action: str
    deed: EventAction
    type: Code
    subtype: Code
    outcome: Outcome
    role: str
    account: str
    session: str
    device: str
    app: str
    address: str
    delegated: bool
    purpose: str
    policies: tuple[str, ...]
    risk: int
    patients: tuple[str, ...]
    patient_count: int
    records: int
    disclosed: bool
    source: str

    @property
    def severity(self) -> int:
        """1 informational, 2 low, 3 medium, 4 high: as OCSF counts."""
        if self.risk >= _RISKY:
            return 4
        if self.outcome == "denied" or self.action in _GRAVE:
            return 3
        return 2 if self.outcome == "failed" else 1


_RISKY = 75
_GRAVE = frozenset({"fhir:patient:break-glass", "fhir:type:find-in-emergency", "encryption:key:destroy"})


# The last word of an action says it; of others, the kind of AuditEvent does.
_DEEDS: Mapping[str, EventAction] = MappingProxyType(
    {
        **dict.fromkeys(("read", "vread", "history", "search"), "R"),
        "create": "C",
        "update": "U",
        "delete": "D",
        "destroy": "D",
    }
)


def told_of(followed: Followed, pseudonym: Pseudonym) -> Told:
    """What leaves of an entry."""
    entry, agent = followed.entry, followed.entry.agent
    kind = kind_of(entry)
    is_ours = entry.source is None
    return Told(
        uid=followed.entry_id.hex(),
        index=followed.index or 0,
        at_ms=when_ms(entry),
        recorded_ms=entry.at_ms,
        action=_word(entry.action) or "other",
        deed=_DEEDS.get(entry.action.rpartition(":")[2], kind.action),
        type=kind.type,
        subtype=kind.subtype if _word(kind.subtype.code) else kind.type,
        outcome=entry.outcome,
        role=_word(agent.role) if is_ours else "foreign",
        account=_word(agent.account) if is_ours else "",
        session=pseudonym("session", agent.session) if is_ours and agent.session else "",
        device=_word(agent.device) if is_ours else "",
        app=_word(agent.app) if is_ours else "",
        address=_address(agent.address),
        delegated=agent.on_behalf_of is not None,
        purpose=_word(entry.purpose),
        policies=tuple(filter(None, map(_word, entry.policies)))[:MANY],
        risk=entry.risk,
        patients=tuple([pseudonym("patient", patient) for patient in entry.patients[:MANY]]),
        patient_count=len(entry.patients),
        records=len(entry.what),
        disclosed=entry.recipient is not None,
        source=_word(entry.source),
    )


def _word(text: str | None) -> str:
    """The text if it is one word, such as an id or a code. What somebody typed is more than that, and stays here."""
    return text if text is not None and _WORD.fullmatch(text) else ""


def _address(text: str | None) -> str:
    try:
        return str(ip_address(text or "")).partition("%")[0]
    except ValueError:
        return ""

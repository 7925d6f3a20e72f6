"""What one ledger entry says, and its bytes before they are sealed.

An entry is written as a JSON array in a fixed order, padded so that its length tells little about its content. The
version byte of the leaf (see ``ledger``) names this layout; a change of the layout is a new version. Version 1 ended
with ``parts``.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NewType

import orjson

from carekeep.storage.interfaces import Pin

EntryId = NewType("EntryId", bytes)
"""16 bytes: 48 bits of milliseconds, then 80 random bits. Written in hexadecimal where people see it."""

Outcome = Literal["permitted", "denied", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("permitted", "denied", "failed")

PADDING = 64
# With these the worst of texts (six bytes a character in JSON) fill less than a leaf, and leave room for an item.
LONG_TEXT = 1_500
SHORT_TEXT = 150
MANY_POLICIES = 20
_VERSION_1: tuple[Any, ...] = ((), "", (), None, None, None)


class BadLeaf(ValueError):
    """Bytes that stand where an entry should and are not one: changed, cut, or sealed by somebody else."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acted: the account and its role, and from where. ``who`` and ``on_behalf_of`` are FHIR references."""

    account: str
    role: str
    who: str | None = None
    session: str | None = None
    device: str | None = None
    address: str | None = None
    app: str | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class What:
    """A resource that was touched, as ``Type/id``, and the version that was read or made."""

    reference: str
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened, or was refused.

    ``patients`` are the ids of those whose data it was; ``at_ms`` is milliseconds since 1970 (UTC). A request that
    touched more than one leaf can hold becomes several entries with one ``request_id``; the ledger numbers them in
    ``part`` of ``parts``.

    ``seen`` is what the policies could see, once for each different decision (``access.decision``), ``trial`` what
    policies on trial would have answered otherwise, ``consents`` the references of those that decided. ``recipient``
    is who outside received something: a disclosure in the sense of 45 CFR 164.528. An entry that was taken over from
    another system's log names it as ``source``, and says when it happened there.
    """

    action: str
    agent: Agent
    purpose: str
    outcome: Outcome
    what: tuple[What, ...] = ()
    patients: tuple[str, ...] = ()
    query: str | None = None
    policies: tuple[str, ...] = ()
    reason: str = ""
    risk: int = 0
    request_id: str
    at_ms: int
    part: int = 1
    parts: int = 1
    seen: tuple[str, ...] = ()
    trial: str = ""
    consents: tuple[str, ...] = ()
    recipient: str | None = None
    source: str | None = None
    happened_ms: int | None = None


def encode(entry: Entry, pins: tuple[Pin, ...], limit: int) -> list[bytes]:
    """The entry as one or more padded JSON arrays of at most ``limit`` bytes each.

    References, patients and pins are never dropped: they go on in further parts. Only texts are cut, only when the
    entry would not fit otherwise, and then they say how much is left out.
    """
    try:
        whole = _pad(_dump(entry, pins))
    except TypeError:  # orjson's answer to lone surrogates; a broken name must not keep its request out of the ledger
        whole = None
    if whole is not None and len(whole) <= limit:
        return [whole]
    parts = list(_split(_cut(entry) if _needs_cutting(entry, limit) else entry, pins, limit - PADDING))
    return [
        _pad(_dump(replace(part, part=number, parts=len(parts)), some))
        for number, (part, some) in enumerate(parts, start=1)
    ]


def decode(body: bytes) -> tuple[Entry, tuple[Pin, ...]]:
    """The reverse of :func:`encode` for one part. Raises BadLeaf."""
    try:
        (at_ms, action, purpose, outcome, agent, what, patients, query, policies, reason, risk, request_id, pins,
         part, parts, *since_2) = orjson.loads(body)  # fmt: skip
        seen, trial, consents, recipient, source, happened_ms = since_2 or _VERSION_1
        if outcome not in OUTCOMES:
            raise BadLeaf("an entry has an outcome that does not exist")
        entry = Entry(
            action=action,
            agent=Agent(*agent),
            purpose=purpose,
            outcome=outcome,
            what=tuple([What(reference, version) for reference, version in what]),
            patients=tuple(patients),
            query=query,
            policies=tuple(policies),
            reason=reason,
            risk=risk,
            request_id=request_id,
            at_ms=at_ms,
            part=part,
            parts=parts,
            seen=tuple(seen),
            trial=trial,
            consents=tuple(consents),
            recipient=recipient,
            source=source,
            happened_ms=happened_ms,
        )
        return entry, tuple([Pin(table, key, a2b_base64(digest)) for table, key, digest in pins])
    except (TypeError, ValueError, Base64Error) as error:
        raise BadLeaf("an entry opens but has another layout than its version says") from error


def _dump(entry: Entry, pins: Iterable[Pin]) -> bytes:
    agent = entry.agent
    return orjson.dumps(
        (
            entry.at_ms,
            entry.action,
            entry.purpose,
            entry.outcome,
            (agent.account, agent.role, agent.who, agent.session, agent.device, agent.address, agent.app,
             agent.on_behalf_of),
            [(what.reference, what.version) for what in entry.what],
            entry.patients,
            entry.query,
            entry.policies,
            entry.reason,
            entry.risk,
            entry.request_id,
            [(pin.table, pin.key, b2a_base64(pin.digest, newline=False).decode()) for pin in pins],
            entry.part,
            entry.parts,
            entry.seen,
            entry.trial,
            entry.consents,
            entry.recipient,
            entry.source,
            entry.happened_ms,
        )
    )  # fmt: skip


def _pad(body: bytes) -> bytes:
    # Spaces after the array are JSON still, so reading needs to know nothing of them.
    return body + b" " * (-len(body) % PADDING)


def _split(entry: Entry, pins: tuple[Pin, ...], limit: int) -> Iterator[tuple[Entry, tuple[Pin, ...]]]:
    """Deal out references, patients and pins to as many entries as they need."""
    bare = replace(entry, what=(), patients=(), part=99_999, parts=99_999)
    room = limit - len(_dump(bare, ()))
    batch: list[What | str | Pin] = []
    used = 0
    items: tuple[What | str | Pin, ...] = (*entry.what, *entry.patients, *pins)
    for item in items:
        size = _item_size(item)
        if batch and used + size > room:
            yield _gather(bare, batch)
            batch, used = [], 0
        batch.append(item)
        used += size
    yield _gather(bare, batch)


def _gather(bare: Entry, items: list[What | str | Pin]) -> tuple[Entry, tuple[Pin, ...]]:
    what = tuple(item for item in items if isinstance(item, What))
    patients = tuple(item for item in items if isinstance(item, str))
    return replace(bare, what=what, patients=patients), tuple(item for item in items if isinstance(item, Pin))


def _item_size(item: What | str | Pin) -> int:
    if isinstance(item, Pin):
        return len(orjson.dumps((item.table, item.key))) + 4 * len(item.digest) // 3 + 8
    return len(orjson.dumps((item.reference, item.version) if isinstance(item, What) else item)) + 1


def _needs_cutting(entry: Entry, limit: int) -> bool:
    try:
        bare = len(_dump(replace(entry, what=(), patients=()), ()))
        items: tuple[What | str, ...] = (*entry.what, *entry.patients)
        return bare > limit // 2 or max(map(_item_size, items), default=0) > limit // 4
    except TypeError:
        return True


def _cut(entry: Entry) -> Entry:
    """Every text short enough, and plain UTF-8, so that what cannot be split fits into half a leaf."""
    agent = entry.agent
    values: dict[str, Any] = {
        name: _shorten(getattr(agent, name), SHORT_TEXT) for name in Agent.__slots__ if getattr(agent, name) is not None
    }
    left_out = len(entry.policies) - MANY_POLICIES
    policies = [_shorten(policy, SHORT_TEXT) for policy in entry.policies[:MANY_POLICIES]]
    if left_out > 0:
        policies.append(f"… ({left_out} more policies)")
    return replace(
        entry,
        agent=replace(agent, **values),
        action=_shorten(entry.action, SHORT_TEXT),
        purpose=_shorten(entry.purpose, SHORT_TEXT),
        request_id=_shorten(entry.request_id, SHORT_TEXT),
        what=tuple(What(_shorten(what.reference, LONG_TEXT), what.version) for what in entry.what),
        patients=tuple(_shorten(patient, SHORT_TEXT) for patient in entry.patients),
        query=None if entry.query is None else _shorten(entry.query, LONG_TEXT),
        policies=tuple(policies),
        reason=_shorten(entry.reason, LONG_TEXT),
        seen=(),  # half of it would be of no use to anybody
        trial=_shorten(entry.trial, SHORT_TEXT),
        consents=tuple(_shorten(consent, SHORT_TEXT) for consent in entry.consents[:MANY_POLICIES]),
        recipient=None if entry.recipient is None else _shorten(entry.recipient, SHORT_TEXT),
        source=None if entry.source is None else _shorten(entry.source, SHORT_TEXT),
    )


def _shorten(text: str, limit: int) -> str:
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"

"""The rows of subscriptions: who subscribed, how many events there were, and how far the ledger was read.

The Subscription itself is a record like every other; its row holds what must not be in a record, because clients write
records: whose it is, and how it stands. Status changes are made with their ledger entry and pinned by it. The counters
move without one: they say nothing that the entries of the events and of their disclosures do not say.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from carekeep.access import Purpose
from carekeep.encryption import Cipher, Keyring, Tampered, associated_data
from carekeep.identity import Session
from carekeep.storage import Change, Database, Finding, Insert, Pin, Prepared, Row, Step, bump

TOPIC = "subscriptions"
"""Of generations: bumped when there are events, and when a subscription begins, changes or ends."""

SubscriptionStatus = Literal["requested", "active", "error"]

READER = "subscriptions"
KEPT_EVENTS = 1_000  # of each subscription, for $events and for websockets that come back

_TABLE = "subscription"
_COLUMNS = ("id", "account", "revision", "events", "delivered", "sealed")
_ROWS = "SELECT id, account, revision, events, delivered, sealed FROM subscription"
_ONE = f"{_ROWS} WHERE id = $1"
_COUNT = "SELECT count(*) FROM subscription WHERE account = $1"
_CHANGE = "UPDATE subscription SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"
_START = "UPDATE subscription SET delivered = events WHERE id = $1"
_REMOVE = "DELETE FROM subscription WHERE id = $1"
_REMOVE_EVENTS = "DELETE FROM subscription_event WHERE subscription = $1"
_COUNT_UP = "UPDATE subscription SET events = $1 WHERE id = $2 AND events = $3"
_PRUNE = "DELETE FROM subscription_event WHERE subscription = $1 AND number <= $2"
_DELIVERED = "UPDATE subscription SET delivered = $1 WHERE id = $2 AND delivered < $3"
_EVENTS = """
SELECT number, sealed FROM subscription_event
 WHERE subscription = $1 AND number >= $2 AND number <= $3 ORDER BY number LIMIT $4
""".strip()
_NEXT = "SELECT next FROM ledger_reader WHERE name = $1"
_ADVANCE = "UPDATE ledger_reader SET next = $1 WHERE name = $2 AND next = $3"


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription that has not ended.

    ``rid`` is the blind id of its record and ``account`` the subscriber's id (bytes); ``id`` is the record's FHIR id.
    ``events`` is the number of the last event, ``delivered`` of the last that was told. ``purpose``, ``session`` and
    ``address`` are those of the request that subscribed: each delivery is decided by them.
    """

    rid: bytes
    account: bytes
    revision: int
    events: int
    delivered: int
    id: str
    status: SubscriptionStatus
    error: str
    purpose: Purpose
    session: Session
    address: str | None

    @property
    def reference(self) -> str:
        """``Subscription/id``."""
        return f"Subscription/{self.id}"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as it is kept: which version of which record was written, and when (milliseconds since 1970)."""

    number: int
    type: str
    id: str
    version: int
    at_ms: int


class Subscriptions:
    """The table of one database. Changes are prepared, as everywhere; see the module for what commits by itself."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._cipher: Cipher = keyring.rows
        self._rid = keyring.rid

    async def all(self) -> list[Subscribed]:
        """Every subscription that has not ended; one that was tampered with is left out (``verify`` reports it)."""
        found = []
        for row in await self._database.fetch(_ROWS):
            try:
                found.append(_unseal(row, self._cipher))
            except Tampered:
                continue
        return found

    async def get(self, id_: str) -> Subscribed | None:
        """The subscription of a record, None when it has ended or never was one. Raises Tampered."""
        row = await self._database.fetch_one(_ONE, (self._rid("Subscription", id_),))
        return None if row is None else _unseal(row, self._cipher)

    async def count(self, account: bytes) -> int:
        """How many subscriptions an account has."""
        row = await self._database.fetch_one(_COUNT, (account,))
        return int(row[0]) if row else 0

    def prepare_add(
        self, id_: str, account: bytes, *, purpose: Purpose, session: Session, address: str | None
    ) -> Prepared[Subscribed]:
        """A new subscription, ``requested``. A conflict means that there is one already."""
        rid = self._rid("Subscription", id_)
        new = Subscribed(
            rid=rid,
            account=account,
            revision=1,
            events=0,
            delivered=0,
            id=id_,
            status="requested",
            error="",
            purpose=purpose,
            session=session,
            address=address,
        )
        sealed = _seal(new, self._cipher)
        insert = Insert(_TABLE, _COLUMNS, [(rid, account, 1, 0, 0, sealed)])
        return Prepared(new, (insert, bump(TOPIC)), (_pin(new, sealed),))

    def prepare_change(self, changed: Subscribed, *, starts: bool = False) -> Prepared[Subscribed]:
        """A subscription as it shall be: one that was read, with fields replaced.

        ``starts``: what happened before is not told any more (``$events`` still has it).
        """
        new = replace(changed, revision=changed.revision + 1)
        sealed = _seal(new, self._cipher)
        steps: list[Step] = [Change(_CHANGE, [(new.revision, sealed, new.rid, changed.revision)], expect=1)]
        if starts:
            steps.append(Change(_START, [(new.rid,)], expect=1))
        return Prepared(new, (*steps, bump(TOPIC)), (_pin(new, sealed),))

    def prepare_remove(self, ended: Subscribed) -> Prepared[None]:
        """The end of a subscription."""
        steps = (
            Change(_REMOVE, [(ended.rid,)], expect=1),
            Change(_REMOVE_EVENTS, [(ended.rid,)]),
            bump(TOPIC),
        )
        return Prepared(None, steps, (Pin(_TABLE, ended.rid.hex(), b""),))

    async def events(self, of: Subscribed, first: int, last: int, limit: int) -> list[Happened]:
        """The events from number ``first`` to ``last`` that are still kept, at most ``limit``. Raises Tampered."""
        rows = await self._database.fetch(_EVENTS, (of.rid, first, last, limit))
        return [
            Happened(number, *orjson.loads(self._cipher.open(sealed, _event_place(of.rid, number))))
            for number, sealed in rows
        ]

    async def mark_delivered(self, of: Subscribed, number: int) -> None:
        """Events up to ``number`` were told."""
        await self._database.commit([Change(_DELIVERED, [(number, of.rid, number)])])

    async def next_entry(self, start: int) -> int:
        """The index of the first ledger entry that was not read yet; ``start`` when nothing was ever read."""
        row = await self._database.fetch_one(_NEXT, (READER,))
        if row is None:
            insert = Insert("ledger_reader", ("name", "next"), [(READER, start)], ignore_existing=True)
            await self._database.commit([insert])
            return start
        return int(row[0])

    async def advance(self, found: Sequence[tuple[Subscribed, Sequence[Happened]]], start: int, end: int) -> None:
        """Number the events that were found in the ledger's entries from ``start`` to ``end`` (exclusive), in one unit.

        Raises Conflict when somebody else was first, with the reading or with one of the subscriptions.
        """
        steps: list[Step] = [Change(_ADVANCE, [(end, READER, start)], expect=1)]
        for subscribed, events in found:
            rid, last = subscribed.rid, events[-1].number
            rows = [(rid, event.number, self._sealed_event(rid, event)) for event in events]
            steps += [
                Change(_COUNT_UP, [(last, rid, subscribed.events)], expect=1),
                Insert("subscription_event", ("subscription", "number", "sealed"), rows),
                Change(_PRUNE, [(rid, last - KEPT_EVENTS)]),
            ]
        if found:
            steps.append(bump(TOPIC))
        await self._database.commit(steps)

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for rows in self._database.stream("SELECT id, sealed FROM subscription"):
            for rid, sealed in rows:
                yield rid.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        async for rows in self._database.stream(_ROWS):
            for row in rows:
                try:
                    _unseal(row, self._cipher)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{row[0].hex()}", str(error))

    def _sealed_event(self, rid: bytes, event: Happened) -> bytes:
        content = orjson.dumps((event.type, event.id, event.version, event.at_ms))
        return self._cipher.seal(content, _event_place(rid, event.number))


def _seal(of: Subscribed, cipher: Cipher) -> bytes:
    session = of.session
    content = orjson.dumps((of.id, of.status, of.error, of.purpose.value, session.session, session.kept(), of.address))
    return cipher.seal(content, associated_data(_TABLE, of.rid, of.account, of.revision))


def _unseal(row: Row, cipher: Cipher) -> Subscribed:
    rid, account, revision, events, delivered, sealed = row
    content = orjson.loads(cipher.open(sealed, associated_data(_TABLE, rid, account, revision)))
    id_, status, error, purpose, session, facts, address = content
    return Subscribed(
        rid=rid,
        account=account,
        revision=revision,
        events=events,
        delivered=delivered,
        id=id_,
        status=status,
        error=error,
        purpose=Purpose(purpose),
        session=Session.read(session, 0, facts),
        address=address,
    )


def _event_place(rid: bytes, number: int) -> bytes:
    return associated_data("subscription_event", rid, number)


def _pin(of: Subscribed, sealed: bytes) -> Pin:
    return Pin(_TABLE, of.rid.hex(), hashlib.sha256(sealed).digest())

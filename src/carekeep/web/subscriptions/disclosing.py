"""Telling a subscriber: who that is now, what they may see now, and the entry that says what they were told."""

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from carekeep.access import Action, Decision
from carekeep.audit import Agent, Entry, Outcome, What
from carekeep.encryption import KeyDestroyed
from carekeep.identity import Principal
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.storage import Prepared
from carekeep.web.obligations import abide
from carekeep.web.outliving import principal_now
from carekeep.web.passage import target_of, together, what_of
from carekeep.web.recipients import recipient_of
from carekeep.web.services import Services
from carekeep.web.subscriptions.notifications import Event, NoticeType, Standing, notification
from carekeep.web.subscriptions.orders import Content, Order
from carekeep.web.subscriptions.table import Happened, Subscribed

NOTIFY = "fhir:subscription:notify"
"""What the ledger calls the telling of an event."""

_LARGEST = 4 * 1024 * 1024  # bytes of records in one notification, unless a single one is larger


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification that may leave. ``last`` is the number of its last event; ``headers`` name its ledger entry."""

    body: bytes = field(repr=False)
    last: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    event: Event
    decision: Decision | None


class Discloser:
    """Makes notifications, for one process. ``random`` gives bytes for ids."""

    def __init__(self, services: Services, random: Callable[[int], bytes] = os.urandom) -> None:
        self._services = services
        self._random = random

    async def subscriber(self, of: Subscribed) -> Principal | None:
        """The subscriber as they are now; None when that is over. Raises Tampered."""
        return await principal_now(self._services, of.account, of.session)

    async def decide(self, of: Subscribed, principal: Principal, stored: Stored) -> Decision:
        """Whether the subscriber may read a record, now and for the purpose for which they subscribed."""
        return await self._services.guard.decide(principal, Action.READ, target_of(stored), of.purpose, of.address)

    async def notice(
        self, kind: NoticeType, of: Subscribed, order: Order, principal: Principal, events: Sequence[Happened] = (),
        content: Content | None = None,
    ) -> Notice:  # fmt: skip
        """A notification about ``events``; what it discloses is in the ledger when this returns.

        It may hold fewer events than were given, never none of them. Raises StorageError, and Conflict.
        """
        told = await self._told(of, principal, events)
        headers = await self._record(of, order, principal, told) if told else ()
        body = notification(
            kind,
            Standing(of.reference, order.topic.url, of.status, of.events, of.error),
            [each.event for each in told],
            content or order.content,
            fhir_url=self._services.fhir_url,
            now_ms=self._services.clock(),
            uuids=(self._uuid(), self._uuid()),
        )
        return Notice(body, told[-1].event.number if told else of.delivered, headers)

    async def _told(self, of: Subscribed, principal: Principal, events: Sequence[Happened]) -> list[_Told]:
        told: list[_Told] = []
        size = 0
        for happened in events:
            told.append(await self._tell(of, principal, happened))
            focus = told[-1].event.focus
            size += len(focus.body) if focus else 0
            if size > _LARGEST:
                break
        return told

    async def _tell(self, of: Subscribed, principal: Principal, happened: Happened) -> _Told:
        """One event, with its record if that may be seen. The current version is decided too: labels may have risen."""
        vault = self._services.vault
        hidden = Event(happened.number, happened.at_ms, None)
        try:
            current = await vault.read(happened.type, happened.id)
            focus = current
            if current.version != happened.version:
                focus = await vault.read_version(happened.type, happened.id, happened.version)
        except (NotFound, Forgotten, KeyDestroyed):
            return _Told(hidden, None)
        decision = await self.decide(of, principal, focus)
        if decision.permitted and focus is not current:
            focus = abide(decision, focus)
            decision = await self.decide(of, principal, current)
        return _Told(replace(hidden, focus=abide(decision, focus)) if decision.permitted else hidden, decision)

    async def _record(
        self, of: Subscribed, order: Order, principal: Principal, told: Sequence[_Told]
    ) -> tuple[tuple[str, str], ...]:
        """The entry of what is told, and one of what is withheld."""
        request_id = self._random(8).hex()
        shown = [each for each in told if each.event.focus is not None]
        focuses = [each.event.focus for each in shown if each.event.focus is not None]
        denied = [each.decision for each in told if each.decision is not None and not each.decision.permitted]
        numbers = f"events {told[0].event.number} to {told[-1].event.number}"
        entry_id = await self._services.ledger.record(
            self._entry(
                of,
                principal,
                "permitted",
                request_id,
                decision=together([each.decision for each in shown if each.decision is not None]),
                focuses=focuses,
                query=numbers,
                recipient=_recipient(order, principal, focuses),
            )
        )
        if denied:
            await self._services.ledger.record(
                self._entry(of, principal, "denied", request_id, decision=denied[0], focuses=(), query=numbers)
            )
        return (("X-Request-Id", request_id), ("X-Ledger-Entry", entry_id.hex()))

    def _entry(
        self,
        of: Subscribed,
        principal: Principal,
        outcome: Outcome,
        request_id: str,
        *,
        decision: Decision | None,
        focuses: Sequence[Stored],
        query: str,
        recipient: str | None = None,
    ) -> Entry:
        return Entry(
            action=NOTIFY,
            agent=Agent(account=principal.account_id, role=principal.kind, who=principal.fhir_user, app=principal.app),
            purpose=of.purpose,
            outcome=outcome,
            what=(What(of.reference), *map(what_of, focuses)),
            patients=tuple(dict.fromkeys(patient for focus in focuses for patient in focus.patients)),
            query=query,
            policies=decision.policies if decision else (),
            reason=decision.reason if decision else "nothing of the records is told",
            request_id=request_id,
            at_ms=self._services.clock(),
            recipient=recipient,
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random(16), version=4))


def _recipient(order: Order, principal: Principal, focuses: Sequence[Stored]) -> str | None:
    """Who outside is told: the host of a rest-hook, whoever runs it; else it follows from who subscribed."""
    if focuses and order.endpoint is not None:
        return f"the server {order.endpoint.authority}"
    return recipient_of(principal, "permitted", tuple(map(what_of, focuses)))


async def change_status(
    services: Services, of: Subscribed, status: str, reason: str, *beside: Prepared[None] | Prepared[Subscribed]
) -> None:
    """Write a status that the server found out into the Subscription record, together with the change of its row.

    ``reason`` is for people; with the status ``error`` it becomes the record's error. Raises Conflict when the
    subscriber changes the record at this moment.
    """
    draft = services.vault.draft()
    what = What(of.reference)
    prepared: list[Prepared[object]] = []
    current, place = await services.vault.locate("Subscription", of.id)
    if not current.deleted:
        resource = {name: value for name, value in current.resource.items() if name != "error"}
        resource |= {"status": status} | ({"error": reason} if status == "error" else {})
        what = what_of(await draft.update(resource, current, place))
        prepared.append(draft.prepared())
    entry = Entry(
        action=Action.UPDATE,
        agent=Agent(account="", role="server", on_behalf_of=of.reference),
        purpose=of.purpose,
        outcome="permitted",
        what=(what,),
        reason=f"Subscription {status}: {reason}",
        request_id=os.urandom(8).hex(),
        at_ms=services.clock(),
    )
    await services.ledger.record(entry, *prepared, *beside)

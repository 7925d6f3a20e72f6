"""One request's way: who asks, what the policies say, what the ledger holds, and only then the answer."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

from carekeep.access import Action, Decision, Purpose, PurposeUnknown, Target, default_purpose
from carekeep.audit import Agent, Entry, EntryId, Outcome, What
from carekeep.fhir import Issue
from carekeep.identity import Kind, Principal, TokenRefused
from carekeep.records import Stored
from carekeep.storage import Prepared
from carekeep.web.http import Request
from carekeep.web.problems import Problem, problem
from carekeep.web.services import Services

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Passage:
    """The way of one request through identity, access and audit.

    Routes ask it to decide and to record; nothing else in the web talks to the ledger. ``entry_id`` is the last
    entry that was made durable for this request.
    """

    __slots__ = ("agent", "entry_id", "principal", "purpose", "request", "request_id", "services")

    principal: Principal
    purpose: Purpose

    def __init__(self, services: Services, request: Request) -> None:
        self.services = services
        self.request = request
        self.agent = Agent(account="", role="unknown", address=request.address)
        self.entry_id: EntryId | None = None
        given = request.headers.get(b"x-request-id", b"").decode("latin-1")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()

    def within(self, request: Request) -> "Passage":
        """The passage of a request that came inside of this one: the same person, purpose and request id."""
        inner = Passage(self.services, request)
        inner.agent, inner.principal, inner.purpose = self.agent, self.principal, self.purpose
        inner.request_id = self.request_id
        return inner

    async def authenticate(self, action: Action) -> Principal:
        """Who is asking. A request without a good token is refused, and that is recorded too."""
        if hasattr(self, "principal"):
            return self.principal
        try:
            self.principal = await self.services.tokens.authenticate(self._bearer())
        except TokenRefused as refused:
            await self.record(action, "denied", reason=refused.reason)
            raise
        self.describe(self.principal)
        self.purpose = self._purpose()
        return self.principal

    @property
    def is_unrecorded(self) -> bool:
        """Whether somebody who is known asked, and no entry says so yet."""
        return hasattr(self, "principal") and self.entry_id is None

    def _bearer(self) -> str:
        header = self.request.headers.get(b"authorization", b"")
        if header[:7].lower() != b"bearer " or not header.isascii():
            raise TokenRefused("no bearer token")
        return header[7:].decode("ascii")

    def describe(self, principal: Principal) -> None:
        """Act as this person from here on."""
        self.agent = Agent(
            account=principal.account_id,
            role=principal.kind,
            who=principal.fhir_user,
            session=principal.session,
            device=None,
            address=self.request.address,
            app=principal.app,
            on_behalf_of=None,
        )

    def suspect(self, account_id: str | None) -> None:
        """Somebody who was not let in; the account that was tried, if there is one."""
        self.agent = Agent(account=account_id or "", role="unknown", address=self.request.address)

    def _purpose(self) -> Purpose:
        given = self.request.header(b"x-purpose-of-use")
        if given is None:
            return default_purpose(self.principal.kind)
        try:
            return Purpose.parse(given)
        except PurposeUnknown as error:
            raise problem(400, "value", str(error)) from None

    async def judge(self, action: Action, target: Target) -> Decision:
        """What the policies say about this person, this action and this target, now."""
        return await self.services.guard.decide(self.principal, action, target, self.purpose)

    async def patients_in_sight(self) -> frozenset[str] | None:
        """The patients whose records a search looks at when it names none; None where relations do not count."""
        principal = self.principal
        if principal.kind is Kind.PATIENT:
            return frozenset({(principal.fhir_user or "").removeprefix("Patient/")})
        if principal.kind is not Kind.PRACTITIONER:
            return None
        opened = {grant.patient for grant in await self.services.break_glass.open_for(principal)}
        return await self.services.relationships.panel(principal) | opened

    async def demand(self, action: Action, target: Target, *, what: tuple[What, ...] = ()) -> Decision:
        """Like ``judge``, but a denial is recorded and raised as 403 with its reason."""
        decision = await self.judge(action, target)
        if not decision.permitted:
            await self.record(action, "denied", decision=decision, what=what, patients=target.patients)
            raise denied(decision)
        return decision

    async def record(
        self,
        action: str,
        outcome: Outcome,
        *prepared: Prepared[Any],
        decision: Decision | None = None,
        what: tuple[What, ...] = (),
        patients: Iterable[str] = (),
        query: str | None = None,
        reason: str = "",
    ) -> None:
        """Make the entry durable, and with it whatever was prepared. Raises Conflict and then nothing happened."""
        self.entry_id = await self.services.ledger.record(
            Entry(
                action=action,
                agent=self.agent,
                purpose=getattr(self, "purpose", ""),
                outcome=outcome,
                what=what,
                patients=tuple(patients),
                query=query,
                policies=decision.policies if decision else (),
                reason=decision.reason if decision else reason,
                risk=0,
                request_id=self.request_id,
                at_ms=self.services.clock(),
            ),
            *prepared,
        )

    def trace(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers by which the client can find its request in the ledger."""
        headers = ((b"x-request-id", self.request_id.encode()),)
        if self.entry_id is None:
            return headers
        return (*headers, (b"x-ledger-entry", self.entry_id.hex().encode()))


def target_of(stored: Stored) -> Target:
    """What the policies see of a record."""
    return Target(stored.type, stored.patients, stored.labels)


def what_of(stored: Stored) -> What:
    """How the ledger names a version."""
    return What(stored.reference, stored.version)


def denied(decision: Decision) -> Problem:
    """The 403 of a denial: its reason, and the policies that made it."""
    policies = f" (policies: {', '.join(decision.policies)})" if decision.policies else ""
    return Problem(403, Issue("error", "forbidden", "", decision.reason + policies))


def together(decisions: Sequence[Decision]) -> Decision | None:
    """One decision to write down for several: all were permitted, by these policies, for these reasons."""
    if not decisions:
        return None
    if len(decisions) == 1:
        return decisions[0]
    policies = tuple(dict.fromkeys(policy for decision in decisions for policy in decision.policies))
    reasons = dict.fromkeys(decision.reason for decision in decisions)
    return Decision(permitted=True, policies=policies, reason=" ".join(reasons))

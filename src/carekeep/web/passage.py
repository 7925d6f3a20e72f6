"""One request's way: who asks, what the policies say, what the ledger holds, and only then the answer."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from carekeep.access import Action, Decision, Purpose, PurposeUnknown, Target, default_purpose, needs_content
from carekeep.access.sharing import is_guest_token
from carekeep.audit import Agent, Entry, EntryId, Outcome, What
from carekeep.identity import Kind, Principal, TokenRefused
from carekeep.identity.apps.proofs import ProofRefused
from carekeep.records import Stored
from carekeep.storage import Conflict, Prepared
from carekeep.web.denials import denied
from carekeep.web.http import Request
from carekeep.web.presenting import Presented, ProofUse, challenge, presented, prove
from carekeep.web.problems import problem
from carekeep.web.recipients import recipient_of
from carekeep.web.services import Services

_MOST_SEEN = 20  # of different decisions in one entry that the ledger keeps what policies saw
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Passage:
    """The way of one request through identity, access and audit.

    Routes ask it to decide and to record; nothing else in the web talks to the ledger. ``entry_id`` is the last
    entry that was made durable for this request.
    """

    __slots__ = ("_use", "agent", "entry_id", "principal", "purpose", "request", "request_id", "services")

    principal: Principal
    purpose: Purpose

    def __init__(self, services: Services, request: Request) -> None:
        self.services = services
        self.request = request
        self.agent = Agent(account="", role="unknown", address=request.address)
        self.entry_id: EntryId | None = None
        self._use = ProofUse()
        given = request.headers.get(b"x-request-id", b"").decode("latin-1")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()

    def within(self, request: Request) -> "Passage":
        """The passage of a request that came inside of this one: the same person, purpose and request id."""
        inner = Passage(self.services, request)
        inner.agent, inner.principal, inner.purpose = self.agent, self.principal, self.purpose
        inner.request_id, inner._use = self.request_id, self._use
        return inner

    async def authenticate(self, action: Action) -> Principal:
        """Who is asking. A request without a good token is refused, and that is recorded too."""
        if hasattr(self, "principal"):
            return self.principal
        shown: Presented | None = None
        try:
            shown = presented(self.request)
            self.principal = await self._proven(shown, await self._holder(shown.token))
        except (TokenRefused, ProofRefused) as refused:
            await self.record(action, "denied", reason=refused.reason)
            raise challenge(refused, shown, self.services.proofs.nonce()) from None
        self.describe(self.principal)
        if (patient := await self.services.relationships.acts_for(self.principal)) is not None:
            self.agent = replace(self.agent, on_behalf_of=f"Patient/{patient}")
        self.purpose = self._purpose()
        return self.principal

    async def _holder(self, token: str) -> Principal:
        """Who holds a token: somebody with an account, or a guest. Raises TokenRefused."""
        if is_guest_token(token):
            return await self.services.sharing.guests.authenticate(token)
        return await self.services.tokens.authenticate(token)

    @property
    def is_unrecorded(self) -> bool:
        """Whether somebody who is known asked, and no entry says so yet."""
        return hasattr(self, "principal") and self.entry_id is None

    async def _proven(self, shown: Presented, principal: Principal) -> Principal:
        """The principal of a token, once the request proves what the token is bound to."""
        self.suspect(principal.account_id)
        services = self.services
        base_url = services.fhir_url.removesuffix("/fhir")
        proven = await prove(services.proofs, base_url, self.request, shown, principal.binding)
        self._use = ProofUse(proven, proven.nonce if proven else None)
        return principal

    def describe(self, principal: Principal) -> None:
        """Act as this person from here on."""
        self.agent = Agent(
            account=principal.account_id,
            role=principal.kind,
            who=principal.fhir_user,
            session=principal.session,
            device=principal.device.id if principal.device else None,
            address=self.request.address,
            app=principal.app,
            on_behalf_of=principal.delegation.via if principal.delegation else None,
        )

    def suspect(self, account_id: str | None) -> None:
        """Somebody who was not let in; the account that was tried, if there is one."""
        self.agent = Agent(account=account_id or "", role="unknown", address=self.request.address)

    def _purpose(self) -> Purpose:
        given = self.request.header(b"x-purpose-of-use")
        delegation = self.principal.delegation
        stated = (delegation.purpose or "").split() if delegation else []
        if given is None:
            return Purpose(stated[0]) if stated else default_purpose(self.principal.kind)
        try:
            purpose = Purpose.parse(given)
        except PurposeUnknown as error:
            raise problem(400, "value", str(error)) from None
        if stated and purpose not in stated:
            raise problem(403, "forbidden", "The app stated other purposes of use when it was given its token.")
        return purpose

    async def judge(self, action: Action, target: Target, *, found: bool = False) -> Decision:
        """What the policies say about this person, this action and this target, now.

        ``found``: a search came upon the target, or would.
        """
        address = self.request.address
        return await self.services.guard.decide(self.principal, action, target, self.purpose, address, found=found)

    def target_of(self, stored: Stored) -> Target:
        """What decisions for this person depend on, of a record: records for which it is equal are decided alike."""
        if needs_content(self.principal) or self.services.guard.consents_need_content(stored.patients):
            return target_of(stored)
        return Target(stored.type, stored.patients, stored.labels)

    async def patients_in_sight(self) -> frozenset[str] | None:
        """The patients whose records a search looks at when it names none; None where relations do not count."""
        principal = self.principal
        if principal.kind is Kind.PATIENT:
            return await self.services.relationships.panel(principal)
        if principal.kind is Kind.GUEST:
            return frozenset({(principal.delegation.patient or "") if principal.delegation else ""})
        if principal.kind is not Kind.PRACTITIONER:
            return None
        opened = {grant.patient for grant in await self.services.break_glass.open_for(principal)}
        return await self.services.relationships.panel(principal) | opened

    async def demand(self, action: Action, target: Target, *, what: tuple[What, ...] = ()) -> Decision:
        """Like ``judge``, but a denial is recorded and raised with its reason: 403, or 401 (see ``denials``)."""
        decision = await self.judge(action, target)
        if not decision.permitted:
            await self.record(action, "denied", decision=decision, what=what, patients=target.patients)
            raise denied(decision, self.principal)
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
        recipient: str | None = None,
    ) -> None:
        """Make the entry durable, and with it whatever was prepared. Raises Conflict and then nothing happened.

        ``recipient`` is who outside of the organization receives what is answered or sent; else it follows from who
        asks (``recipients``).
        The first entry uses up the request's proof. If that was used before, the denial is recorded and raised (401).
        """
        entry = Entry(
            action=action,
            agent=self.agent,
            purpose=getattr(self, "purpose", ""),
            outcome=outcome,
            what=what,
            patients=tuple(patients),
            query=query,
            policies=decision.policies if decision else (),
            reason=decision.reason if decision else reason,
            risk=self._risk(),
            request_id=self.request_id,
            at_ms=self.services.clock(),
            seen=decision.seen if decision else (),
            trial=decision.trial if decision else "",
            consents=decision.consents if decision else (),
            recipient=recipient or self._recipient(outcome, what),
        )
        await self._commit(entry, prepared)

    async def _commit(self, entry: Entry, prepared: Sequence[Prepared[Any]]) -> None:
        use, ledger = self._use, self.services.ledger
        if use.unused is not None:
            async with use.turn:  # entries of a batch come at once: none may go ahead of the one that uses up the proof
                if await self._used_up(use, entry, prepared):
                    return
        if not use.is_replay:
            self.entry_id = await ledger.record(entry, *prepared)
            return
        refused = ProofRefused("the proof was used before")
        self.entry_id = await ledger.record(replace(entry, outcome="denied", policies=(), reason=refused.reason))
        raise challenge(refused, presented(self.request), self.services.proofs.nonce())

    async def _used_up(self, use: ProofUse, entry: Entry, prepared: Sequence[Prepared[Any]]) -> bool:
        """Whether the entry became durable, and the proof was used up by it; otherwise somebody had used it before."""
        unused = use.unused
        if unused is None:  # meanwhile
            return False
        try:
            self.entry_id = await self.services.ledger.record(entry, *prepared, unused.once)
        except Conflict:
            if not await self.services.proofs.is_replay(unused):
                raise
            use.is_replay = True
        use.unused = None
        return not use.is_replay

    def _recipient(self, outcome: Outcome, what: tuple[What, ...]) -> str | None:
        """Who outside receives this answer."""
        return recipient_of(self.principal, outcome, what) if hasattr(self, "principal") else None

    def _risk(self) -> int:
        """The risk that decisions see at this moment; of somebody who is not known, nothing is."""
        if not hasattr(self, "principal"):
            return 0
        return self.services.guard.risk_of(self.principal, self.request.address)

    def trace(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers by which the client can find its request in the ledger."""
        headers: tuple[tuple[bytes, bytes], ...] = ((b"x-request-id", self.request_id.encode()),)
        if self._use.nonce is not None:
            headers = (*headers, (b"dpop-nonce", self._use.nonce.encode()))
        if self.entry_id is None:
            return headers
        return (*headers, (b"x-ledger-entry", self.entry_id.hex().encode()))


def target_of(stored: Stored) -> Target:
    """What decisions depend on, of a record. Of a deleted one there is no content left to go by."""
    return Target(stored.type, stored.patients, stored.labels, None if stored.deleted else stored)


def what_of(stored: Stored) -> What:
    """How the ledger names a version."""
    return What(stored.reference, stored.version)


def together(decisions: Sequence[Decision]) -> Decision | None:
    """One decision to write down for several: all were permitted, by these policies, for these reasons."""
    if not decisions:
        return None
    if len(decisions) == 1:
        return decisions[0]
    return Decision(
        permitted=True,
        policies=tuple(dict.fromkeys(policy for decision in decisions for policy in decision.policies)),
        reason=" ".join(dict.fromkeys(decision.reason for decision in decisions)),
        seen=tuple(dict.fromkeys(seen for decision in decisions for seen in decision.seen))[:_MOST_SEEN],
        trial="; ".join(dict.fromkeys(decision.trial for decision in decisions if decision.trial)),
        consents=tuple(dict.fromkeys(consent for decision in decisions for consent in decision.consents)),
    )

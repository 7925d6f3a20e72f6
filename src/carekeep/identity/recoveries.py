"""Recovery: somebody who has lost every way to sign in is let in anew by two administrators.

One opens it with a reason, another one approves it within a day, and only then there is an invitation. Neither of them
is the person concerned, who is told of both steps. So one administrator alone, or one stolen administrator's session,
takes over nobody's account (OWASP ASVS 5.0, 2.3.5).
"""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

import orjson

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.identity.account import ID_LENGTH, Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import IdentityError
from carekeep.identity.invitations import Invitations, IssuedInvitation
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, system_clock

LIFETIME_MS = 24 * 3600 * 1000
_TABLE = "recovery"
_COLUMNS = ("id", "account", "expires_ms", "revision", "sealed")
_SHORTEST_REASON, _LONGEST_REASON = 10, 500
_LISTED = 200

_ROWS = "SELECT id, account, expires_ms, revision, sealed FROM recovery"
_BY_ID = f"{_ROWS} WHERE id = $1"
_OF_ACCOUNT = f"{_ROWS} WHERE account = $1 AND expires_ms > $2"
_NEWEST = f"{_ROWS} ORDER BY expires_ms DESC LIMIT $1"
_CHANGE = "UPDATE recovery SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"


class RecoveryRefused(IdentityError):
    """A recovery cannot be opened or decided like this; the message says why."""


class RecoveryState(StrEnum):
    """How far it is; one that is open at its end was never decided."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One recovery. ``id`` and ``account``: 16 bytes; ``opened_by`` and ``decided_by``: ids of administrators.

    It can be decided until ``expires_ms`` (milliseconds since 1970, UTC).
    """

    id: bytes
    account: bytes
    opened_by: bytes
    opened_ms: int
    expires_ms: int
    reason: str = field(repr=False)
    state: RecoveryState = RecoveryState.OPEN
    decided_by: bytes | None = None
    revision: int = 1


class Recoveries:
    """Opens and decides recoveries. A conflict at commit: somebody else decided it at this moment."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        accounts: Accounts,
        invitations: Invitations,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._cipher = keyring.rows
        self._accounts = accounts
        self._invitations = invitations
        self._clock = clock
        self._random = random

    async def prepare_open(self, account: Account, by: Account, reason: str) -> Prepared[Recovery]:
        """A recovery that another administrator can approve within 24 hours. Raises RecoveryRefused."""
        _require_other_administrator(by, account.id)
        if account.kind is Kind.APP or account.disabled:
            raise RecoveryRefused("Only people's accounts that are not disabled are recovered.")
        text = reason.strip()
        if not _SHORTEST_REASON <= len(text) <= _LONGEST_REASON or not text.isprintable():
            raise RecoveryRefused(f"Write a reason of {_SHORTEST_REASON} to {_LONGEST_REASON} printable characters.")
        now = self._clock()
        for row in await self._database.fetch(_OF_ACCOUNT, (account.id, now)):
            if self._open(row).state is RecoveryState.OPEN:
                raise RecoveryRefused("A recovery of this account is open already: approve or reject that one.")
        recovery = Recovery(self._random(ID_LENGTH), account.id, by.id, now, now + LIFETIME_MS, text)
        sealed = self._seal(recovery)
        row = (recovery.id, recovery.account, recovery.expires_ms, recovery.revision, sealed)
        return Prepared(recovery, (Insert(_TABLE, _COLUMNS, [row]),), (_pin(recovery, sealed),))

    async def prepare_approve(self, recovery: Recovery, by: Account) -> Prepared[IssuedInvitation]:
        """The invitation, when a second administrator agrees. Raises RecoveryRefused, InvitationRefused."""
        _require_other_administrator(by, recovery.account)
        self._require_open(recovery)
        if by.id == recovery.opened_by:
            raise RecoveryRefused("Who opened a recovery cannot approve it: another administrator must.")
        opener = await self._accounts.get(recovery.opened_by)
        if opener is None or opener.disabled or opener.kind is not Kind.ADMINISTRATOR:
            raise RecoveryRefused("Who opened this recovery is no administrator any more. Open a new one.")
        account = await self._accounts.get(recovery.account)
        if account is None:
            raise RecoveryRefused("The account does not exist.")
        issued = await self._invitations.prepare_recover(account, by.id.hex(), recovery.id.hex())
        decided = self._decide(recovery, RecoveryState.APPROVED, by)
        return Prepared(issued.value, (*decided.steps, *issued.steps), (*decided.pins, *issued.pins))

    def prepare_reject(self, recovery: Recovery, by: Account) -> Prepared[Recovery]:
        """The end of an open recovery; who opened it may take it back. Raises RecoveryRefused."""
        if by.kind is not Kind.ADMINISTRATOR or by.disabled:
            raise RecoveryRefused("Only administrators decide recoveries.")
        self._require_open(recovery)
        return self._decide(recovery, RecoveryState.REJECTED, by)

    async def get(self, id_: bytes) -> Recovery | None:
        """The recovery with this id. Raises Tampered."""
        row = await self._database.fetch_one(_BY_ID, (id_,))
        return None if row is None else self._open(row)

    async def newest(self) -> tuple[Recovery, ...]:
        """The newest 200. Raises Tampered."""
        return tuple(map(self._open, await self._database.fetch(_NEWEST, (_LISTED,))))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT id, sealed FROM recovery"):
            for id_, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                try:
                    self._open(row)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{row[0].hex()}", str(error))

    def _require_open(self, recovery: Recovery) -> None:
        if recovery.state is not RecoveryState.OPEN:
            raise RecoveryRefused(f"The recovery is {recovery.state} already.")
        if recovery.expires_ms <= self._clock():
            raise RecoveryRefused("The recovery was not decided within a day. Open a new one.")

    def _decide(self, recovery: Recovery, state: RecoveryState, by: Account) -> Prepared[Recovery]:
        decided = replace(recovery, state=state, decided_by=by.id, revision=recovery.revision + 1)
        sealed = self._seal(decided)
        row = (decided.revision, sealed, decided.id, recovery.revision)
        return Prepared(decided, (Change(_CHANGE, [row], expect=1),), (_pin(decided, sealed),))

    def _seal(self, recovery: Recovery) -> bytes:
        content = {
            "opened_by": recovery.opened_by.hex(),
            "opened_ms": recovery.opened_ms,
            "reason": recovery.reason,
            "state": recovery.state,
            "decided_by": recovery.decided_by.hex() if recovery.decided_by else None,
        }
        place = _place(recovery.id, recovery.account, recovery.expires_ms, recovery.revision)
        return self._cipher.seal(orjson.dumps(content), place)

    def _open(self, row: Row) -> Recovery:
        id_, account, expires_ms, revision, sealed = row
        content = orjson.loads(self._cipher.open(sealed, _place(id_, account, expires_ms, revision)))
        decided_by = content["decided_by"]
        return Recovery(
            id=id_,
            account=account,
            opened_by=bytes.fromhex(content["opened_by"]),
            opened_ms=content["opened_ms"],
            expires_ms=expires_ms,
            reason=content["reason"],
            state=RecoveryState(content["state"]),
            decided_by=bytes.fromhex(decided_by) if decided_by else None,
            revision=revision,
        )


def _require_other_administrator(by: Account, account_id: bytes) -> None:
    if by.kind is not Kind.ADMINISTRATOR or by.disabled:
        raise RecoveryRefused("Only administrators open and decide recoveries.")
    if by.id == account_id:
        raise RecoveryRefused("Nobody takes part in the recovery of their own account.")


def _pin(recovery: Recovery, sealed: bytes) -> Pin:
    return Pin(_TABLE, recovery.id.hex(), hashlib.sha256(sealed).digest())


def _place(id_: bytes, account: bytes, expires_ms: int, revision: int) -> bytes:
    return associated_data(_TABLE, id_, account, expires_ms, revision)

"""Invitations: a link or a code, good once, by which somebody sets up how to sign in, or a device its key.

What is handed out has 256 random bits and is kept as its hash. Nobody chooses a password for somebody else (OWASP ASVS
5.0, 6.4.6): an administrator makes an invitation, and the person who follows it decides.
"""

import base64
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

import orjson

from carekeep.encryption import Keyring, Secret, Tampered, associated_data
from carekeep.identity.account import Account, Kind
from carekeep.identity.errors import IdentityError
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, Step, system_clock

HOUR_MS = 3600 * 1000
_TABLE = "invitation"
_COLUMNS = ("hash", "account", "expires_ms", "sealed")
_SECRET_LENGTH = 32
_FORMAT = re.compile(r"ck[id]_[A-Za-z0-9_-]{43}")
_MOST_PURGED = 100

_ROWS = "SELECT hash, account, expires_ms, sealed FROM invitation"
_BY_HASH = f"{_ROWS} WHERE hash = $1 AND expires_ms > $2"
_OF_ACCOUNT = f"{_ROWS} WHERE account = $1"
_EXPIRED = "SELECT hash FROM invitation WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2"
_DELETE = "DELETE FROM invitation WHERE hash = $1"
_HAS_PASSKEY = "SELECT 1 FROM passkey WHERE account = $1 LIMIT 1"


class InvitationRefused(IdentityError):
    """An invitation cannot be made or used; the message says why. One that is not good is never told apart."""


class InvitationKind(StrEnum):
    """What an invitation is good for, and no other thing."""

    ACCOUNT = "account"
    DEVICE = "device"


_PREFIXES = {InvitationKind.ACCOUNT: "cki_", InvitationKind.DEVICE: "ckd_"}  # so that secret scanners know them
_LIFETIMES_MS = {InvitationKind.ACCOUNT: 72 * HOUR_MS, InvitationKind.DEVICE: 24 * HOUR_MS}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation says: for which account (id), made by whom (``by``: an account's id in hex, or ``operator``).

    ``recovery``: the id (hex) of the recovery that led to it; the person has lost the old ways of signing in, so what
    is set up with it takes their place. ``hash`` names its row.
    """

    hash: bytes
    kind: InvitationKind
    account: bytes
    by: str
    expires_ms: int
    recovery: str | None = None


@dataclass(frozen=True, slots=True)
class IssuedInvitation:
    """An invitation, and the secret that is handed out once: ``cki_…`` for the link, ``ckd_…`` for a device."""

    secret: Secret
    invitation: Invitation


class Invitations:
    """Makes, finds and uses up invitations. An account has at most one of each kind: a newer one replaces it."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    async def prepare_create(self, account: Account, by: str) -> Prepared[IssuedInvitation]:
        """An invitation for a person who has no way to sign in yet, good for 72 hours. Raises InvitationRefused."""
        _require_person(account)
        if account.has_password_way or await self._has_passkey(account):
            raise InvitationRefused(
                "The account has a way to sign in. To give it another one, two administrators open a recovery."
            )
        return await self._prepare(InvitationKind.ACCOUNT, account, by, None)

    async def prepare_recover(self, account: Account, by: str, recovery: str) -> Prepared[IssuedInvitation]:
        """An invitation that takes the place of what the person signed in with; ``Recoveries.prepare_approve`` asks."""
        _require_person(account)
        return await self._prepare(InvitationKind.ACCOUNT, account, by, recovery)

    async def prepare_device_code(self, account: Account, by: str) -> Prepared[IssuedInvitation]:
        """A code by which one device is enrolled for an account, good for 24 hours. Raises InvitationRefused."""
        if account.disabled:
            raise InvitationRefused("The account is disabled.")
        return await self._prepare(InvitationKind.DEVICE, account, by, None)

    async def find(self, token: str, kind: InvitationKind = InvitationKind.ACCOUNT) -> Invitation | None:
        """The invitation with this secret, if it is good and of this kind. Raises Tampered.

        The caller still looks at the account: it may be disabled by now.
        """
        if not _FORMAT.fullmatch(token) or not token.startswith(_PREFIXES[kind]):
            return None
        row = await self._database.fetch_one(_BY_HASH, (hash_of(token), self._clock()))
        found = None if row is None else self._open(row)
        return found if found is not None and found.kind is kind else None

    def prepare_use(self, invitation: Invitation) -> Prepared[None]:
        """Uses an invitation up, to be committed with what it was for. Conflict: it was used, or replaced."""
        step = Change(_DELETE, [(invitation.hash,)], expect=1)
        return Prepared(None, (step,), (_gone(invitation.hash),))

    async def prepare_withdraw(self, account_id: bytes) -> Prepared[int]:
        """The end of every invitation of an account; the value says how many."""
        rows = await self._database.fetch(_OF_ACCOUNT, (account_id,))
        return _deletion([row[0] for row in rows])

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT hash, sealed FROM invitation"):
            for hash_, sealed in batch:
                yield hash_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                try:
                    self._open(row)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{row[0].hex()}", str(error))

    async def _prepare(
        self, kind: InvitationKind, account: Account, by: str, recovery: str | None
    ) -> Prepared[IssuedInvitation]:
        token = _PREFIXES[kind] + base64.urlsafe_b64encode(self._random(_SECRET_LENGTH)).decode().rstrip("=")
        end = self._clock() + _LIFETIMES_MS[kind]
        invitation = Invitation(hash_of(token), kind, account.id, by, end, recovery)
        content = {"kind": kind, "by": by, "recovery": recovery}
        sealed = self._cipher.seal(orjson.dumps(content), _place(invitation.hash, account.id, end))
        insert = Insert(_TABLE, _COLUMNS, [(invitation.hash, account.id, end, sealed)])
        pin = Pin(_TABLE, invitation.hash.hex(), hashlib.sha256(sealed).digest())
        cleared = _deletion(await self._replaced(kind, account))
        return Prepared(IssuedInvitation(Secret(token), invitation), (*cleared.steps, insert), (*cleared.pins, pin))

    async def _replaced(self, kind: InvitationKind, account: Account) -> list[bytes]:
        """The invitations that a new one takes the place of, and some that are over anyway."""
        rows = await self._database.fetch(_OF_ACCOUNT, (account.id,))
        older = [row[0] for row in rows if self._open(row).kind is kind]
        expired = await self._database.fetch(_EXPIRED, (self._clock(), _MOST_PURGED))
        return list(dict.fromkeys([*older, *(hash_ for (hash_,) in expired)]))

    async def _has_passkey(self, account: Account) -> bool:
        return await self._database.fetch_one(_HAS_PASSKEY, (account.id,)) is not None

    def _open(self, row: Row) -> Invitation:
        hash_, account, expires_ms, sealed = row
        content = orjson.loads(self._cipher.open(sealed, _place(hash_, account, expires_ms)))
        kind = InvitationKind(content["kind"])
        return Invitation(hash_, kind, account, content["by"], expires_ms, content["recovery"])


def hash_of(token: str) -> bytes:
    """What is kept of a secret with 256 random bits: SHA-256 is enough for it."""
    return hashlib.sha256(token.encode()).digest()


def _require_person(account: Account) -> None:
    if account.kind is Kind.APP:
        raise InvitationRefused("An app does not sign in: it is given tokens, or registered as a client.")
    if account.disabled:
        raise InvitationRefused("The account is disabled. Enable it first.")


def _deletion(hashes: list[bytes]) -> Prepared[int]:
    """Their end, whoever was faster: what is gone stays gone."""
    steps: tuple[Step, ...] = (Change(_DELETE, [(hash_,) for hash_ in hashes]),) if hashes else ()
    return Prepared(len(hashes), steps, tuple(_gone(hash_) for hash_ in hashes))


def _gone(hash_: bytes) -> Pin:
    return Pin(_TABLE, hash_.hex(), b"")


def _place(hash_: bytes, account: bytes, expires_ms: int) -> bytes:
    return associated_data(_TABLE, hash_, account, expires_ms)


def invitation_link(auth_url: str, issued: IssuedInvitation) -> Secret:
    """The link for the person. What stands after the # is sent to no server, and so into no log on the way."""
    return Secret(f"{auth_url}/invitation#{issued.secret.reveal_text()}")

"""Bearer tokens and the sessions that they stand for."""

import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from carekeep.encryption import Keyring, Secret, Tampered
from carekeep.identity.account import Account, Kind, open_account
from carekeep.identity.accounts import TOPIC
from carekeep.identity.errors import IdentityError, TokenRefused
from carekeep.identity.principal import (
    Binding,
    Delegation,
    DeviceStanding,
    IssuedToken,
    Principal,
    Session,
    principal_of,
)
from carekeep.identity.token_rows import new_token, open_session, seal_session, token_hash
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, bump, system_clock

_HOUR_MS = 3600 * 1000
DEFAULT_LIFETIME_MS = 12 * _HOUR_MS
# By assurance level: NIST SP 800-63B-4, 2.1.3, 2.2.3 and 2.3.3.
_LONGEST_MS = {1: 30 * 24 * _HOUR_MS, 2: 24 * _HOUR_MS, 3: 12 * _HOUR_MS}
_LONGEST_FOR_APPS_MS = 366 * 24 * _HOUR_MS
_CACHED = 10_000
_AT_ONCE = 1_000  # tokens that are listed or purged

_COLUMNS = "SELECT hash, account, expires_ms, parent, sealed FROM access_token"
_SESSIONS = f"{_COLUMNS} WHERE account = $1 AND expires_ms > $2 ORDER BY expires_ms DESC LIMIT $3"
_EXPIRED = "SELECT hash FROM access_token WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_WITH_ACCOUNT = """
    SELECT t.account, t.expires_ms, t.parent, t.sealed, a.login_tag, a.revision, a.sealed
      FROM access_token t JOIN account a ON a.id = t.account WHERE t.hash = $1
"""
_DELETE = "DELETE FROM access_token WHERE hash = $1"
_ORPHANS = "SELECT hash FROM access_token t WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = t.account)"

T = TypeVar("T")


async def _unknown(_device: str) -> DeviceStanding | None:
    return None


class Tokens:
    """Issues, verifies and revokes bearer tokens.

    ``standing`` tells of the device with an id (hex); a token on a device that it does not know is refused.

    What was verified is cached until ``forget_cached`` (generation "accounts"); a token whose revocation was prepared
    here is not, so that this process stops with the commit.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        standing: Callable[[str], Awaitable[DeviceStanding | None]] | None = None,
    ) -> None:
        self._database = database
        self._standing = standing or _unknown
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random
        self._cached: dict[bytes, tuple[Principal, int]] = {}  # with the time of expiry; the oldest first
        self._doomed: set[bytes] = set()
        self._generation = 0

    def prepare_issue(  # noqa: PLR0913 - each is a fact of the session, and named where it is given
        self,
        account: Account,
        assurance: int,
        lifetime_ms: int = DEFAULT_LIFETIME_MS,
        *,
        authenticated_ms: int | None = None,
        methods: tuple[str, ...] = (),
        binding: Binding | None = None,
        delegation: Delegation | None = None,
        device: str | None = None,
        parent: bytes | None = None,
    ) -> Prepared[IssuedToken]:
        """A new token, good for ``lifetime_ms`` from now.

        ``assurance`` is the level of the sign-in, 1 to 3; ``authenticated_ms`` when that was (now). The rest: see
        ``Session``. Raises IdentityError when the account is disabled, the level is none, or the lifetime is longer
        than the level allows (12 hours at level 3, a day at level 2, else 30; a year for apps).
        """
        is_app = account.kind is Kind.APP
        if account.disabled or assurance not in _LONGEST_MS:
            raise IdentityError(f"The account is disabled, or there is no assurance level {assurance}.")
        if not 0 < lifetime_ms <= (_LONGEST_FOR_APPS_MS if is_app else _LONGEST_MS[assurance]):
            raise IdentityError("The token would be good for too long (or for no time).")
        bearer, now = new_token(self._random), self._clock()
        hash_ = token_hash(bearer)
        since = now if authenticated_ms is None else authenticated_ms
        end = now + lifetime_ms
        session = Session(hash_.hex(), assurance, since, end, methods, binding, delegation, device, parent)
        sealed = seal_session(session, account.id, self._cipher)
        row = (hash_, account.id, end, parent, sealed)
        insert = Insert("access_token", ("hash", "account", "expires_ms", "parent", "sealed"), (row,))
        issued = IssuedToken(Secret(bearer), principal_of(account, session), end)
        return Prepared(issued, (insert,), (Pin("access_token", hash_.hex(), hashlib.sha256(sealed).digest()),))

    async def authenticate(self, bearer: str) -> Principal:
        """Who holds this token. Raises TokenRefused; Tampered when a row was changed."""
        hash_ = token_hash(bearer)
        principal, expires_ms = self._cached.get(hash_) or await self._load(hash_)
        if expires_ms <= self._clock():
            self._cached.pop(hash_, None)
            raise TokenRefused("expired token")
        return principal

    async def principal(self, account: Account, session: Session) -> Principal:
        """Who an account is now in a session, on its device as that is now. Raises TokenRefused."""
        if account.disabled:
            raise TokenRefused("disabled account")
        device = await self._standing(session.device) if session.device else None
        if session.device and device is None:
            raise TokenRefused("its device is lost, retired or unknown")
        return principal_of(account, session, device)

    async def inspect(self, bearer: str) -> tuple[Principal, Session] | None:
        """Who holds a token, and the session behind it, as the database has it now; None where it is not good."""
        try:
            hash_ = token_hash(bearer)
            row = await self._database.fetch_one(_WITH_ACCOUNT, (hash_,))
            if row is None or row[1] <= self._clock():
                return None
            account_id, expires_ms, parent, sealed, tag, revision, sealed_account = row
            session = open_session((hash_, account_id, expires_ms, parent, sealed), self._cipher)
            account = open_account((account_id, tag, revision, sealed_account), self._cipher)
            return await self.principal(account, session), session
        except TokenRefused:
            return None

    async def sessions(self, account_id: bytes) -> tuple[Session, ...]:
        """The sessions of an account that are not over, those that last longest first; at most 1,000."""
        rows = await self._database.fetch(_SESSIONS, (account_id, self._clock(), _AT_ONCE))
        return tuple(
            open_session((hash_, account, end, parent, sealed), self._cipher)
            for hash_, account, end, parent, sealed in rows
        )

    async def prepare_revoke(self, session: str) -> Prepared[None]:
        """The end of one session, by its id; nothing when it is over already."""
        try:
            hash_ = bytes.fromhex(session)
        except ValueError:
            return Prepared(None, ())
        found = await self._database.fetch_one("SELECT 1 FROM access_token WHERE hash = $1", (hash_,))
        return self._deletion([hash_] if found else [], None)

    async def prepare_revoke_all(self, account_id: bytes) -> Prepared[int]:
        """The end of every session of an account. A conflict at commit means that one ended meanwhile: prepare anew."""
        rows = await self._database.fetch("SELECT hash FROM access_token WHERE account = $1", (account_id,))
        return self._deletion([hash_ for (hash_,) in rows], len(rows))

    async def prepare_revoke_under(self, parent: bytes) -> Prepared[int]:
        """The end of every token that came from one grant or browser session. Conflict: see ``prepare_revoke_all``."""
        rows = await self._database.fetch("SELECT hash FROM access_token WHERE parent = $1", (parent,))
        return self._deletion([hash_ for (hash_,) in rows], len(rows))

    async def prepare_purge(self, now: int) -> Prepared[int]:
        """Removes at most 1,000 tokens that expired before ``now``; the value says how many."""
        rows = await self._database.fetch(_EXPIRED, (now, _AT_ONCE))
        return self._deletion([hash_ for (hash_,) in rows], len(rows))

    def forget_cached(self) -> None:
        """To be called when generation "accounts" changes."""
        self._generation += 1
        self._cached.clear()
        self._doomed.clear()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT hash, sealed FROM access_token"):
            for hash_, sealed in batch:
                yield hash_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are, or are of no account."""
        async for batch in self._database.stream(_COLUMNS):
            for hash_, account_id, expires_ms, parent, sealed in batch:
                try:
                    open_session((hash_, account_id, expires_ms, parent, sealed), self._cipher)
                except Tampered as error:
                    yield Finding(f"access_token/{hash_.hex()}", str(error))
        async for batch in self._database.stream(_ORPHANS):
            for (hash_,) in batch:
                yield Finding(f"access_token/{hash_.hex()}", "The account of the token does not exist.")

    async def _load(self, hash_: bytes) -> tuple[Principal, int]:
        generation = self._generation
        row = await self._database.fetch_one(_WITH_ACCOUNT, (hash_,))
        if row is None:
            raise TokenRefused("unknown or revoked token")
        account_id, expires_ms, parent, sealed, tag, revision, sealed_account = row
        session = open_session((hash_, account_id, expires_ms, parent, sealed), self._cipher)
        account = open_account((account_id, tag, revision, sealed_account), self._cipher)
        found = await self.principal(account, session), expires_ms
        if generation == self._generation and hash_ not in self._doomed:
            if len(self._cached) >= _CACHED:
                del self._cached[next(iter(self._cached))]
            self._cached[hash_] = found
        return found

    def _deletion(self, hashes: list[bytes], value: T) -> Prepared[T]:
        if not hashes:
            return Prepared(value, ())
        for hash_ in hashes:
            self._doomed.add(hash_)
            self._cached.pop(hash_, None)
        steps = (Change(_DELETE, [(hash_,) for hash_ in hashes], expect=len(hashes)), bump(TOPIC))
        return Prepared(value, steps, tuple(Pin("access_token", hash_.hex(), b"") for hash_ in hashes))

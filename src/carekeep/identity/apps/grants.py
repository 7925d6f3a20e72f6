"""What people allowed apps, and the families of refresh tokens that come of it."""

import hashlib
import hmac
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace

from carekeep.encryption import Keyring, Secret, Tampered
from carekeep.identity.apps.grant import (
    Grant,
    new_handle,
    new_refresh_token,
    open_grant,
    read_refresh_token,
    seal_grant,
)
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, system_clock

_DAY_MS = 86_400_000
LONGEST_MS = 90 * _DAY_MS
LONGEST_UNUSED_MS = 30 * _DAY_MS
_AT_ONCE = 1_000  # grants that are listed, ended or purged

_TABLE = "app_grant"
_FIELDS = ("id", "account", "client", "expires_ms", "revision", "sealed")
_COLUMNS = "SELECT id, account, client, expires_ms, revision, sealed FROM app_grant"
_OF_ACCOUNT = f"{_COLUMNS} WHERE account = $1 ORDER BY id LIMIT $2"
_OF_CLIENT = f"{_COLUMNS} WHERE client = $1 ORDER BY id LIMIT $2"
_EXPIRED = f"{_COLUMNS} WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_CHANGE = "UPDATE app_grant SET expires_ms = $1, revision = $2, sealed = $3 WHERE id = $4 AND revision = $5"
_DELETE = "DELETE FROM app_grant WHERE id = $1 AND revision = $2"
_ORPHANS = "SELECT id FROM app_grant g WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = g.account)"


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant, and its new refresh token where it has one."""

    grant: Grant
    refresh_token: Secret | None


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token that somebody holds. ``is_current``: it is the newest of its family, else a copy is about."""

    grant: Grant
    handle: bytes
    is_current: bool


class Grants:
    """Every grant. Its access tokens have it as their parent and are ended by ``Tokens.prepare_revoke_under``.

    ``Grant.expires_ms`` of a grant that is told to ``prepare_give`` counts for one without a refresh token only.
    """

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

    def prepare_give(self, facts: Grant, *, refreshable: bool) -> Prepared[Granted]:
        """A new grant with an id of its own, ``facts.ends_ms`` at the latest."""
        handle, id_ = new_handle(self._random)
        now = self._clock()
        grant = replace(facts, id=id_, given_ms=now, last_used_ms=now)
        token: Secret | None = None
        if refreshable:
            token, hash_ = new_refresh_token(handle, self._random)
            grant = replace(grant, refresh=hash_, expires_ms=min(grant.ends_ms, now + LONGEST_UNUSED_MS))
        sealed = seal_grant(grant, self._cipher)
        row = (grant.id, grant.account, bytes.fromhex(grant.client), grant.expires_ms, grant.revision, sealed)
        return Prepared(Granted(grant, token), (Insert(_TABLE, _FIELDS, (row,)),), (_pin(grant, sealed),))

    async def present(self, token: str) -> Presented | None:
        """The grant of a refresh token; None where there is none (any more). Raises Tampered."""
        read = read_refresh_token(token)
        if read is None:
            return None
        handle, hash_ = read
        grant = await self.get(hashlib.sha256(handle).digest())
        if grant is None or grant.refresh is None or grant.expires_ms <= self._clock():
            return None
        return Presented(grant, handle, hmac.compare_digest(grant.refresh, hash_))

    def prepare_rotate(self, presented: Presented) -> Prepared[Granted]:
        """The next refresh token of a family. A conflict means that the presented one was used meanwhile."""
        token, hash_ = new_refresh_token(presented.handle, self._random)
        now, before = self._clock(), presented.grant
        expires_ms = min(before.ends_ms, now + LONGEST_UNUSED_MS)
        changed = self._prepare(before, replace(before, refresh=hash_, last_used_ms=now, expires_ms=expires_ms))
        return Prepared(Granted(changed.value, token), changed.steps, changed.pins)

    def prepare_use(self, grant: Grant) -> Prepared[Grant]:
        """The issue of one more token under a grant. A conflict means that it ended, or was used, meanwhile.

        Whoever issues a token under a grant changes the row, so that no end of the grant can miss the token.
        """
        return self._prepare(grant, replace(grant, last_used_ms=self._clock()))

    def prepare_end(self, grants: Sequence[Grant]) -> Prepared[int]:
        """The end of these grants; the value says how many. A conflict means that one ended, or was used, meanwhile.

        Their access tokens end by ``Tokens.prepare_revoke_under`` (or with the account): see ``ending``.
        """
        if not grants:
            return Prepared(0, ())
        delete = Change(_DELETE, [(grant.id, grant.revision) for grant in grants], expect=len(grants))
        return Prepared(len(grants), (delete,), tuple(Pin(_TABLE, grant.id.hex(), b"") for grant in grants))

    async def get(self, id_: bytes) -> Grant | None:
        """The grant with this id, over or not. Raises Tampered."""
        row = await self._database.fetch_one(f"{_COLUMNS} WHERE id = $1", (id_,))
        return None if row is None else open_grant((row[0], row[1], row[2], row[3], row[4], row[5]), self._cipher)

    async def of_account(self, account_id: bytes) -> tuple[Grant, ...]:
        """What an account's owner has allowed; at most 1,000. Raises Tampered."""
        return await self._read(_OF_ACCOUNT, account_id)

    async def of_session(self, account_id: bytes, session: bytes) -> tuple[Grant, ...]:
        """What was allowed in a session of an account's browser, and shall not outlive it. Raises Tampered."""
        return tuple(grant for grant in await self.of_account(account_id) if grant.session == session)

    async def of_client(self, client_id: str) -> tuple[Grant, ...]:
        """What a client was allowed; at most 1,000 at a time. Raises Tampered."""
        return await self._read(_OF_CLIENT, bytes.fromhex(client_id))

    async def prepare_purge(self, now: int) -> Prepared[int]:
        """Removes at most 1,000 grants that ended before ``now``; the value says how many."""
        return self.prepare_end(await self._read(_EXPIRED, now))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT id, sealed FROM app_grant"):
            for id_, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are, or are of no account."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, account, client, expires_ms, revision, sealed in batch:
                try:
                    open_grant((id_, account, client, expires_ms, revision, sealed), self._cipher)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{id_.hex()}", str(error))
        async for batch in self._database.stream(_ORPHANS):
            for (id_,) in batch:
                yield Finding(f"{_TABLE}/{id_.hex()}", "The account of the grant does not exist.")

    def _prepare(self, before: Grant, changed: Grant) -> Prepared[Grant]:
        grant = replace(changed, revision=before.revision + 1)
        sealed = seal_grant(grant, self._cipher)
        row = (grant.expires_ms, grant.revision, sealed, grant.id, before.revision)
        return Prepared(grant, (Change(_CHANGE, (row,), expect=1),), (_pin(grant, sealed),))

    async def _read(self, sql: str, key: bytes | int) -> tuple[Grant, ...]:
        rows = await self._database.fetch(sql, (key, _AT_ONCE))
        return tuple(open_grant((row[0], row[1], row[2], row[3], row[4], row[5]), self._cipher) for row in rows)


def _pin(grant: Grant, sealed: bytes) -> Pin:
    return Pin(_TABLE, grant.id.hex(), hashlib.sha256(sealed).digest())

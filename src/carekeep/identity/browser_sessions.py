"""The cookie sessions of our sites."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from carekeep.encryption import Keyring, Secret, Tampered
from carekeep.identity.account import Account, Kind, open_account
from carekeep.identity.accounts import TOPIC
from carekeep.identity.apps.codes import Code
from carekeep.identity.browser_session_rows import (
    ID_LENGTH,
    IDLE_MS,
    LONGEST_MS,
    SIGN_IN,
    BrowserSession,
    check_sealed,
    cookie_hash,
    new_cookie,
    open_browser_session,
    seal_browser_session,
)
from carekeep.identity.errors import BrowserSessionRefused, IdentityError
from carekeep.identity.signed_in import SignedIn
from carekeep.identity.user_agents import agent_in_words
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, bump, system_clock

_CACHED = 10_000
_AT_ONCE = 1_000  # sessions that are listed or purged
_SEEN_EVERY_MS = 60_000
_FIRST_REVISION = 1  # a row is never resealed

_TABLE_COLUMNS = ("hash", "account", "expires_ms", "revision", "sealed")
_WITH_ACCOUNT = """
    SELECT s.hash, s.expires_ms, s.sealed, a.id, a.login_tag, a.revision, a.sealed
      FROM browser_session s JOIN account a ON a.id = s.account
"""
_OF_ACCOUNT = f"{_WITH_ACCOUNT} WHERE s.account = $1 AND s.expires_ms > $2 ORDER BY s.expires_ms DESC LIMIT $3"
_ALL_OF_ACCOUNT = "SELECT hash FROM browser_session WHERE account = $1"
_EXPIRED = "SELECT hash FROM browser_session WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_USED = "UPDATE browser_session SET expires_ms = $1 WHERE hash = $2 AND expires_ms < $1"
_DELETE = "DELETE FROM browser_session WHERE hash = $1"
_ORPHANS = "SELECT hash FROM browser_session s WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = s.account)"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A session and its cookie, which is given to the browser once; Carekeep keeps only its hash."""

    cookie: Secret
    session: BrowserSession


class BrowserSessions:
    """Starts, verifies and ends them.

    Each sign-in and each step-up makes a new cookie, so that one that was planted before is worth nothing after. People
    sign in at one site; at the others they get sessions of their own by its word, which end with the one there. What
    was verified is cached until ``forget_cached`` (generation "accounts"). Access tokens that were issued under a
    session end with ``Tokens.prepare_revoke_under(bytes.fromhex(session.id))``: to be committed with its end.
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
        self._cached: dict[bytes, BrowserSession] = {}
        self._doomed: set[bytes] = set()
        self._generation = 0

    def prepare_start(
        self, signed_in: SignedIn, *, address: str | None, user_agent: str = "", device: str | None = None
    ) -> Prepared[StartedSession]:
        """A session for somebody who has just signed in. Raises IdentityError when the account is disabled or an app.

        ``user_agent``: the header; only a summary of it is kept. ``device``: the id (hex) of an enrolled device.
        """
        account, now = signed_in.account, self._clock()
        if account.disabled or account.kind is Kind.APP:
            raise IdentityError("The account is disabled, or not a person's.")
        cookie = new_cookie(self._random)
        session = BrowserSession(
            id=self._random(ID_LENGTH).hex(),
            account=account,
            assurance=signed_in.assurance,
            methods=signed_in.methods,
            authenticated_ms=now,
            address=address,
            agent=agent_in_words(user_agent),
            device=device,
            created_ms=now,
            end_ms=now + LONGEST_MS[signed_in.assurance],
            expires_ms=now + IDLE_MS[signed_in.assurance],
            hash=cookie_hash(cookie),
        )
        return self._insertion(session, cookie)

    def prepare_step_up(
        self, session: BrowserSession, signed_in: SignedIn, *, address: str | None
    ) -> Prepared[StartedSession]:
        """The session with a new proof of the same person, and with a new cookie; its times start anew.

        Raises IdentityError when it was somebody else, or the account is disabled. A conflict at commit means that the
        session ended meanwhile.
        """
        if signed_in.account.id != session.account.id or signed_in.account.disabled:
            raise IdentityError("Somebody else than the owner of the session signed in, or the account is disabled.")
        cookie, now = new_cookie(self._random), self._clock()
        stronger = replace(
            session,
            account=signed_in.account,
            assurance=signed_in.assurance,
            methods=signed_in.methods,
            authenticated_ms=now,
            address=address,
            end_ms=now + LONGEST_MS[signed_in.assurance],
            expires_ms=now + IDLE_MS[signed_in.assurance],
            hash=cookie_hash(cookie),
        )
        started, ended = self._insertion(stronger, cookie), self._deletion([session.hash], None)
        return Prepared(started.value, (*ended.steps, *started.steps), (*ended.pins, *started.pins))

    def prepare_enter(
        self, site: str, account: Account, code: Code, *, address: str | None, user_agent: str = ""
    ) -> Prepared[StartedSession]:
        """A session at another of our sites, by a code that the sign-in site gave for ``account``.

        It is as strong and as old as the sign-in, and lasts no longer. Raises IdentityError for a disabled account.
        """
        if account.disabled or account.kind is Kind.APP:
            raise IdentityError("The account is disabled, or not a person's.")
        cookie, now = new_cookie(self._random), self._clock()
        session = BrowserSession(
            id=self._random(ID_LENGTH).hex(),
            account=account,
            assurance=code.assurance,
            methods=code.methods,
            authenticated_ms=code.authenticated_ms,
            address=address,
            agent=agent_in_words(user_agent),
            device=code.device,
            created_ms=now,
            end_ms=code.session_ends_ms,
            expires_ms=now + IDLE_MS[code.assurance],
            hash=cookie_hash(cookie),
            site=site,
            above=code.session,
        )
        return self._insertion(session, cookie)

    async def authenticate(self, cookie: str, site: str = SIGN_IN) -> BrowserSession:
        """The session of a cookie at a site. Raises BrowserSessionRefused; Tampered when a row was changed.

        Writes down, at most each minute, that it is used.
        """
        hash_, now = cookie_hash(cookie), self._clock()
        session = self._cached.get(hash_)
        if session is None or session.is_over(now):  # another process may have seen it in use
            session = await self._load(hash_)
        if session.is_over(now):
            raise BrowserSessionRefused("the browser's session is over")
        if session.site != site:
            raise BrowserSessionRefused(f"the session is one of {session.site}, not of {site}")
        if now - session.last_seen_ms < _SEEN_EVERY_MS:
            return session
        expires_ms = now + IDLE_MS[session.assurance]
        await self._database.commit([Change(_USED, ((expires_ms, hash_),))])
        seen = replace(session, expires_ms=expires_ms)
        if hash_ in self._cached:
            self._cached[hash_] = seen
        return seen

    async def of_account(self, account_id: bytes) -> tuple[BrowserSession, ...]:
        """An account's sessions that are not over, those used last first; at most 1,000. Raises Tampered."""
        now = self._clock()
        found = await self._database.fetch(_OF_ACCOUNT, (account_id, now, _AT_ONCE))
        sessions = [self._open(row) for row in found]
        return tuple(session for session in sessions if not session.is_over(now))

    def prepare_replaced(self, session: BrowserSession) -> Prepared[None]:
        """The end of one session and of no other, since the same browser gets another one."""
        return self._deletion([session.hash], None)

    async def prepare_end(self, *sessions: BrowserSession) -> Prepared[None]:
        """The end of sessions at all our sites: of these, of those that they came from, and of what came from those.

        A conflict at commit means that one ended, or got a new cookie, meanwhile.
        """
        ended = dict.fromkeys(session.hash for session in sessions)
        for account_id in {session.account.id for session in sessions}:
            firsts = {session.first for session in sessions}
            ended |= dict.fromkeys(e.hash for e in await self.of_account(account_id) if e.first in firsts)
        return self._deletion(list(ended), None)

    async def prepare_end_all(self, account_id: bytes, *, but: BrowserSession | None = None) -> Prepared[int]:
        """The end of every session of an account; ``but`` the one from which that is asked for, and what came of it.

        The value says how many. A conflict at commit means that one ended meanwhile: prepare anew.
        """
        kept = {e.hash for e in await self.of_account(account_id) if e.first == but.first} if but else set()
        rows = await self._database.fetch(_ALL_OF_ACCOUNT, (account_id,))
        hashes = [hash_ for (hash_,) in rows if hash_ not in kept]
        return self._deletion(hashes, len(hashes))

    async def prepare_purge(self, now: int) -> Prepared[int]:
        """Removes at most 1,000 sessions that were over before ``now``; the value says how many."""
        rows = await self._database.fetch(_EXPIRED, (now, _AT_ONCE))
        return self._deletion([hash_ for (hash_,) in rows], len(rows))

    def forget_cached(self) -> None:
        """To be called when generation "accounts" changes."""
        self._generation += 1
        self._cached.clear()
        self._doomed.clear()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT hash, sealed FROM browser_session"):
            for hash_, sealed in batch:
                yield hash_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are, or are of no account."""
        async for batch in self._database.stream("SELECT hash, account, sealed FROM browser_session"):
            for hash_, account_id, sealed in batch:
                try:
                    check_sealed(hash_, account_id, sealed, self._cipher)
                except Tampered as error:
                    yield Finding(f"browser_session/{hash_.hex()}", str(error))
        async for batch in self._database.stream(_ORPHANS):
            for (hash_,) in batch:
                yield Finding(f"browser_session/{hash_.hex()}", "The account of the session does not exist.")

    async def _load(self, hash_: bytes) -> BrowserSession:
        generation = self._generation
        row = await self._database.fetch_one(f"{_WITH_ACCOUNT} WHERE s.hash = $1", (hash_,))
        if row is None:
            raise BrowserSessionRefused("unknown or ended browser's session")
        session = self._open(row)
        if session.account.disabled:
            raise BrowserSessionRefused("disabled account")
        if generation == self._generation and hash_ not in self._doomed:
            self._cached.pop(hash_, None)
            if len(self._cached) >= _CACHED:
                del self._cached[next(iter(self._cached))]
            self._cached[hash_] = session
        return session

    def _open(self, row: Row) -> BrowserSession:
        hash_, expires_ms, sealed, account_id, tag, revision, sealed_account = row
        account = open_account((account_id, tag, revision, sealed_account), self._cipher)
        return open_browser_session((hash_, expires_ms, sealed), account, self._cipher)

    def _insertion(self, session: BrowserSession, cookie: str) -> Prepared[StartedSession]:
        sealed = seal_browser_session(session, self._cipher)
        row = (session.hash, session.account.id, session.expires_ms, _FIRST_REVISION, sealed)
        insert = Insert("browser_session", _TABLE_COLUMNS, (row,))
        pin = Pin("browser_session", session.hash.hex(), hashlib.sha256(sealed).digest())
        return Prepared(StartedSession(Secret(cookie), session), (insert,), (pin,))

    def _deletion(self, hashes: list[bytes], value: T) -> Prepared[T]:
        if not hashes:
            return Prepared(value, ())
        for hash_ in hashes:
            self._doomed.add(hash_)
            self._cached.pop(hash_, None)
        steps = (Change(_DELETE, [(hash_,) for hash_ in hashes], expect=len(hashes)), bump(TOPIC))
        return Prepared(value, steps, tuple(Pin("browser_session", hash_.hex(), b"") for hash_ in hashes))

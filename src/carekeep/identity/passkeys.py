"""Passkeys: added, used, listed and removed. The ceremonies are in ``passkey_ceremonies``."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from carekeep.encryption import Keyring, Secret, Tampered
from carekeep.identity.account import Account, Kind, open_account
from carekeep.identity.errors import AccountInvalid, PasskeyCannotGo, PasskeyRefused
from carekeep.identity.passkey_ceremonies import (
    CHALLENGE_LENGTH,
    LIFETIME_MS,
    Ceremony,
    Party,
    ceremony_state,
    challenge_digest,
    read_assertion,
    read_state,
    registration_options,
    sign_in_options,
    verify_assertion,
    verify_registration,
)
from carekeep.identity.passkey_rows import Passkey, open_passkey, passkey_id, seal_passkey
from carekeep.identity.signed_in import PASSKEY_OF_ONE_DEVICE, PASSKEY_THAT_SYNCS, SignedIn
from carekeep.identity.stamps import read_stamped, stamp
from carekeep.identity.throttle import forgiven
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Step, system_clock

MOST_OF_ONE_ACCOUNT = 20
_REGISTRATION, _SIGN_IN, _STEP_UP = "registration", "sign-in", "step-up"
_PURPOSE = "passkey ceremony"

_COLUMNS = "SELECT id, account, revision, sealed FROM passkey"
_WITH_ACCOUNT = """
    SELECT p.id, p.account, p.revision, p.sealed, a.login_tag, a.revision, a.sealed
      FROM passkey p JOIN account a ON a.id = p.account WHERE p.id = $1
"""
_CHANGE = "UPDATE passkey SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"
_DELETE = "DELETE FROM passkey WHERE id = $1"
_SEEN = "SELECT 1 FROM seen WHERE digest = $1"
_ORPHANS = "SELECT id FROM passkey p WHERE NOT EXISTS (SELECT 1 FROM account a WHERE a.id = p.account)"
# The first waits until nobody else changes the account or its passkeys; only then does the second count them.
_HOLD = "UPDATE account SET revision = revision WHERE id = $1 AND revision = $2"
_AS_MANY = (
    "UPDATE account SET revision = revision WHERE id = $1 AND (SELECT count(*) FROM passkey WHERE account = $1) = $2"
)


class Passkeys:
    """Every account's passkeys.

    Signing in needs no login: the browser shows the passkeys it has, so that there is nothing to enumerate. A challenge
    is good for five minutes, for one answer, in the browser that was asked (``Ceremony.state`` is its cookie).
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        *,
        rp_id: str,
        origin: str,
        name: str,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._random = random
        self._party = Party(rp_id, origin, name)

    async def begin_registration(self, account: Account) -> Ceremony:
        """Asks for a new passkey of a person. Raises AccountInvalid when they have 20, or are an app."""
        has = await self.of_account(account.id)
        _check_room(account, has)
        challenge = self._random(CHALLENGE_LENGTH)
        options = registration_options(self._party, account, has, challenge)
        return Ceremony(options, self._state(_REGISTRATION, challenge, account.id))

    async def prepare_registration(self, account: Account, state: str, answer: bytes, name: str) -> Prepared[Passkey]:
        """A passkey, as the browser answered (JSON). Raises PasskeyRefused; AccountInvalid for a name that cannot be.

        A conflict at commit means that the answer was used already, the passkey is known, or the account changed. Where
        the same unit changes the account, too, that goes after this.
        """
        challenge = await self._challenge(_REGISTRATION, state, account.id, account.id.hex())
        registered = verify_registration(self._party, account, answer, challenge)
        has = await self.of_account(account.id)
        _check_room(account, has)
        passkey = Passkey(
            id=passkey_id(self._keyring, registered.credential_id),
            account=account.id,
            name=name,
            created_ms=self._clock(),
            last_used_ms=None,
            syncs=registered.syncs,
            backed_up=registered.backed_up,
            transports=registered.transports,
            aaguid=registered.aaguid,
            credential_id=registered.credential_id,
            public_key=registered.public_key,
            sign_count=registered.sign_count,
        )
        sealed = seal_passkey(passkey, self._keyring.rows)
        row = (passkey.id, passkey.account, passkey.revision, sealed)
        insert = Insert("passkey", ("id", "account", "revision", "sealed"), (row,))
        steps: tuple[Step, ...] = (*_as_read(account, has), self._used(challenge), insert)
        return Prepared(passkey, steps, (_pin(passkey.id, sealed),))

    async def begin_sign_in(self, account: Account | None = None) -> Ceremony:
        """Asks for any passkey; or, of somebody who is signed in already (step-up), for one of theirs."""
        challenge = self._random(CHALLENGE_LENGTH)
        allowed = await self.of_account(account.id) if account else ()
        options = sign_in_options(self._party, allowed, challenge)
        kind = _STEP_UP if account else _SIGN_IN
        return Ceremony(options, self._state(kind, challenge, account.id if account else b""))

    async def prepare_sign_in(self, state: str, answer: bytes, account: Account | None = None) -> Prepared[SignedIn]:
        """Who signs in, as the browser answered (JSON); ``account`` as in ``begin_sign_in``. Raises PasskeyRefused.

        A conflict at commit means that the answer, or the passkey, was used by another request meanwhile: nobody
        signed in. The count of the password's failures starts anew.
        """
        expected = account.id if account else b""
        challenge = await self._challenge(
            _STEP_UP if account else _SIGN_IN, state, expected, account.id.hex() if account else None
        )
        given = read_assertion(answer)
        passkey, owner = await self._owned(passkey_id(self._keyring, given.raw_id))
        account_id = owner.id.hex()
        if expected not in {b"", owner.id}:
            raise PasskeyRefused("passkey: it is of another account than the one that is to step up", account_id)
        if given.response.user_handle not in ({owner.id, None} if expected else {owner.id}):
            raise PasskeyRefused("passkey: it answers for another user than its own", account_id)
        verified = verify_assertion(self._party, passkey, given, challenge)
        if owner.disabled:
            raise PasskeyRefused("the account is disabled", account_id)
        used = self._prepare_change(
            replace(
                passkey,
                sign_count=verified.new_sign_count,
                backed_up=verified.credential_backed_up,
                last_used_ms=self._clock(),
            )
        )
        methods = PASSKEY_THAT_SYNCS if passkey.syncs else PASSKEY_OF_ONE_DEVICE
        signed_in = SignedIn(owner, passkey.assurance, methods, passkey=passkey.id.hex())
        steps = (*used.steps, self._used(challenge), forgiven(self._keyring, owner.login))
        return Prepared(signed_in, steps, used.pins)

    async def of_account(self, account_id: bytes) -> tuple[Passkey, ...]:
        """An account's passkeys, the oldest first. Raises Tampered."""
        rows = await self._database.fetch(f"{_COLUMNS} WHERE account = $1", (account_id,))
        found = [
            open_passkey((id_, owner, revision, sealed), self._keyring.rows) for id_, owner, revision, sealed in rows
        ]
        return tuple(sorted(found, key=lambda passkey: (passkey.created_ms, passkey.id)))

    def prepare_rename(self, passkey: Passkey, name: str) -> Prepared[Passkey]:
        """Another name for a passkey that was read. Raises AccountInvalid."""
        return self._prepare_change(replace(passkey, name=name))

    async def prepare_remove(self, account: Account, passkey: Passkey) -> Prepared[None]:
        """The end of a passkey. Raises PasskeyCannotGo when nothing else leads into the account.

        A conflict at commit means that the account, or which passkeys it has, changed meanwhile: of two that are
        removed at once, one stays.
        """
        has = await self.of_account(account.id)
        if passkey.id not in {each.id for each in has}:
            return Prepared(None, ())
        if len(has) == 1 and not account.has_password_way:
            raise PasskeyCannotGo("This passkey is the only way into the account. Add another one first.")
        steps = (*_as_read(account, has), Change(_DELETE, ((passkey.id,),), expect=1))
        return Prepared(None, steps, (Pin("passkey", passkey.id.hex(), b""),))

    async def prepare_remove_all(self, account_id: bytes) -> Prepared[int]:
        """The end of every passkey of an account: for those who leave, and for recoveries. The value says how many."""
        ids = [id_ for (id_,) in await self._database.fetch("SELECT id FROM passkey WHERE account = $1", (account_id,))]
        steps = (Change(_DELETE, [(id_,) for id_ in ids], expect=len(ids)),) if ids else ()
        return Prepared(len(ids), steps, tuple(Pin("passkey", id_.hex(), b"") for id_ in ids))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT id, sealed FROM passkey"):
            for id_, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are, are filed under another credential, or are of no account."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, account, revision, sealed in batch:
                where = f"passkey/{id_.hex()}"
                try:
                    passkey = open_passkey((id_, account, revision, sealed), self._keyring.rows)
                except Tampered as error:
                    yield Finding(where, str(error))
                else:
                    if passkey_id(self._keyring, passkey.credential_id) != id_:
                        yield Finding(where, "The row is filed under another credential than its own.")
        async for batch in self._database.stream(_ORPHANS):
            for (id_,) in batch:
                yield Finding(f"passkey/{id_.hex()}", "The account of the passkey does not exist.")

    def _state(self, kind: str, challenge: bytes, account: bytes) -> Secret:
        content = ceremony_state(kind, challenge, account, self._clock() + LIFETIME_MS)
        return Secret(stamp(self._keyring.index, _PURPOSE, content))

    async def _challenge(self, kind: str, state: str, account: bytes, account_id: str | None) -> bytes:
        """The challenge that this browser was asked to answer. Raises PasskeyRefused."""
        content = read_stamped(self._keyring.index, _PURPOSE, state)
        if content is None:
            raise PasskeyRefused("passkey: this browser was not asked for one", account_id)
        asked_kind, challenge, asked_account, expires_ms = read_state(content)
        if (asked_kind, asked_account) != (kind, account):
            raise PasskeyRefused("passkey: the browser was asked for something else", account_id)
        if self._clock() >= expires_ms:
            raise PasskeyRefused("passkey: the answer came too late", account_id)
        if await self._database.fetch_one(_SEEN, (challenge_digest(challenge),)):
            raise PasskeyRefused("passkey: the question was answered already", account_id)
        return challenge

    def _used(self, challenge: bytes) -> Insert:
        row = (challenge_digest(challenge), self._clock() + LIFETIME_MS)
        return Insert("seen", ("digest", "expires_ms"), (row,))

    async def _owned(self, id_: bytes) -> tuple[Passkey, Account]:
        row = await self._database.fetch_one(_WITH_ACCOUNT, (id_,))
        if row is None:
            raise PasskeyRefused("passkey: nobody has it", None)
        passkey = open_passkey((row[0], row[1], row[2], row[3]), self._keyring.rows)
        return passkey, open_account((row[1], row[4], row[5], row[6]), self._keyring.rows)

    def _prepare_change(self, changed: Passkey) -> Prepared[Passkey]:
        passkey = replace(changed, revision=changed.revision + 1)
        sealed = seal_passkey(passkey, self._keyring.rows)
        row = (passkey.revision, sealed, passkey.id, changed.revision)
        return Prepared(passkey, (Change(_CHANGE, (row,), expect=1),), (_pin(passkey.id, sealed),))


def _check_room(account: Account, has: tuple[Passkey, ...]) -> None:
    if account.kind is Kind.APP:
        raise AccountInvalid("An app has no passkeys: it is given tokens.", "passkey")
    if len(has) >= MOST_OF_ONE_ACCOUNT:
        raise AccountInvalid(f"An account has at most {MOST_OF_ONE_ACCOUNT} passkeys. Remove one first.", "passkey")


def _as_read(account: Account, has: tuple[Passkey, ...]) -> tuple[Change, Change]:
    """Steps that conflict when the account, or the number of its passkeys, is not what was read."""
    return (
        Change(_HOLD, ((account.id, account.revision),), expect=1),
        Change(_AS_MANY, ((account.id, len(has)),), expect=1),
    )


def _pin(id_: bytes, sealed: bytes) -> Pin:
    return Pin("passkey", id_.hex(), hashlib.sha256(sealed).digest())

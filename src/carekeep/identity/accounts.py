"""Accounts: made, changed and found. Nothing of them stands in the database in the open."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from carekeep.encryption import RFC_9106_SECOND, Argon2Cost, Keyring, Secret, Tampered, hash_password
from carekeep.identity.account import (
    ID_LENGTH,
    Account,
    Credentials,
    Kind,
    login_tag,
    open_account,
    row_tag,
    seal_account,
)
from carekeep.identity.errors import AccountInvalid
from carekeep.identity.password_policy import check_password, stands_alone
from carekeep.identity.recovery_codes import RecoveryCodes, code_digest, new_codes
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, bump, system_clock

TOPIC = "accounts"  # of generations: bumped when what a token is worth changes

_COLUMNS = "SELECT id, login_tag, revision, sealed FROM account"
_CHANGE = "UPDATE account SET login_tag = $1, revision = $2, sealed = $3 WHERE id = $4 AND revision = $5"


class Accounts:
    """Every account, by login and by id.

    Changes are prepared; a conflict at commit means that the login is taken, or that the account was changed since it
    was read. ``cost`` of password hashes is lowered in tests only.
    """

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        *,
        cost: Argon2Cost = RFC_9106_SECOND,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._random = random
        self._cost = cost

    async def prepare_create(  # noqa: PLR0913 - each is a fact of the account, and named where it is given
        self,
        kind: Kind,
        *,
        name: str,
        login: str,
        fhir_user: str | None = None,
        grants: frozenset[str] = frozenset(),
        password: Secret | None = None,
        totp_key: Secret | None = None,
        external_id: str | None = None,
        disabled: bool = False,
    ) -> Prepared[Account]:
        """A new account; without a password, its way in is a passkey. Raises AccountInvalid, PasswordRefused."""
        account = Account(
            id=self._random(ID_LENGTH),
            kind=kind,
            name=name,
            login=login,
            created_ms=self._clock(),
            fhir_user=fhir_user,
            grants=grants,
            credentials=Credentials(totp_key=totp_key),
            external_id=external_id,
            disabled=disabled,
        )
        if password is not None:
            account = await self._with_password(account, password)
        tag = login_tag(self._keyring, account.login)
        sealed = seal_account(account, tag, self._keyring.rows)
        row = (account.id, tag, account.revision, sealed)
        insert = Insert("account", ("id", "login_tag", "revision", "sealed"), (row,))
        return Prepared(account, (insert,), (_pin(account, sealed),))

    def prepare_change(self, changed: Account) -> Prepared[Account]:
        """An account as it shall be: one that was read, with fields replaced (``dataclasses.replace``), not its id."""
        prepared = self._prepare(changed)
        return replace(prepared, steps=(*prepared.steps, bump(TOPIC)))

    async def prepare_password(self, account: Account, password: Secret) -> Prepared[Account]:
        """A new password. Sessions go on: see ``Tokens.prepare_revoke_all``. Raises PasswordRefused, AccountInvalid."""
        return self.prepare_change(await self._with_password(account, password))

    def prepare_totp(self, account: Account, totp_key: Secret, counter: int = 0) -> Prepared[Account]:
        """One-time codes by this key from now on, beside the password.

        ``counter``: the time step of the code by which its owner showed to have the key, so that it is not used again.
        """
        credentials = replace(account.credentials, totp_key=totp_key, totp_counter=counter)
        return self.prepare_change(replace(account, credentials=credentials))

    def prepare_without_totp(self, account: Account) -> Prepared[Account]:
        """No one-time codes any more. Raises AccountInvalid when the password is too short to stand alone."""
        credentials = account.credentials
        if credentials.password_hash is not None and not credentials.password_stands_alone:
            raise AccountInvalid("Set a password first that is long enough without one-time codes.", "password")
        without = replace(credentials, totp_key=None, totp_counter=0)
        return self.prepare_change(replace(account, credentials=without))

    def prepare_recovery_codes(self, account: Account) -> Prepared[RecoveryCodes]:
        """Ten new recovery codes, to be shown once; those from before are worth nothing any more."""
        codes = new_codes(self._random)
        digests = tuple(digest for code in codes if (digest := self.recovery_digest(account.id, code)))
        changed = replace(account, credentials=replace(account.credentials, recovery_codes=digests))
        prepared = self.prepare_change(changed)
        return Prepared(RecoveryCodes(prepared.value, codes), prepared.steps, prepared.pins)

    def prepare_used_recovery_code(self, account: Account, left: tuple[bytes, ...]) -> Prepared[Account]:
        """Keeps the recovery codes that are ``left``. Of two requests with one code the later one meets a conflict."""
        return self._prepare(replace(account, credentials=replace(account.credentials, recovery_codes=left)))

    def recovery_digest(self, account_id: bytes, code: Secret) -> bytes | None:
        """What an account keeps of a recovery code; None when the text is none."""
        return code_digest(self._keyring.index, account_id, code)

    def prepare_accepted_code(self, account: Account, counter: int) -> Prepared[Account]:
        """Remembers the time step of a one-time code, so that it is not accepted again.

        Two requests with one code: both prepare, and the one that commits last meets a conflict.
        """
        return self._prepare(replace(account, credentials=replace(account.credentials, totp_counter=counter)))

    async def find(self, login: str) -> Account | None:
        """The account with this login, in whatever case it is written. Raises Tampered."""
        return await self._one(f"{_COLUMNS} WHERE login_tag = $1", login_tag(self._keyring, login))

    async def get(self, id_: bytes) -> Account | None:
        """The account with this id. Raises Tampered."""
        return await self._one(f"{_COLUMNS} WHERE id = $1", id_)

    async def all(self) -> AsyncIterator[Account]:
        """Every account, in no particular order. Raises Tampered."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, tag, revision, sealed in batch:
                yield open_account((id_, tag, revision, sealed), self._keyring.rows)

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT id, sealed FROM account"):
            for id_, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open, or whose columns say something else than their content."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, tag, revision, sealed in batch:
                where = f"account/{id_.hex()}"
                try:
                    account = open_account((id_, tag, revision, sealed), self._keyring.rows)
                except Tampered as error:
                    yield Finding(where, str(error))
                else:
                    if tag != row_tag(self._keyring, account):
                        yield Finding(where, "The row is filed under another login than its own.")

    def _prepare(self, changed: Account) -> Prepared[Account]:
        account = replace(changed, revision=changed.revision + 1)
        tag = row_tag(self._keyring, account)
        sealed = seal_account(account, tag, self._keyring.rows)
        row = (tag, account.revision, sealed, account.id, changed.revision)
        return Prepared(account, (Change(_CHANGE, (row,), expect=1),), (_pin(account, sealed),))

    async def _with_password(self, account: Account, password: Secret) -> Account:
        if account.kind is Kind.APP:
            raise AccountInvalid("An app has no password: it is given tokens.", "password")
        await asyncio.to_thread(
            check_password, password, with_code=account.has_totp, login=account.login, name=account.name
        )
        hashed = await asyncio.to_thread(hash_password, password, cost=self._cost, random=self._random)
        alone = stands_alone(password)
        credentials = replace(account.credentials, password_hash=hashed, password_stands_alone=alone)
        return replace(account, credentials=credentials)

    async def _one(self, sql: str, key: bytes) -> Account | None:
        row = await self._database.fetch_one(sql, (key,))
        if row is None:
            return None
        id_, tag, revision, sealed = row
        return open_account((id_, tag, revision, sealed), self._keyring.rows)


def _pin(account: Account, sealed: bytes) -> Pin:
    return Pin("account", account.id.hex(), hashlib.sha256(sealed).digest())

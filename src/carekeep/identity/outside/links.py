"""Which account a person of an outside provider is here."""

import hashlib
from collections.abc import AsyncIterator

import orjson

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.identity.account import Account
from carekeep.identity.accounts import TOPIC
from carekeep.storage import Change, Database, Finding, Insert, Pin, Prepared, bump

_TABLE = "identity_link"
_ROWS = "SELECT tag, account, sealed FROM identity_link"


class Links:
    """The table of links. One person of one provider is one account; an account may have several."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._cipher = keyring.rows
        self._index = keyring.index

    async def account_of(self, issuer: str, subject: str) -> bytes | None:
        """The id of the account of a provider's person; None for somebody we do not know. Raises Tampered."""
        tag = self._tag(issuer, subject)
        row = await self._database.fetch_one(f"{_ROWS} WHERE tag = $1", (tag,))
        if row is None:
            return None
        found, account, sealed = row
        self._cipher.open(sealed, associated_data(_TABLE, found, account))
        return bytes(account)

    def prepare_add(self, issuer: str, subject: str, account: Account) -> Prepared[None]:
        """From now on this person is this account. A conflict means that they are one already."""
        tag = self._tag(issuer, subject)
        sealed = self._cipher.seal(orjson.dumps([issuer, subject]), associated_data(_TABLE, tag, account.id))
        insert = Insert(_TABLE, ("tag", "account", "sealed"), ((tag, account.id, sealed),))
        return Prepared(None, (insert,), (Pin(_TABLE, tag.hex(), hashlib.sha256(sealed).digest()),))

    async def prepare_remove_all(self, account: Account) -> Prepared[int]:
        """No outside person is this account any more."""
        rows = await self._database.fetch("SELECT tag FROM identity_link WHERE account = $1", (account.id,))
        if not rows:
            return Prepared(0, ())
        steps = (Change("DELETE FROM identity_link WHERE tag = $1", rows, expect=len(rows)), bump(TOPIC))
        return Prepared(len(rows), steps, tuple(Pin(_TABLE, tag.hex(), b"") for (tag,) in rows))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream(_ROWS):
            for tag, _account, sealed in batch:
                yield tag.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are, or are filed under another person."""
        async for batch in self._database.stream(_ROWS):
            for tag, account, sealed in batch:
                where = f"{_TABLE}/{tag.hex()}"
                try:
                    issuer, subject = orjson.loads(self._cipher.open(sealed, associated_data(_TABLE, tag, account)))
                except Tampered as error:
                    yield Finding(where, str(error))
                else:
                    if tag != self._tag(issuer, subject):
                        yield Finding(where, "The row is filed under another person than its own.")

    def _tag(self, issuer: str, subject: str) -> bytes:
        return self._index.digest("identity link", issuer, subject)

"""Notices: what somebody is told about their own account (NIST SP 800-63B-4, 4.6: every change is notified).

They are shown on the account's page. Nothing is sent by mail: mail leaves the house unencrypted, and a link in it is
what phishing looks like.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, Step, system_clock

KEPT = 200
_TABLE = "notice"
_COLUMNS = ("account", "number", "sealed")
_READ_MARK = 0  # the number of the row that says how far its account has read
_RANDOM_BITS = 20  # a number is the time and these, so that two notices of one moment do not meet
_LONGEST_FACT = 300  # characters
_MOST_FACTS = 10

_NEWEST = """
    SELECT account, number, sealed FROM notice WHERE account = $1 AND number > 0 ORDER BY number DESC LIMIT $2
""".strip()
_MARK = "SELECT account, number, sealed FROM notice WHERE account = $1 AND number = 0"
_OLDER = "SELECT number FROM notice WHERE account = $1 AND number > 0 ORDER BY number DESC LIMIT $2 OFFSET $3"
_ALL = "SELECT account, number, sealed FROM notice"
_DELETE = "DELETE FROM notice WHERE account = $1 AND number = $2"
# The old content stands in for a revision: pins follow each other as the rows did.
_MOVE_MARK = "UPDATE notice SET sealed = $1 WHERE account = $2 AND number = 0 AND sealed = $3"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to an account. ``kind`` is a word that screens have a sentence for (``passkey.added``).

    ``number`` orders them; ``facts`` fill the sentence (``{"device": "Laptop"}``), without secrets.
    """

    number: int
    kind: str
    at_ms: int
    facts: Mapping[str, str] = field(repr=False)
    is_read: bool = False


class Notices:
    """The newest 200 notices of each account."""

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

    async def prepare_add(self, account_id: bytes, kind: str, facts: Mapping[str, str]) -> Prepared[Notice]:
        """One more notice, to be committed with what it tells of. Facts are cut to 300 characters each, 10 of them."""
        now = self._clock()
        drawn = now << _RANDOM_BITS | int.from_bytes(self._random(4), "big") >> (32 - _RANDOM_BITS)
        newest = await self._database.fetch_one(_NEWEST, (account_id, 1))
        number = drawn if newest is None else max(drawn, newest[1] + 1)
        kept = {name: text[:_LONGEST_FACT] for name, text in list(facts.items())[:_MOST_FACTS]}
        notice = Notice(number, kind, now, kept)
        sealed = self._seal(account_id, number, {"kind": kind, "at_ms": now, "facts": kept})
        insert = Insert(_TABLE, _COLUMNS, [(account_id, number, sealed)])
        older = [number for (number,) in await self._database.fetch(_OLDER, (account_id, KEPT, KEPT - 1))]
        trim: tuple[Step, ...] = (Change(_DELETE, [(account_id, each) for each in older]),) if older else ()
        gone = tuple(Pin(_TABLE, _key(account_id, each), b"") for each in older)
        return Prepared(notice, (insert, *trim), (_pin(account_id, number, sealed), *gone))

    async def of(self, account_id: bytes) -> tuple[Notice, ...]:
        """An account's notices, newest first. Raises Tampered."""
        mark = await self._database.fetch_one(_MARK, (account_id,))
        upto = 0 if mark is None else self._open(mark)["upto"]
        notices = []
        for row in await self._database.fetch(_NEWEST, (account_id, KEPT)):
            content = self._open(row)
            is_read = row[1] <= upto
            notices.append(Notice(row[1], content["kind"], content["at_ms"], content["facts"], is_read))
        return tuple(notices)

    async def prepare_read(self, account_id: bytes, upto: int) -> Prepared[None]:
        """The account has read its notices up to the one with this number; nothing when it had. Raises Tampered."""
        mark = await self._database.fetch_one(_MARK, (account_id,))
        if mark is not None and self._open(mark)["upto"] >= upto:
            return Prepared(None, ())
        sealed = self._seal(account_id, _READ_MARK, {"upto": upto})
        step: Step = Insert(_TABLE, _COLUMNS, [(account_id, _READ_MARK, sealed)])
        if mark is not None:
            step = Change(_MOVE_MARK, [(sealed, account_id, mark[2])], expect=1)
        return Prepared(None, (step,), (_pin(account_id, _READ_MARK, sealed),))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream(_ALL):
            for account_id, number, sealed in batch:
                yield _key(account_id, number), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        async for batch in self._database.stream(_ALL):
            for row in batch:
                try:
                    self._open(row)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{_key(row[0], row[1])}", str(error))

    def _seal(self, account_id: bytes, number: int, content: Mapping[str, object]) -> bytes:
        return self._cipher.seal(orjson.dumps(content), associated_data(_TABLE, account_id, number))

    def _open(self, row: Row) -> dict[str, Any]:
        account_id, number, sealed = row
        place = associated_data(_TABLE, account_id, number)
        content: dict[str, Any] = orjson.loads(self._cipher.open(sealed, place))
        return content


def _key(account_id: bytes, number: int) -> str:
    return f"{account_id.hex()}/{number}"


def _pin(account_id: bytes, number: int, sealed: bytes) -> Pin:
    return Pin(_TABLE, _key(account_id, number), hashlib.sha256(sealed).digest())

"""Random secrets that stand for something for a short while: authorization codes, pushed requests, launches.

The database knows each by its SHA-256 only, and what it stands for is sealed.
"""

import base64
import hashlib
import re
from collections.abc import Callable

from carekeep.encryption import Keyring, Secret, associated_data
from carekeep.storage import Change, Clock, Database, Insert, Prepared, Row

_SECRET_LENGTH = 32
_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")


def new_secret(random: Callable[[int], bytes]) -> Secret:
    """256 random bits, 43 characters."""
    return Secret(base64.urlsafe_b64encode(random(_SECRET_LENGTH)).rstrip(b"="))


class Tickets:
    """One table of them: ``hash``, ``expires_ms``, ``sealed``, and what else its room keeps there."""

    def __init__(
        self, table: str, database: Database, keyring: Keyring, clock: Clock, random: Callable[[int], bytes]
    ) -> None:
        self._table = table
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    def prepare_new(self, content: bytes, lifetime_ms: int, *, kept_ms: int = 0) -> Prepared[Secret]:
        """A new secret that stands for ``content``.

        Those that have been over for ``kept_ms`` are forgotten on the way.
        """
        now = self._clock()
        secret = new_secret(self._random)
        hash_, expires_ms = hashlib.sha256(secret.reveal()).digest(), now + lifetime_ms
        sealed = self._cipher.seal(content, self._place(hash_, expires_ms))
        insert = Insert(self._table, ("hash", "expires_ms", "sealed"), ((hash_, expires_ms, sealed),))
        forget = f"DELETE FROM {self._table} WHERE expires_ms < $1"  # noqa: S608 - a table of ours
        return Prepared(secret, (Change(forget, ((now - kept_ms,),)), insert))

    async def row(self, secret: str, *columns: str) -> Row | None:
        """``hash``, ``expires_ms``, ``sealed`` and these columns, over or not; None where there is none."""
        if not _FORMAT.fullmatch(secret):
            return None
        names = ", ".join(("hash", "expires_ms", "sealed", *columns))
        sql = f"SELECT {names} FROM {self._table} WHERE hash = $1"  # noqa: S608 - names of ours
        return await self._database.fetch_one(sql, (hashlib.sha256(secret.encode()).digest(),))

    async def find(self, secret: str) -> tuple[bytes, bytes] | None:
        """The hash of a secret that is not over, and what it stands for; None where there is none. Raises Tampered."""
        row = await self.row(secret)
        return None if row is None or row[1] <= self._clock() else (row[0], self.open(row))

    def open(self, row: Row) -> bytes:
        """What the secret of a row stands for. Raises Tampered."""
        return self._cipher.open(row[2], self._place(row[0], row[1]))

    def prepare_use(self, hash_: bytes) -> Prepared[None]:
        """The use of a secret that is good once. A conflict means that it was used meanwhile."""
        use = f"DELETE FROM {self._table} WHERE hash = $1"  # noqa: S608 - a table of ours
        return Prepared(None, (Change(use, ((hash_,),), expect=1),))

    def _place(self, hash_: bytes, expires_ms: int) -> bytes:
        return associated_data(self._table, hash_, expires_ms)

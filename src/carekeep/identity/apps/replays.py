"""What may be used once only: the ids of proofs and assertions, kept until they would be too old anyway.

Kept in the database, so that a proof which one worker took is a replay to every other one, after a restart too.
"""

from typing import Any

from carekeep.encryption import Keyring
from carekeep.storage import Change, Clock, Database, Insert, Prepared, system_clock

_AT_ONCE = 5_000  # rows that are purged

_SEEN = "SELECT 1 FROM seen WHERE digest = $1"
_EXPIRED = "SELECT digest FROM seen WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_DELETE = "DELETE FROM seen WHERE digest = $1"


class Replays:
    """Remembers ids that were used. The database holds keyed digests of them."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock = system_clock) -> None:
        self._database = database
        self._index = keyring.index
        self._clock = clock

    def prepare_once(self, kind: str, issuer: str, id_: str, expires_ms: int) -> Prepared[None]:
        """The use of an id, to be committed with what it is used for. A conflict at commit means that it was used.

        ``kind`` and ``issuer`` say whose id it is: two issuers may choose the same one. After ``expires_ms`` it may be
        forgotten, so whatever carries the id must not be accepted then.
        """
        digest = self._index.digest("seen", kind, issuer, id_)
        return Prepared(None, (Insert("seen", ("digest", "expires_ms"), ((digest, expires_ms),)),))

    async def is_used(self, once: Prepared[Any]) -> bool:
        """Whether the id of a ``prepare_once`` is used by now: tells a replay from another conflict."""
        for step in once.steps:
            if await self._database.fetch_one(_SEEN, (step.rows[0][0],)):
                return True
        return False

    async def prepare_purge(self) -> Prepared[int]:
        """Forgets at most 5,000 ids that are over; the value says how many."""
        rows = await self._database.fetch(_EXPIRED, (self._clock(), _AT_ONCE))
        # No number of rows is expected: another process may be forgetting the same ones.
        return Prepared(len(rows), (Change(_DELETE, [(digest,) for (digest,) in rows]),) if rows else ())

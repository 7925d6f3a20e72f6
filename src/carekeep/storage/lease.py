"""Electing one process: a row that one holder at a time may write, and that others take over when it runs out."""

from carekeep.storage.clock import Clock
from carekeep.storage.interfaces import Change, Conflict, Database

_HOLD = """
INSERT INTO lease (name, holder, expires_ms) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_ms = excluded.expires_ms
WHERE lease.holder = excluded.holder OR lease.expires_ms <= $4
""".strip()
_RELEASE = "DELETE FROM lease WHERE name = $1 AND holder = $2"


class Lease:
    """The lease ``name``, as seen by ``holder``, which must be unique to its process.

    The machines' clocks (``clock``, milliseconds) are compared with each other, so a lease saves work but does not
    replace compare-and-swap where two holders would do harm. Call ``hold`` several times within ``ttl_ms``.
    """

    def __init__(self, database: Database, name: str, holder: str, clock: Clock, ttl_ms: int = 10_000) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._clock = clock
        self._ttl_ms = ttl_ms

    async def hold(self) -> bool:
        """Takes the lease or prolongs it. False if somebody else holds it. Raises StorageError."""
        now = self._clock()
        row = (self._name, self._holder, now + self._ttl_ms, now)
        try:
            await self._database.commit([Change(_HOLD, [row], expect=1)])
        except Conflict:
            return False
        return True

    async def release(self) -> None:
        """Gives the lease up, if it is ours, so that another process need not wait for its end."""
        await self._database.commit([Change(_RELEASE, [(self._name, self._holder)])])

"""How often an account may do something in an hour: counted in the database, in the unit that it is done in.

The counts stand beside those of passwords (``throttle``): under keyed digests, and forgotten after 30 days.
"""

from dataclasses import dataclass

from carekeep.encryption import Keyring
from carekeep.storage import Change, Clock, Database, Prepared, system_clock

WINDOW_MS = 3_600_000

_READ = "SELECT failures FROM attempt WHERE subject = $1"
_COUNT = """
    INSERT INTO attempt (subject, failures, last_ms) VALUES ($1, 1, $2)
    ON CONFLICT (subject) DO UPDATE SET failures = attempt.failures + 1, last_ms = excluded.last_ms
     WHERE attempt.failures = $3
"""


class QuotaUsedUp(Exception):
    """It was done too often in this hour. ``wait_ms``: until the next one begins."""

    def __init__(self, wait_ms: int) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``most`` times in an hour, for each account. ``what`` names it in the counts."""

    database: Database
    keyring: Keyring
    what: str
    most: int
    clock: Clock = system_clock

    async def prepare_use(self, account_id: str) -> Prepared[int]:
        """One more; the value says how many are left. A conflict at commit: another one came between.

        Raises QuotaUsedUp.
        """
        now = self.clock()
        subject = self.keyring.index.digest("quota", self.what, account_id, str(now // WINDOW_MS))
        row = await self.database.fetch_one(_READ, (subject,))
        used = int(row[0]) if row else 0
        if used >= self.most:
            raise QuotaUsedUp(WINDOW_MS - now % WINDOW_MS)
        return Prepared(self.most - used - 1, (Change(_COUNT, [(subject, now, used)], expect=1),))

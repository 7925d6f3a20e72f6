"""How often strangers may ask at ``/shl`` and ``/guests/prove``: so many a minute from one address, and from all.

Kept by each worker for itself: passcodes are counted in the database; this only keeps a flood out of the ledger.
"""

from collections import Counter
from dataclasses import dataclass, field

from carekeep.fhir import Issue
from carekeep.storage import Clock
from carekeep.web.problems import Problem

_MINUTE_MS = 60_000
OF_ONE = 60
OF_ALL = 3_000


@dataclass(slots=True)
class Pace:
    """Counts in whole minutes."""

    clock: Clock
    _minute: int = 0
    _taken: Counter[str] = field(default_factory=Counter)

    def take(self, address: str | None) -> None:
        """One more request from this address. Raises Problem (429)."""
        minute, into = divmod(self.clock(), _MINUTE_MS)
        if minute != self._minute:
            self._minute, self._taken = minute, Counter()
        who = address or ""
        if self._taken[who] >= OF_ONE or self._taken.total() >= OF_ALL:
            wait = str(-(-(_MINUTE_MS - into) // 1000)).encode()
            issue = Issue("error", "throttled", "", "Too many requests. Ask again in a minute.")
            raise Problem(429, issue, headers=((b"retry-after", wait),))
        self._taken[who] += 1

"""How often strangers may do what costs us something: so many an hour from one address, and from all together.

Kept by each worker for itself, since what is limited is a nuisance and no danger.
"""

from collections import Counter
from dataclasses import dataclass, field

from carekeep.storage import Clock

_HOUR_MS = 3_600_000
OF_ONE = 20
OF_ALL = 100


@dataclass(slots=True)
class Pace:
    """Counts in whole hours."""

    clock: Clock
    _hour: int = 0
    _taken: Counter[str] = field(default_factory=Counter)

    def take(self, address: str | None) -> bool:
        """Whether one more is in order from this address; if so, it is counted."""
        hour = self.clock() // _HOUR_MS
        if hour != self._hour:
            self._hour, self._taken = hour, Counter()
        who = address or ""
        if self._taken[who] >= OF_ONE or self._taken.total() >= OF_ALL:
            return False
        self._taken[who] += 1
        return True

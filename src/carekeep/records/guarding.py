"""Conditional writes, one after the other where they ask for the same thing.

"Create it unless it is there" is a question and a change. Between the two somebody else may do the same, in another
worker, and no lock of the database covers a row that is not there yet. So every condition has a counter: it is read
before the question is asked, and the unit that creates moves it on from the value that was read, or conflicts. Of those
who found nothing one creates; the others conflict, ask again and find it.

A counter stands for a bucket of conditions, so that the table does not grow with use; two conditions that share a
bucket by chance only meet at the same moment, and then one of them is tried again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from carekeep.encryption import Tagger
from carekeep.storage import Change, Database, Insert, Prepared, Step

BUCKETS = 1 << 16
_AT_ONCE = 500  # parameters of one statement
_READ = "SELECT bucket, n FROM condition_guard WHERE bucket IN ({numbers})"
_MOVE = "UPDATE condition_guard SET n = n + 1 WHERE bucket = $1 AND n = $2"


@dataclass(frozen=True, slots=True)
class Guards:
    """The counters of some conditions as they were. ``buckets`` are by condition, ``counters`` by bucket."""

    buckets: Mapping[str, int]
    counters: Mapping[int, int]

    def prepared(self, conditions: Iterable[str]) -> Prepared[None]:
        """The steps of a unit that creates what these conditions did not find.

        They conflict when anybody created under one of the conditions since the counters were read. Raises KeyError
        for a condition whose counter was not read.
        """
        buckets = sorted({self.buckets[condition] for condition in conditions})
        new = [(bucket, 1) for bucket in buckets if bucket not in self.counters]
        known = [(bucket, self.counters[bucket]) for bucket in buckets if bucket in self.counters]
        steps: list[Step] = []
        if new:
            steps.append(Insert("condition_guard", ("bucket", "n"), new))
        if known:
            steps.append(Change(_MOVE, known, expect=len(known)))
        return Prepared(None, tuple(steps))


async def read_guards(database: Database, tagger: Tagger, conditions: Sequence[str]) -> Guards:
    """The counters of conditions, now. A condition is any text that is the same for those who ask the same."""
    buckets = {condition: tagger.tag("condition", condition) % BUCKETS for condition in conditions}
    wanted = sorted(set(buckets.values()))
    counters: dict[int, int] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        numbers = ", ".join(f"${number}" for number in range(1, len(some) + 1))
        counters.update(dict(await database.fetch(_READ.format(numbers=numbers), some)))
    return Guards(buckets, counters)

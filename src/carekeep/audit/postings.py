"""Lists of numbers in a table that does not show which rows belong to one list, or how long any list is.

Each list has a key, made of its name. The n-th number of a list stands under a digest of n by that key, and is itself
hidden by a pad that is made the same way. Who has the key asks for n = 0, 1, 2, …; to anybody else every row is 24
random bytes. How long a list is, is found by asking for ever larger n.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence

from carekeep.encryption import Tagger
from carekeep.storage import Change, Database, Insert

TABLE = "ledger_view"
_COLUMNS = ("tag", "place")
_DOMAIN = "ledger-view"
_TAG = 16  # bytes; the pad is the eight after them
_AT_ONCE = 500  # parameters of one query; what both databases take
_KNOWN = 200_000  # lists whose lengths and keys are remembered
_CLEAR = f"DELETE FROM {TABLE}"  # noqa: S608 - a constant

Name = tuple[str, ...]


class Postings:
    """The lists of one database. One process at a time appends; any number read."""

    def __init__(self, database: Database, tagger: Tagger) -> None:
        self._database = database
        self._tagger = tagger
        self._lengths: dict[Name, int] = {}
        self._keys: dict[Name, bytes] = {}

    async def length(self, name: Name) -> int:
        """How many numbers a list has."""
        return (await self._measure([name]))[name]

    async def numbers(self, name: Name, first: int, last: int) -> list[int]:
        """The numbers of a list from place ``first`` to ``last`` (exclusive), in their order; of lost ones none."""
        places = [self._place(name, n) for n in range(first, last)]
        found = await self._rows([tag for tag, _ in places])
        return [found[tag] ^ pad for tag, pad in places if tag in found]

    async def append(self, numbers: Mapping[Name, Sequence[int]]) -> tuple[Insert, Mapping[Name, int]]:
        """The step that puts numbers at the ends of their lists, and how long those are then.

        It conflicts if somebody else appended meanwhile. Call ``remember`` when it was committed, ``forget`` when not.
        """
        unknown = [name for name in numbers if name not in self._lengths]
        lengths = self._lengths | (await self._measure(unknown) if unknown else {})
        rows = []
        for name, some in numbers.items():
            for n, number in enumerate(some, start=lengths[name]):
                tag, pad = self._place(name, n)
                rows.append((tag, number ^ pad))
        rows.sort()  # by what is random: the order in which rows come shall not say which belong together
        return Insert(TABLE, _COLUMNS, rows), {name: lengths[name] + len(some) for name, some in numbers.items()}

    def remember(self, lengths: Mapping[Name, int]) -> None:
        """How long lists are now."""
        if len(self._lengths) > _KNOWN:
            self._lengths.clear()
        self._lengths.update(lengths)

    def forget(self) -> None:
        """Somebody else may have appended: find out lengths anew."""
        self._lengths.clear()

    def clear(self) -> Change:
        """The step that empties every list."""
        return Change(_CLEAR, [()])

    async def differing(self, expected: Iterable[tuple[Name, int, int]]) -> list[tuple[Name, int]]:
        """Of (list, place, number), those that the table does not say: the row is gone or is another."""
        by_tag = {}
        for name, n, number in expected:
            tag, pad = self._place(name, n)
            by_tag[tag] = (name, n, number ^ pad)
        found = await self._rows(list(by_tag))
        return [(name, n) for tag, (name, n, hidden) in by_tag.items() if found.get(tag) != hidden]

    def tag(self, name: Name, n: int) -> bytes:
        """Under what the n-th number of a list stands."""
        return self._place(name, n)[0]

    def _place(self, name: Name, n: int) -> tuple[bytes, int]:
        """Of the n-th number of a list: under what it stands, and what it is hidden by."""
        key = self._keys.get(name)
        if key is None:
            if len(self._keys) > _KNOWN:
                self._keys.clear()
            key = self._keys[name] = self._tagger.digest(_DOMAIN, *name)
        made = hmac.digest(key, n.to_bytes(8, "big"), "sha256")
        return made[:_TAG], int.from_bytes(made[_TAG : _TAG + 8], "big", signed=True)

    async def _rows(self, tags: Sequence[bytes]) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for start in range(0, len(tags), _AT_ONCE):
            some = tags[start : start + _AT_ONCE]
            places = ", ".join(f"${number}" for number in range(1, len(some) + 1))
            sql = f"SELECT tag, place FROM {TABLE} WHERE tag IN ({places})"  # noqa: S608 - numbered places only
            found.update(await self._database.fetch(sql, some))
        return found

    async def _measure(self, names: Sequence[Name]) -> dict[Name, int]:
        """The lengths of lists: powers of two first, then halving what lies between."""
        low = await self._powers(names)  # of each list, the first ``low`` numbers are there
        high = {name: max(1, 2 * low[name]) for name in names}
        while unsure := [name for name in names if high[name] - low[name] > 1]:
            middles = {name: (low[name] + high[name]) // 2 for name in unsure}
            found = await self._rows([self.tag(name, middle - 1) for name, middle in middles.items()])
            for name, middle in middles.items():
                (low if self.tag(name, middle - 1) in found else high)[name] = middle
        return low

    async def _powers(self, names: Sequence[Name]) -> dict[Name, int]:
        """For each list the largest power of two that it is at least as long as, or 0."""
        lengths = dict.fromkeys(names, 0)
        growing = list(names)
        for step in range(63):
            reached = 1 << step
            found = await self._rows([self.tag(name, reached - 1) for name in growing])
            growing = [name for name in growing if self.tag(name, reached - 1) in found]
            lengths.update(dict.fromkeys(growing, reached))
            if not growing:
                break
        return lengths

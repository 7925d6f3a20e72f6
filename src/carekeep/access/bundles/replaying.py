"""What other policies would have answered to what was really asked: the ledger keeps what policies saw."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from carekeep.access.decider import otherwise, shown
from carekeep.access.decision import Visible
from carekeep.access.rules import Rules, RulesFailed, Verdict
from carekeep.access.seen import SeenUnreadable, decode_seen
from carekeep.access.vocabulary import PRINCIPAL_TYPES
from carekeep.audit import Entry, Ledger

MOST_EXAMPLES = 5
_REMEMBERED = 100_000


@dataclass(slots=True)
class Difference:
    """Decisions that would change alike. ``was`` and ``now`` are the answers; ``examples`` are ids of entries (hex)."""

    kind: str
    action: str
    type: str
    purpose: str
    was: str
    now: str
    count: int = 0
    accounts: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)


class Replay:
    """Counts, entry by entry. ``old`` are the policies in force, ``new`` those that are looked at.

    ``same`` decisions stay; ``unreadable`` cannot be replayed: entries from before what policies see was kept, and such
    whose words are not known any more.
    """

    def __init__(self, old: Rules, new: Rules) -> None:
        self._old = old
        self._new = new
        self._known: dict[tuple[str, bool], tuple[Visible, str] | None] = {}
        self._differences: dict[tuple[str, ...], Difference] = {}
        self.entries = 0
        self.same = 0
        self.unreadable = 0

    @property
    def changed(self) -> int:
        """How many decisions would change."""
        return sum(each.count for each in self._differences.values())

    @property
    def differences(self) -> list[Difference]:
        """Groups of decisions that would change, the largest first."""
        return sorted(self._differences.values(), key=lambda each: (-each.count, each.kind, each.action, each.type))

    def add(self, entry_id: str, seen: Sequence[str], *, permitted: bool, decided: bool) -> None:
        """One entry: what policies saw, and what was answered. ``decided``: by policies, so that they should say."""
        self.entries += 1
        if decided and not seen:
            self.unreadable += 1
        for text in seen:
            self._one(entry_id, text, permitted=permitted)

    def add_entries(self, found: Iterable[tuple[str, Entry]]) -> None:
        """Entries with their ids, as of ``entries_since``. What failed, or came from elsewhere, is passed by."""
        for entry_id, entry in found:
            if entry.outcome != "failed" and entry.source is None:
                decided = bool(entry.policies) and entry.policies != ("scope",)
                self.add(entry_id, entry.seen, permitted=entry.outcome == "permitted", decided=decided)

    def _one(self, entry_id: str, text: str, *, permitted: bool) -> None:
        key = (text, permitted)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = self._compared(text, permitted=permitted)
        compared = self._known[key]
        if compared is None:
            self.unreadable += 1
        elif not compared[1]:
            self.same += 1
        else:
            self._count(entry_id, *compared, permitted=permitted)

    def _compared(self, text: str, *, permitted: bool) -> tuple[Visible, str] | None:
        """What policies saw, and how the new answer differs ("": it does not); None when it cannot be asked again."""
        try:
            seen = decode_seen(text)
        except SeenUnreadable:
            return None
        if seen.kind not in PRINCIPAL_TYPES:
            return None
        then = _answer(self._old, seen)
        if then is None or then.permitted != permitted:  # by policies of that time, of which only the answer is known
            then = Verdict(permitted, ())
        now = _answer(self._new, seen)
        return seen, "denied: policy error" if now is None else otherwise(then, now)

    def _count(self, entry_id: str, seen: Visible, now: str, *, permitted: bool) -> None:
        was = "permitted" if permitted else "denied"
        key = (seen.kind, seen.action.value, seen.type, seen.purpose.value, was, now)
        found = self._differences.setdefault(key, Difference(*key))
        found.count += 1
        found.accounts.add(seen.account)
        if len(found.examples) < MOST_EXAMPLES and entry_id not in found.examples:
            found.examples.append(entry_id)


def _answer(rules: Rules, seen: Visible) -> Verdict | None:
    try:
        return shown(rules.verdict(seen), seen)
    except RulesFailed:
        return None


async def entries_since(ledger: Ledger, since_ms: int, newest: int | None = None) -> AsyncIterator[tuple[str, Entry]]:
    """The entries since a moment with their ids, older ones unopened: an id begins with its time.

    ``newest``: of those in the tree only so many, the newest. Raises BadLeaf.
    """
    start = 0 if newest is None else max(0, await ledger.size() - newest)
    for source in (ledger.entries(start), ledger.waiting()):
        async for sealed in source:
            if int.from_bytes(sealed.entry_id[:6], "big") >= since_ms:
                yield sealed.entry_id.hex(), ledger.open(sealed.leaf)[0]

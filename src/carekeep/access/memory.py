"""Answers remembered for a while, in bounded number, and never past the moment at which their source changed."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Remembered(Generic[V]):
    """A value that holds until just before ``until_ms``."""

    value: V
    until_ms: int


class Memory(Generic[K, V]):
    """The least recently asked answers leave first. ``keep`` refuses what was looked up before a ``forget``.

    A lookup takes time: what it read may be changed, and forgotten, before it is kept. So it says which ``age`` of
    the memory it began in.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[K, Remembered[V]] = OrderedDict()
        self.age = 0

    def recall(self, key: K, now_ms: int) -> Remembered[V] | None:
        """What is known and still holds."""
        found = self._entries.get(key)
        if found is None or found.until_ms <= now_ms:
            return None
        self._entries.move_to_end(key)
        return found

    def keep(self, key: K, found: Remembered[V], age: int) -> None:
        """Remember what a lookup found that began when the memory was of this ``age``."""
        if age != self.age:
            return
        self._entries[key] = found
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        """Drop everything, and whatever lookups are under way."""
        self.age += 1
        self._entries.clear()

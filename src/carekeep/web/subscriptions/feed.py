"""Reading the ledger for writes: an entry that pins a record version that it names is the writing of that version.

So it does not matter which interaction wrote, today's or a later one: create, patch, transaction, import. Reads pin
nothing, and neither do deliveries; a notification can never cause another one.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass

from carekeep.audit import BadLeaf, Entry, Ledger, SealedEntry, What
from carekeep.encryption import Keyring
from carekeep.storage import Pin

BATCH = 500
_log = logging.getLogger("carekeep.subscriptions")


@dataclass(frozen=True, slots=True)
class Written:
    """One record version that was written, and when (milliseconds since 1970)."""

    type: str
    id: str
    version: int
    at_ms: int


class Feed:
    """The ledger's integrated entries, as writes in their order."""

    def __init__(self, ledger: Ledger, keyring: Keyring) -> None:
        self._ledger = ledger
        self._rid = keyring.rid

    async def read(self, start: int, types: Collection[str]) -> tuple[list[Written], int]:
        """The writes of ``types`` in about 500 entries from ``start`` on, and the index of the entry after them.

        An entry in several parts counts as one: the pins of its versions may stand in a later part than their names.
        """
        found: list[Written] = []
        parts: list[tuple[Entry, tuple[Pin, ...]]] = []
        end = index = start
        while parts or index == start:
            before = index
            async for sealed in self._ledger.entries(index, index + BATCH):
                index += 1
                parts = self._continued(parts, sealed)
                if not parts or parts[-1][0].part == parts[-1][0].parts:
                    found += self._writes(parts, types)
                    parts, end = [], index
            if index == before:
                break
        return found, end

    def _continued(
        self, parts: list[tuple[Entry, tuple[Pin, ...]]], sealed: SealedEntry
    ) -> list[tuple[Entry, tuple[Pin, ...]]]:
        try:
            entry, pins = self._ledger.open(sealed.leaf)
        except BadLeaf:
            _log.error("%s does not open and is passed over. Run `carekeep ledger verify`.", sealed.name)
            return []
        return [*parts, (entry, pins)] if entry.part > 1 else [(entry, pins)]

    def _writes(self, parts: list[tuple[Entry, tuple[Pin, ...]]], types: Collection[str]) -> list[Written]:
        if not parts:
            return []
        pinned = {pin.key for _, pins in parts for pin in pins if pin.table == "record_version" and pin.digest}
        if not pinned:
            return []
        at_ms = parts[0][0].at_ms
        named = (what for entry, _ in parts for what in entry.what)
        return [written for what in named if (written := self._written(what, types, pinned, at_ms)) is not None]

    def _written(self, what: What, types: Collection[str], pinned: Collection[str], at_ms: int) -> Written | None:
        type_, _, id_ = what.reference.partition("/")
        if type_ not in types or what.version is None:
            return None
        if f"{self._rid(type_, id_).hex()}/{what.version}" not in pinned:
            return None
        return Written(type_, id_, what.version, at_ms)

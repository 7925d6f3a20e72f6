"""Reading the ledger for writes: an entry that pins a record version that it names is the writing of that version.

So it does not matter which interaction wrote, today's or a later one: create, patch, transaction, import. Reads pin
nothing, and neither do deliveries; a notification can never cause another one.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from carekeep.audit import Followed, Ledger, What, read_batch
from carekeep.encryption import Keyring

BATCH = 500


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
        """The writes of ``types`` in about 500 entries from ``start`` on, and the index of the entry after them."""
        batch = await read_batch(self._ledger, start, BATCH)
        return [written for followed in batch.entries for written in self._writes(followed, types)], batch.end

    def _writes(self, followed: Followed, types: Collection[str]) -> Iterator[Written]:
        pinned = {pin.key for pin in followed.pins if pin.table == "record_version" and pin.digest}
        if not pinned:
            return
        for what in followed.entry.what:
            written = self._written(what, types, pinned, followed.entry.at_ms)
            if written is not None:
                yield written

    def _written(self, what: What, types: Collection[str], pinned: Collection[str], at_ms: int) -> Written | None:
        type_, _, id_ = what.reference.partition("/")
        if type_ not in types or what.version is None:
            return None
        if f"{self._rid(type_, id_).hex()}/{what.version}" not in pinned:
            return None
        return Written(type_, id_, what.version, at_ms)

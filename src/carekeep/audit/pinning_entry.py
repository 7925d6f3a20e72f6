"""Which ledger entry made a row what it is: found by its pin, near the time at which it was made."""

from carekeep.audit.entries import EntryId
from carekeep.audit.following import read_batch
from carekeep.audit.ledger import Ledger
from carekeep.storage import Database, Pin

_ID_BITS, _ID_SIZE = 80, 16
_SLACK_MS = 60_000
_BATCH = 1_000

_FIRST = "SELECT min(leaf_index) FROM ledger_entry WHERE entry_id >= $1"


async def first_index_since(database: Database, since_ms: int) -> int | None:
    """The index of the first entry since a moment, or a little before it; None when there is none."""
    first = max(0, since_ms - _SLACK_MS) << _ID_BITS
    row = await database.fetch_one(_FIRST, (first.to_bytes(_ID_SIZE, "big"),))
    return None if row is None else row[0]


async def entry_of_pin(database: Database, ledger: Ledger, pin: Pin, near_ms: int) -> EntryId | None:
    """The entry that holds a pin, written at about ``near_ms``; None while it waits for its place, or is gone."""
    index = await first_index_since(database, near_ms)
    while index is not None:
        batch = await read_batch(ledger, index, _BATCH)
        if batch.end == index:
            return None
        for followed in batch.entries:
            if pin in followed.pins:
                return followed.entry_id
        if batch.entries and min(followed.entry.at_ms for followed in batch.entries) > near_ms + _SLACK_MS:
            return None
        index = batch.end
    return None

"""What one account touched of one patient in a period of time, counted from the ledger."""

from collections import Counter

from carekeep.audit.entries import Entry
from carekeep.audit.following import read_batch
from carekeep.audit.ledger import Ledger
from carekeep.audit.pinning_entry import first_index_since
from carekeep.storage import Database

_SLACK_MS = 60_000  # processes' clocks differ a little, and ids are in their order, not in that of the log
_BATCH = 1_000


async def count_touched(
    database: Database, ledger: Ledger, *, account: str, patient: str, start_ms: int, end_ms: int
) -> tuple[tuple[str, int], ...]:
    """How many different records of each type were in answers to an account, or made by it; types in their order.

    Of an answer about several patients all records count: it does not say which was whose. Raises StorageError.
    """
    index = await first_index_since(database, start_ms)
    seen: set[str] = set()
    while index is not None:
        batch = await read_batch(ledger, index, _BATCH)
        if batch.end == index:
            break
        entries = [followed.entry for followed in batch.entries]
        for entry in entries:
            if start_ms <= entry.at_ms <= end_ms and _concerns(entry, account, patient):
                seen.update(what.reference for what in entry.what)
        if entries and min(entry.at_ms for entry in entries) > end_ms + _SLACK_MS:
            break
        index = batch.end
    return tuple(sorted(Counter(reference.partition("/")[0] for reference in seen).items()))


def _concerns(entry: Entry, account: str, patient: str) -> bool:
    return entry.outcome == "permitted" and entry.agent.account == account and patient in entry.patients

"""The checks that only an opened installation shows."""

from carekeep.audit import NoteRefused, open_checkpoint
from carekeep.web.health.installed import Installed, Opened
from carekeep.web.health.verdict import Diagnosis

_WAITING_MS = 10_000


async def accounts(opened: Opened) -> Diagnosis:
    """Whether anybody can sign in."""
    row = await opened.database.fetch_one("SELECT count(*) FROM account")
    if row and row[0]:
        return Diagnosis("ok", f"{row[0]:,} accounts.")
    return Diagnosis("warning", "There are no accounts.", "Nobody can sign in.", "carekeep user add --help")


async def sequencer(opened: Opened) -> Diagnosis:
    """Whether entries are integrated: the oldest that waits is not old. Ids begin with 48 bits of milliseconds."""
    row = await opened.database.fetch_one("SELECT min(entry_id) FROM ledger_pending")
    oldest = row[0] if row else None
    if oldest is None or opened.clock() - int.from_bytes(oldest[:6], "big") < _WAITING_MS:
        return Diagnosis("ok", "The ledger's entries are integrated.")
    return Diagnosis(
        "warning",
        "Ledger entries wait to be integrated into the tree.",
        "They are durable, but cannot be proven to others yet.",
        "Start the server. If it runs, see its log for what keeps the sequencer.",
    )


def kept_checkpoint(opened: Opened, installed: Installed) -> Diagnosis:
    """Whether a signed checkpoint lies outside of the database."""
    path = installed.witness_file
    try:
        checkpoint = open_checkpoint(path.read_text(encoding="utf-8"), opened.ledger_key)
    except FileNotFoundError:
        why = "Without it, a database put back to an older state looks right."
        return Diagnosis(
            "warning", f"{path} is not there yet.", why, "Start the server; copy the file elsewhere, often."
        )
    except NoteRefused as error:
        why = "It shows whether the database was put back to an older state."
        return Diagnosis("problem", f"{path}: {error}", why, "Find out who changed it; use a copy kept elsewhere.")
    return Diagnosis("ok", f"A checkpoint over {checkpoint.size:,} entries is kept outside the database.")

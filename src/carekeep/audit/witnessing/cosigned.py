"""Our own checkpoints as witnesses cosigned them: final ones, with the log's post-quantum signature beside Ed25519.

A row speaks for itself by its signatures. The newest one is kept, and of every earlier day the last one: old evidence
is good evidence, and each takes some kilobytes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from carekeep.audit.checkpoint import parse_checkpoint
from carekeep.audit.note import NoteKey, NoteRefused, open_note
from carekeep.audit.tile_table import TileMissing, TileTable
from carekeep.audit.witnessing.cosignatures import CosignerKey, time_of
from carekeep.audit.witnessing.policy import Policy
from carekeep.storage import Change, Database, Finding

DAY_MS = 86_400_000

_NEWEST = "SELECT size, signed_ms, note FROM ledger_cosigned ORDER BY size DESC LIMIT 1"
_ALL = "SELECT size, signed_ms, note FROM ledger_cosigned ORDER BY size"
_KEEP = """
INSERT INTO ledger_cosigned (size, signed_ms, note) VALUES ($1, $2, $3)
ON CONFLICT (size) DO UPDATE SET signed_ms = excluded.signed_ms, note = excluded.note
""".strip()
_THIN = "DELETE FROM ledger_cosigned WHERE size < $1 AND signed_ms >= $2"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A final checkpoint: its size, when the log signed it (ms), and the note with all signatures."""

    size: int
    signed_ms: int
    note: str


async def newest_cosigned(database: Database) -> Cosigned | None:
    """The newest final checkpoint, or None."""
    row = await database.fetch_one(_NEWEST)
    return None if row is None else Cosigned(*row)


async def keep_cosigned(database: Database, made: Cosigned) -> None:
    """Keep a final checkpoint, and let go of the earlier ones of its day. Raises StorageError."""
    day_began = made.signed_ms // DAY_MS * DAY_MS
    row = (made.size, made.signed_ms, made.note)
    await database.commit([Change(_KEEP, [row]), Change(_THIN, [(made.size, day_began)])])


async def verify_cosigned(
    database: Database, keys: tuple[NoteKey, ...], policy: Policy | None
) -> AsyncIterator[Finding | int]:
    """Whether every kept checkpoint is signed by all of the log's ``keys``, and is of the log that is there.

    The newest must have the quorum of ``policy``; older ones may be of an earlier policy.
    """
    tiles = TileTable(database)
    newest = await newest_cosigned(database)
    async for rows in database.stream(_ALL):
        for row in rows:
            found = Cosigned(*row)
            fault = await _fault(tiles, found, keys)
            if fault is None and policy is not None and newest is not None and found.size == newest.size:
                fault = _fault_of_quorum(found, keys, policy)
            if fault is not None:
                yield Finding(f"cosigned checkpoint {found.size}", fault)


async def _fault(tiles: TileTable, found: Cosigned, keys: tuple[NoteKey, ...]) -> str | None:
    try:
        note = open_note(found.note, keys)
        checkpoint = parse_checkpoint(note.text)
        lines = {line.key_id: line.signature for line in note.signatures}
        cosigned = {key.key_id for key in keys if isinstance(key, CosignerKey)}
        times = {time_of(lines[key_id]) for key_id in cosigned & lines.keys()}
        signed = all(key.key_id in lines for key in keys) and times == {found.signed_ms // 1000}
        if not signed or checkpoint.size != found.size:
            return "it is not signed by all keys of the log, or not over this size at this time"
        if await tiles.root(found.size) != checkpoint.root:
            return f"the first {found.size} entries are not those that it signs"
    except NoteRefused as error:
        return str(error)
    except TileMissing as error:
        return f"the log does not reach it, so it was cut or rolled back: {error}"
    return None


def _fault_of_quorum(found: Cosigned, keys: tuple[NoteKey, ...], policy: Policy) -> str | None:
    try:
        judged = policy.judge(found.note, keys)
    except NoteRefused as error:
        return str(error)
    if judged.final:
        return None
    return "no quorum of the policy has cosigned it; if the policy was changed, one will once it is asked"

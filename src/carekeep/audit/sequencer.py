"""Giving every durable entry its place in the log, and signing what the log then is.

One elected process does this. Election only saves work: what keeps the log from ever forking is that the head moves by
compare-and-swap in the same unit that adds the entries.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from carekeep.audit.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.audit.tile_table import Head, TileMissing, TileTable
from carekeep.audit.tiles import WIDTH, Place, RightEdge
from carekeep.storage import Change, Conflict, Database, Insert, Lease, Row, Step, StorageError

BATCH = 256  # a unit of 1,024 holds PostgreSQL for so long that appends feel it
PACE_S = 0.05  # between batches that were not full: many small ones cost the writers more than they gain
IDLE_S = 0.2  # entries of other processes come without a nudge
LEASE_S = 2.0

_PENDING = "SELECT entry_id, leaf FROM ledger_pending ORDER BY entry_id LIMIT $1"
_TAKE = "DELETE FROM ledger_pending WHERE entry_id = $1"
_TILE = """
INSERT INTO ledger_tile (level, number, hashes) VALUES ($1, $2, $3)
ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes
""".strip()
_MOVE = "UPDATE ledger_head SET size = $1, checkpoint = $2 WHERE id = 1 AND size = $3 AND checkpoint = $4"
_LEAVES = "SELECT leaf FROM ledger_entry WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index"
_TWICE = "SELECT leaf_index FROM ledger_entry WHERE entry_id = $1"

_log = logging.getLogger(__name__)


class LedgerBroken(Exception):
    """The log in the database is not the one that was signed. Nothing more is signed until a person has looked."""


class CheckpointKeys(Protocol):
    """What of the keyring the sequencer needs."""

    @property
    def checkpoint_key(self) -> Ed25519PrivateKey:
        """The key that signs the tree head."""
        ...


@dataclass(frozen=True, slots=True)
class _Tip:
    """The head that this process has checked or made: its text, and the tree's right edge at it."""

    text: str
    edge: RightEdge


class Sequencer:
    """Integrates pending entries into the log named ``origin``.

    ``nudge`` is set by the ledger of the same process when there is work. ``checkpoint_sink`` is given every new
    checkpoint, to keep it outside the database; ``known_checkpoint`` is the last one that was kept: a database that
    does not continue it was rolled back or rewritten, and is refused.
    """

    def __init__(
        self,
        database: Database,
        keyring: CheckpointKeys,
        origin: str,
        *,
        nudge: asyncio.Event | None = None,
        checkpoint_sink: Callable[[str], None] | None = None,
        known_checkpoint: str | None = None,
    ) -> None:
        self._database = database
        self._tiles = TileTable(database)
        self._private = keyring.checkpoint_key
        self._origin = origin
        self._nudge = nudge or asyncio.Event()
        self._sink = checkpoint_sink
        self._known = known_checkpoint
        self._tip: _Tip | None = None
        self.key = VerifierKey.of(origin, self._private)

    async def integrate(self) -> int:
        """Integrate up to 256 pending entries; returns how many. Raises LedgerBroken and StorageError.

        Losing to another sequencer costs a new attempt and nothing else.
        """
        while True:
            tip = self._tip or await self._load()
            pending = await self._database.fetch(_PENDING, (BATCH,))
            if not pending:
                return 0
            edge, tiles = tip.edge.append([leaf_hash(leaf) for _, leaf in pending])
            text = sign_checkpoint(Checkpoint(self._origin, edge.size, edge.root()), self._private)
            try:
                await self._database.commit(_steps(tip, pending, tiles, edge.size, text))
            except Conflict:
                await self._after_conflict(tip, pending)
                continue
            self._tip, self._known = _Tip(text, edge), text
            if self._sink is not None:
                self._sink(text)
            return len(pending)

    async def run(self, lease: Lease) -> None:
        """Integrate for as long as the task lives, whenever the lease is ours. Cancel the task to stop.

        A database that cannot be reached is waited for. Raises LedgerBroken.
        """
        try:
            loop = asyncio.get_running_loop()
            held_at, held = -LEASE_S, False
            while True:
                self._nudge.clear()
                done = 0
                try:
                    if loop.time() - held_at >= LEASE_S:
                        held, held_at = await lease.hold(), loop.time()
                    if held:
                        done = await self.integrate()
                except StorageError as error:
                    _log.warning("The ledger's sequencer waits for the database: %s", error)
                if done < BATCH:
                    await self._rest()
        except LedgerBroken as error:
            _log.critical("The ledger is not what was signed, so nothing more is signed: %s", error)
            raise
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def _rest(self) -> None:
        await asyncio.sleep(PACE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S - PACE_S):  # wait_for can lose a cancellation that meets the nudge
                await self._nudge.wait()

    async def _after_conflict(self, lost: _Tip, pending: list[Row]) -> None:
        """Find out who was first: another sequencer (fine), or an entry that is in the log already (not fine)."""
        self._tip = None
        if (await self._load()).text != lost.text:
            return
        for entry_id, _ in pending:
            row = await self._database.fetch_one(_TWICE, (entry_id,))
            if row is not None:
                raise LedgerBroken(
                    f"entry {entry_id.hex()} waits to be integrated and is in the log already, at index {row[0]}: "
                    "somebody put it back. Run `carekeep ledger verify`."
                )
        raise LedgerBroken(
            f"the entries from index {lost.edge.size} on cannot be written although nobody else has written them. "
            "Run `carekeep ledger verify`."
        )

    async def _load(self) -> _Tip:
        """Take up the log from the database, or begin it; only after it was found to be the one that was signed."""
        head = await self._tiles.head()
        if head is None:
            head = await self._begin()
        try:
            edge = await self._check(head)
        except (NoteRefused, TileMissing) as error:
            raise LedgerBroken(f"{error}. Run `carekeep ledger verify`.") from error
        # From here on the log must continue what this process has seen, even if the database is put back under it.
        self._tip, self._known = _Tip(head.checkpoint, edge), head.checkpoint
        return self._tip

    async def _begin(self) -> Head:
        if await self._database.fetch_one("SELECT 1 FROM ledger_entry LIMIT 1") is not None:
            raise LedgerBroken("the ledger has entries and no head: somebody removed it. Run `carekeep ledger verify`.")
        text = sign_checkpoint(Checkpoint(self._origin, 0, EMPTY_ROOT), self._private)
        row = (1, 0, text)
        # Another process may begin it at the same time; whoever is first, both go on from what is there then.
        await self._database.commit([Insert("ledger_head", ("id", "size", "checkpoint"), [row], ignore_existing=True)])
        head = await self._tiles.head()
        if head is None:
            raise LedgerBroken("the ledger's head disappeared while it was written")
        return head

    async def _check(self, head: Head) -> RightEdge:
        """Signature, size, right edge and the leaves of the last tile against each other. Cheap: not the whole log."""
        checkpoint = open_checkpoint(head.checkpoint, self.key)
        if checkpoint.size != head.size:
            raise LedgerBroken(f"the head says {head.size} entries and its checkpoint {checkpoint.size}")
        if (-1 if head.last is None else head.last) != head.size - 1:
            raise LedgerBroken(f"the checkpoint covers {head.size} entries, the last one there has index {head.last}")
        edge = await self._tiles.edge(head.size)
        if edge.root() != checkpoint.root:
            raise LedgerBroken("the last tiles do not lead to the root that the checkpoint signs")
        await self._check_last_tile(head.size)
        await self._check_known(checkpoint)
        return edge

    async def _check_last_tile(self, size: int) -> None:
        number = max(0, size - 1) // WIDTH
        leaves = await self._database.fetch(_LEAVES, (number * WIDTH, size))
        hashes = b"".join([leaf_hash(leaf) for (leaf,) in leaves])
        tile = await self._tiles.tile(Place(0, number)) or b""
        if len(leaves) != size - number * WIDTH or tile[: len(leaves) * HASH_SIZE] != hashes:
            raise LedgerBroken(f"the entries from index {number * WIDTH} on are not those of their tile")

    async def _check_known(self, checkpoint: Checkpoint) -> None:
        if self._known is None:
            return
        known = open_checkpoint(self._known, self.key)
        if known.size > checkpoint.size:
            raise LedgerBroken(
                f"a checkpoint over {known.size} entries was published, and the database holds {checkpoint.size}: it "
                "was rolled back. If it was restored from a backup on purpose, remove the kept checkpoint and tell "
                "everybody who relies on it"
            )
        if await self._tiles.root(known.size) != known.root:
            raise LedgerBroken(f"the first {known.size} entries are not those of the checkpoint kept outside")


def _steps(tip: _Tip, pending: list[Row], tiles: dict[Place, bytes], size: int, text: str) -> list[Step]:
    """Everything in one unit.

    Tiles and checkpoint appear together, so no checkpoint points at a tile that is not there (C2SP asks for tiles
    first), and a crash leaves either all of the batch waiting or all of it integrated.
    """
    start = tip.edge.size
    return [
        Change(_MOVE, [(size, text, start, tip.text)], expect=1),
        Insert(
            "ledger_entry",
            ("leaf_index", "entry_id", "leaf"),
            [(index, entry_id, leaf) for index, (entry_id, leaf) in enumerate(pending, start=start)],
        ),
        # Not `expect`: if somebody removes what waits while it is being integrated, it comes into the log all the same.
        Change(_TAKE, [(entry_id,) for entry_id, _ in pending]),
        Change(_TILE, [(place.level, place.number, hashes) for place, hashes in tiles.items()], expect=len(tiles)),
    ]

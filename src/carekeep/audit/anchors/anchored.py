"""The checkpoints that were anchored, with their receipts: rows that the ledger pins."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

from carekeep.audit.anchors.anchor import Receipt, ReceiptRefused
from carekeep.audit.checkpoint import Checkpoint, open_checkpoint
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.audit.tile_table import TileMissing, TileTable
from carekeep.encryption import Cipher, EncryptionError, associated_data
from carekeep.storage import Database, Finding, Insert, Pin, Prepared, Row

TABLE = "ledger_anchor"
_ALL = "SELECT size, anchored_ms, sealed FROM ledger_anchor ORDER BY size"
_LAST = "SELECT size, anchored_ms, sealed FROM ledger_anchor ORDER BY size DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Anchored:
    """A checkpoint (the signed note), when it was anchored, and where."""

    note: str
    size: int
    anchored_ms: int
    receipt: Receipt


class AnchoredCheckpoints:
    """The anchored checkpoints of the log with this key."""

    def __init__(self, database: Database, cipher: Cipher, key: VerifierKey) -> None:
        self._database = database
        self._cipher = cipher
        self._key = key

    def prepare_add(self, note: str, receipt: Receipt, now_ms: int) -> Prepared[Anchored]:
        """Keep a receipt. Raises NoteRefused for a checkpoint that the log has not signed."""
        size = self.checkpoint(note).size
        content = receipt.to_json() + b"\n" + note.encode()
        sealed = self._cipher.seal(content, associated_data(TABLE, size, now_ms))
        row = Insert(TABLE, ("size", "anchored_ms", "sealed"), [(size, now_ms, sealed)])
        pin = Pin(TABLE, str(size), sha256(sealed).digest())
        return Prepared(Anchored(note, size, now_ms, receipt), (row,), (pin,))

    def checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint in a note, if the log has signed it. Raises NoteRefused."""
        return open_checkpoint(note, self._key)

    async def last(self) -> Anchored | None:
        """The newest one. Raises EncryptionError, ReceiptRefused."""
        row = await self._database.fetch_one(_LAST)
        return None if row is None else self._open(row)

    async def all(self) -> AsyncIterator[Anchored]:
        """All of them, the smallest first. Raises EncryptionError, ReceiptRefused."""
        async for rows in self._database.stream(_ALL):
            for row in rows:
                yield self._open(row)

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes | None]]:
        """Every row as the ledger pins it."""
        async for rows in self._database.stream(_ALL):
            for size, _, sealed in rows:
                yield str(size), sealed

    async def verify(self) -> AsyncIterator[Finding | int]:
        """Whether each opens where it stands, and is signed, and whether the log is still what was anchored then.

        What the chain says, ``carekeep ledger anchors`` asks: verification works without the network.
        """
        async for rows in self._database.stream(_ALL):
            for row in rows:
                try:
                    fault = await self.fault_of(self._open(row))
                except (EncryptionError, ReceiptRefused) as error:
                    fault = str(error)
                if fault:
                    yield Finding(f"anchored checkpoint {row[0]}", fault)

    async def fault_of(self, anchored: Anchored) -> str:
        """What is wrong between an anchored checkpoint and the log as it is; empty if nothing is."""
        try:
            signed = self.checkpoint(anchored.note)
            if signed.size != anchored.size:
                return "it stands under another size than its own"
            same = await TileTable(self._database).root(signed.size) == signed.root
        except (NoteRefused, TileMissing) as error:
            return str(error)
        return "" if same else f"the first {signed.size} entries are not those that were anchored"

    def _open(self, row: Row) -> Anchored:
        size, anchored_ms, sealed = row
        content = self._cipher.open(sealed, associated_data(TABLE, size, anchored_ms))
        receipt, _, note = content.partition(b"\n")
        return Anchored(note.decode(), size, anchored_ms, Receipt.parse(receipt))

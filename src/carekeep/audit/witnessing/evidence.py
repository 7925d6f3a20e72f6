"""Proofs against logs, ours among them: sealed, pinned by the entry of their finding, and kept for good."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

from carekeep.audit.merkle import ProofRefused
from carekeep.audit.note import NoteRefused
from carekeep.audit.witnessing.split_views import SplitView
from carekeep.encryption import Cipher, EncryptionError, associated_data
from carekeep.storage import Clock, Database, Finding, Insert, Pin, Prepared, Row

TABLE = "split_view"
MOST_KEPT = 256
"""A log that signs ever new pasts is proven dishonest by one; it must not fill the database."""

_ALL = "SELECT id, found_ms, sealed FROM split_view ORDER BY found_ms, id"
_COUNT = "SELECT count(*) FROM split_view"
_IS_KEPT = "SELECT 1 FROM split_view WHERE id = $1"


@dataclass(frozen=True, slots=True)
class KeptSplitView:
    """A proof and when it was found (ms)."""

    evidence: SplitView
    found_ms: int


class SplitViews:
    """The proofs of one database."""

    def __init__(self, database: Database, cipher: Cipher, clock: Clock) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock

    async def prepare_keep(self, evidence: SplitView) -> Prepared[bytes] | None:
        """Keep a proof, to be recorded with the entry that tells of it; None if it, or enough, is kept already."""
        count = await self._database.fetch_one(_COUNT)
        if await self._database.fetch_one(_IS_KEPT, (evidence.id,)) or (count and count[0] >= MOST_KEPT):
            return None
        now = self._clock()
        sealed = self._cipher.seal(str(evidence).encode(), _bound_to(evidence.id, now))
        steps = (Insert(TABLE, ("id", "found_ms", "sealed"), [(evidence.id, now, sealed)]),)
        return Prepared(evidence.id, steps, (Pin(TABLE, evidence.id.hex(), sha256(sealed).digest()),))

    async def kept(self) -> list[KeptSplitView]:
        """All of them, the first found first. Raises Tampered, NoteRefused."""
        return [self._open(row) for row in await self._database.fetch(_ALL)]

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes | None]]:
        """Every row as the ledger pins it."""
        async for rows in self._database.stream(_ALL):
            for id_, _, sealed in rows:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding | int]:
        """Whether each opens where it stands, and still proves what it is kept for."""
        for row in await self._database.fetch(_ALL):
            try:
                found = self._open(row)
                found.evidence.check()
                fault = None if found.evidence.id == row[0] else "it stands under another id than its own"
            except (EncryptionError, NoteRefused, ProofRefused) as error:
                fault = str(error)
            if fault is not None:
                yield Finding(f"split view {row[0].hex()}", fault)

    def _open(self, row: Row) -> KeptSplitView:
        id_, found_ms, sealed = row
        text = self._cipher.open(sealed, _bound_to(id_, found_ms)).decode()
        return KeptSplitView(SplitView.parse(text), found_ms)


def _bound_to(id_: bytes, found_ms: int) -> bytes:
    return associated_data(TABLE, id_, found_ms)

"""Checks that every record opens where it stands, and that the index says what the records say.

Rows are walked once. What is compared for the index is an order-independent keyed sum of each scope's tags, so that
memory grows with the number of patients and not with the number of records.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Tampered, associated_data
from carekeep.records.blind_index import SHARED, facts_of, tags_of
from carekeep.records.envelope import Place, unseal
from carekeep.records.moves import Moves
from carekeep.storage import Database, Finding, Row

_VERSIONS = """
    SELECT r.rid, v.scope, v.seq, v.version, v.written, v.sealed, r.version, r.scope
      FROM record_version v LEFT JOIN record r ON r.seq = v.seq
"""
_HEADLESS = """
    SELECT r.rid, r.version FROM record r
     WHERE NOT EXISTS (SELECT 1 FROM record_version v
                        WHERE v.scope = r.scope AND v.seq = r.seq AND v.version = r.version)
"""
_TAGS = "SELECT scope, tag, seq FROM tag"
_MASK = (1 << 128) - 1


@dataclass(slots=True)
class _TagSums:
    """For each scope the sum of what its tags hash to: equal sets give equal sums."""

    sums: dict[int, int] = field(default_factory=dict)

    def add(self, scope: int, tag: int, seq: int) -> None:
        value = int.from_bytes(hashlib.sha256(associated_data(scope, tag, seq)).digest()[:16], "big")
        self.sums[scope] = self.sums.get(scope, 0) + value & _MASK


async def verify_records(database: Database, keyring: Keyring) -> AsyncIterator[Finding | int]:
    """Findings as they are met, and between them the number of rows walked so far.

    Records of forgotten patients cannot be opened any more; the ledger's pins still speak for their rows.
    """
    expected, present = _TagSums(), _TagSums()
    moves = Moves()
    forgotten: set[int] = set()
    walked = 0
    async for rows in database.stream(_VERSIONS):
        for row in rows:
            _, scope, seq, version, *_, current_scope = row
            if current_scope is not None:
                moves.meet(seq, version, scope, current_scope)
            finding = await _check_version(row, keyring, expected, forgotten)
            if finding is not None:
                yield finding
        walked += len(rows)
        yield walked
    for rid, version in await database.fetch(_HEADLESS):
        yield Finding(f"record {rid.hex()}", f"its current version {version} is missing")
    async for finding in moves.verify(database):
        yield finding
    async for rows in database.stream(_TAGS):
        for scope, tag, seq in rows:
            present.add(scope, tag, seq)
    for scope in sorted(expected.sums.keys() | present.sums.keys()):
        if scope not in forgotten and expected.sums.get(scope, 0) != present.sums.get(scope, 0):
            yield Finding(f"tag of scope {scope}", "the index does not say what the records say")


async def _check_version(row: Row, keyring: Keyring, expected: _TagSums, forgotten: set[int]) -> Finding | None:
    rid, scope, seq, version, written, sealed, current_version, current_scope = row
    if rid is None:
        return Finding(f"record_version {seq}/{version}", "it belongs to no record")
    place = Place(rid, scope, seq, version)
    if version > current_version:
        return Finding(
            f"record_version {place.pin_key}", f"it is newer than the record's current version {current_version}"
        )
    try:
        keys = keyring.shared if scope == SHARED else await keyring.scope(scope)
        stored = unseal(sealed, place, keys.cipher)
    except KeyDestroyed:
        forgotten.add(scope)
        return None
    except (KeyUnknown, KeyMissing):
        return Finding(f"record_version {place.pin_key}", "its patient's key is missing")
    except Tampered:
        return Finding(f"record_version {place.pin_key}", "it does not open at this place")
    if keyring.rid(stored.type, stored.id) != rid or (stored.version, stored.written) != (version, written):
        return Finding(f"record_version {place.pin_key}", "it is another record than its row says")
    if version == current_version and scope == current_scope and not stored.deleted:
        for tag_scope, tag in tags_of(facts_of(stored.resource, scope), keys, keyring):
            expected.add(tag_scope, tag, seq)
    return None

"""Small ledgers to look at and to break."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from carekeep.audit import Agent, Entry, Ledger, Sequencer, VerifierKey, What
from carekeep.audit.ledger import HEADER_SIZE
from carekeep.encryption import Cipher
from carekeep.storage import Change, Database, Finding, Value

ORIGIN = "ledger.example/clinic"
NOON = 1_793_880_000_000


class Keys:
    """The two keys of the ledger, always the same ones."""

    def __init__(self, name: str = "clinic") -> None:
        self._name = name
        self.checkpoint_key = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())

    def ledger_cipher(self, day: int) -> Cipher:
        return Cipher(sha256(f"{self._name} {day}".encode()).digest())


KEYS = Keys()
KEY = VerifierKey.of(ORIGIN, KEYS.checkpoint_key)


def an_entry(number: int = 0, **changes: Any) -> Entry:
    values: dict[str, Any] = {
        "action": "read:Observation:read",
        "agent": Agent("a1", "practitioner", "Practitioner/7", "s1", None, "192.0.2.1", None, None),
        "purpose": "TREAT",
        "outcome": "permitted",
        "what": (What(f"Observation/o{number}", 1),),
        "patients": ("p1",),
        "policies": ("care-team",),
        "reason": "You are on the care team.",
        "request_id": f"request-{number}",
        "at_ms": NOON + number,
    }
    return Entry(**values | changes)


def a_ledger(database: Database, keys: Keys = KEYS) -> Ledger:
    ticks = itertools.count(NOON)
    return Ledger(database, keys, clock=lambda: next(ticks))


def a_sequencer(database: Database, **options: Any) -> Sequencer:
    return Sequencer(database, KEYS, ORIGIN, **options)


async def record_all(ledger: Ledger, numbers: Iterable[int]) -> list[bytes]:
    return await asyncio.gather(*[ledger.record(an_entry(number)) for number in numbers])


async def integrate_all(sequencer: Sequencer) -> int:
    total = 0
    while done := await sequencer.integrate():
        total += done
    return total


async def a_log(database: Database, size: int) -> Ledger:
    """A ledger of ``size`` integrated entries."""
    ledger = a_ledger(database)
    await record_all(ledger, range(size))
    assert await integrate_all(a_sequencer(database)) == size
    return ledger


def a_leaf(entry_id: bytes) -> bytes:
    """Something that looks like a leaf from outside, for trees whose entries nobody opens."""
    return b"\x01" + entry_id + bytes(HEADER_SIZE - 17) + b"sealed"


async def findings_of(steps: AsyncIterator[Finding | int]) -> list[Finding]:
    return [step async for step in steps if isinstance(step, Finding)]


@dataclass(frozen=True, slots=True)
class Attacker:
    """Somebody who can write to the database behind Carekeep's back."""

    database: Database

    async def run(self, sql: str, *params: Value) -> None:
        await self.database.commit([Change(sql, [params])])

    async def value(self, sql: str, *params: Value) -> Any:
        row = await self.database.fetch_one(sql, params)
        assert row is not None
        return row[0]

    async def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table: await self.database.fetch(f"SELECT * FROM {table}") for table in _COLUMNS}  # noqa: S608

    async def restore(self, snapshot: dict[str, list[tuple[Any, ...]]]) -> None:
        for table, columns in _COLUMNS.items():
            places = ", ".join(f"${number + 1}" for number in range(len(columns)))
            await self.run(f"DELETE FROM {table}")  # noqa: S608
            sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
            await self.database.commit([Change(sql, snapshot[table])])


_COLUMNS = {
    "ledger_pending": ("entry_id", "leaf"),
    "ledger_entry": ("leaf_index", "entry_id", "leaf"),
    "ledger_tile": ("level", "number", "hashes"),
    "ledger_head": ("id", "size", "checkpoint"),
}


def flipped(value: bytes, position: int, bit: int = 0) -> bytes:
    changed = bytearray(value)
    changed[position] ^= 1 << bit
    return bytes(changed)

"""Rotation: every key moves under a new root and a new epoch, while the system works on.

The order makes it safe to stop anywhere and begin again:

1. The key service makes a new root and a new epoch and keeps the old ones (nothing happens if that was done before).
2. The old epoch is marked as retired, in the database. From then on no unit of work can add a key of that epoch: see
   ``Keyring.prepare_scope``.
3. System keys, then patient keys, are wrapped anew in batches, until a pass over the table finds nothing old.
4. Only when the database was read again and needs nothing old, the key service destroys the old root and epoch.

Every change to a row is conditional on the row being as it was read. A conflict (a key was destroyed meanwhile, a
second rotation runs) therefore costs one batch, which the next pass makes up for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from carekeep.encryption.cipher import Cipher, associated_data
from carekeep.encryption.errors import EncryptionError, KeyMissing, Tampered
from carekeep.encryption.keyservice import KeyService
from carekeep.encryption.scopes import (
    patient_key_pin,
    system_keys_of,
    unwrap_patient_key,
    unwrap_system_key,
    wrap_patient_key,
    wrap_system_key,
)
from carekeep.storage import Change, Database, Insert, Prepared, Row, Step, bump

BATCH = 500  # rows in a unit of work
_RETIRED = "retired/"

_COUNT = "SELECT count(*) FROM patient_key WHERE wrapped IS NOT NULL AND epoch <> $1"
_OLD = """
    SELECT scope, epoch, wrapped FROM patient_key
     WHERE scope > $1 AND epoch <> $2 AND wrapped IS NOT NULL ORDER BY scope LIMIT $3
"""
_MOVE_PATIENT_KEY = "UPDATE patient_key SET epoch = $1, wrapped = $2 WHERE scope = $3 AND wrapped = $4"
_MOVE_SYSTEM_KEY = "UPDATE system_key SET wrapped = $1 WHERE name = $2 AND wrapped = $3"
# PostgreSQL runs units side by side: those that write patient keys at this moment may not have seen the mark yet.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
     WHERE relation = 'patient_key'::regclass AND mode = 'RowExclusiveLock'
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WAIT_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RotationProgress:
    """``done`` of ``total`` patient keys are moved once the unit of work that comes with this is committed."""

    done: int
    total: int


class Rotation:
    """One rotation, from the beginning or from where an interrupted one stopped. ``sleep`` takes seconds."""

    def __init__(
        self,
        database: Database,
        service: KeyService,
        rows: Cipher,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._service = service
        self._rows = rows
        self._sleep = sleep
        self._done = 0
        self._total = 0

    async def run(self) -> AsyncIterator[Prepared[RotationProgress]]:
        """Units of work, each to be committed before the next is asked for.

        When a commit raises Conflict, ask for the next unit all the same. Raises EncryptionError, with the old keys
        kept, when a row does not open: it says how many, and ``verify`` says which.
        """
        self._service.begin_rotation()
        epoch = self._service.epoch
        self._total = await self._count_old(epoch)
        while not await self._is_retired(epoch - 1):
            yield self._unit(self._retire(epoch - 1))
        await self._wait_for_writers()
        while moved := await self._move_system_keys():
            yield self._unit((moved,))
        async for unit in self._move_patient_keys(epoch):
            yield unit
        if await self._count_old(epoch) or await self._move_system_keys():
            raise EncryptionError("Keys were added while they were rotated. The old keys are kept; rotate again.")
        self._service.end_rotation(epoch)
        yield self._unit((bump("keys"),))

    def _unit(self, steps: tuple[Step, ...]) -> Prepared[RotationProgress]:
        return Prepared(RotationProgress(self._done, self._total), steps)

    async def _count_old(self, epoch: int) -> int:
        row = await self._database.fetch_one(_COUNT, (epoch,))
        return int(row[0]) if row else 0

    async def _is_retired(self, epoch: int) -> bool:
        name = retirement(epoch)
        return await self._database.fetch_one("SELECT 1 FROM system_key WHERE name = $1", (name,)) is not None

    def _retire(self, epoch: int) -> tuple[Step, ...]:
        name = retirement(epoch)
        return Insert("system_key", ("name", "wrapped"), ((name, self._rows.seal(b"", _aad(name))),)), bump("keys")

    async def _wait_for_writers(self) -> None:
        """Until every unit that may have missed the mark has ended."""
        if self._database.dialect == "sqlite":
            return  # it has one writer: they all have ended
        writers = set(await self._database.fetch(_WRITERS))
        while writers:
            await self._sleep(_WAIT_SECONDS)
            writers &= set(await self._database.fetch(_WRITERS))

    async def _move_system_keys(self) -> Change | None:
        moved = [
            (wrap_system_key(self._service, name, unwrap_system_key(self._service, name, wrapped)), name, wrapped)
            for name, wrapped in (await system_keys_of(self._database)).items()
            if not is_retirement(name) and not self._service.is_newest(wrapped)
        ]
        return Change(_MOVE_SYSTEM_KEY, moved, expect=len(moved)) if moved else None

    async def _move_patient_keys(self, epoch: int) -> AsyncIterator[Prepared[RotationProgress]]:
        damaged = 0
        found = True
        while found and not damaged:
            found, after = False, -1
            while rows := await self._database.fetch(_OLD, (after, epoch, BATCH)):
                found, after = True, rows[-1][0]
                unit, failed = self._move(rows)
                damaged += failed
                if unit.steps:
                    yield unit
        if damaged:
            raise EncryptionError(
                f"{damaged} patient keys do not open and were left as they are. The old root and epoch keys are kept. "
                "Run `carekeep ledger verify` to see which, restore them from a backup, and rotate again."
            )

    def _move(self, rows: list[Row]) -> tuple[Prepared[RotationProgress], int]:
        moved, pins = [], []
        for scope, epoch, wrapped in rows:
            try:
                key = unwrap_patient_key(self._service, scope, epoch, wrapped)
            except (Tampered, KeyMissing):
                continue
            new = wrap_patient_key(self._service, scope, key)
            moved.append((self._service.epoch, new, scope, wrapped))
            pins.append(patient_key_pin(scope, new))
        self._done = min(self._done + len(moved), self._total)
        steps = (Change(_MOVE_PATIENT_KEY, moved, expect=len(moved)),) if moved else ()
        return Prepared(RotationProgress(self._done, self._total), steps, tuple(pins)), len(rows) - len(moved)


def retirement(epoch: int) -> str:
    """The name, among the system keys, of the mark that an epoch is retired."""
    return f"{_RETIRED}{epoch}"


def is_retirement(name: str) -> bool:
    """Whether a row of system_key is such a mark and not a key."""
    return name.startswith(_RETIRED)


def open_retirement(rows: Cipher, name: str, sealed: bytes) -> None:
    """Raises Tampered when a mark was not made by a rotation."""
    rows.open(sealed, _aad(name))


def _aad(name: str) -> bytes:
    return associated_data("system_key", name)

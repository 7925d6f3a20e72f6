"""Legal holds: a patient's records are kept whatever the rules say, for as long as somebody needs them as evidence."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import orjson

from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Tampered
from carekeep.records.disposal.words import DisposalRefused, written
from carekeep.records.holding import HOLD_COLUMNS, HOLD_TABLE, hold_place, is_held, while_living
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, system_clock

_ID = 16
_LISTED = 1_000
_ROWS = "SELECT id, scope, lifted_ms, revision, sealed FROM legal_hold"
_BY_ID = f"{_ROWS} WHERE id = $1"
_IN_FORCE = f"{_ROWS} WHERE lifted_ms = 0 ORDER BY id LIMIT $1"
_LIFT = "UPDATE legal_hold SET lifted_ms = $1, revision = $2, sealed = $3 WHERE id = $4 AND revision = $5"


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold. ``placed_by`` and ``lifted_by``: an account's id or the name of the operator; times in ms since 1970.

    ``lifted_ms`` is 0 while it holds.
    """

    id: bytes
    patient: str = field(repr=False)
    reason: str = field(repr=False)
    placed_by: str
    placed_ms: int
    lifted_by: str = ""
    lifted_why: str = field(default="", repr=False)
    lifted_ms: int = 0
    revision: int = 1


class Holds:
    """Every hold. Changes are prepared; a conflict at commit: it was changed, or the patient forgotten, meanwhile."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._random = random

    async def prepare_place(self, patient_id: str, by: str, reason: str) -> Prepared[Hold]:
        """A hold from now on. Several may hold one patient. Raises DisposalRefused."""
        hold = Hold(self._random(_ID), patient_id, written(reason), by, self._clock())
        scope = self._keyring.scope_of(patient_id)
        sealed = await self._seal(hold)
        row = (hold.id, scope, 0, hold.revision, sealed)
        return Prepared(hold, (while_living(scope), Insert(HOLD_TABLE, HOLD_COLUMNS, [row])), (_pin(row),))

    async def prepare_lift(self, hold: Hold, by: str, reason: str) -> Prepared[Hold]:
        """The end of a hold. Raises DisposalRefused."""
        if hold.lifted_ms:
            raise DisposalRefused("This hold was lifted before.")
        lifted = replace(
            hold,
            lifted_by=by,
            lifted_why=written(reason),
            lifted_ms=max(self._clock(), 1),
            revision=hold.revision + 1,
        )
        sealed = await self._seal(lifted)
        row = (hold.id, self._keyring.scope_of(hold.patient), lifted.lifted_ms, lifted.revision, sealed)
        change = Change(_LIFT, [(lifted.lifted_ms, lifted.revision, sealed, hold.id, hold.revision)], expect=1)
        return Prepared(lifted, (change,), (_pin(row),))

    async def is_held(self, patient_id: str) -> bool:
        """Whether a hold keeps a patient's records."""
        return await is_held(self._database, self._keyring, self._keyring.scope_of(patient_id))

    async def get(self, id_: bytes) -> Hold | None:
        """The hold with this id; None also when its patient was forgotten since. Raises Tampered."""
        row = await self._database.fetch_one(_BY_ID, (id_,))
        try:
            return None if row is None else await self._open(row)
        except KeyDestroyed:
            return None

    async def in_force(self) -> tuple[Hold, ...]:
        """Those that hold now, at most 1,000. Raises Tampered."""
        return tuple([await self._open(row) for row in await self._database.fetch(_IN_FORCE, (_LISTED,))])

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and what the pin is of."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                yield row[0].hex(), _pinned(row)

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are. Those of the forgotten stay shut; their pins speak for them."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                where = f"{HOLD_TABLE}/{row[0].hex()}"
                try:
                    await self._open(row)
                except KeyDestroyed:
                    if row[2] == 0:
                        yield Finding(where, "it is in force, and its patient's key was destroyed nevertheless")
                except (KeyUnknown, KeyMissing):
                    yield Finding(where, "its patient's key is missing")
                except Tampered as error:
                    yield Finding(where, str(error))

    async def _seal(self, hold: Hold) -> bytes:
        scope = self._keyring.scope_of(hold.patient)
        try:
            keys = await self._keyring.scope(scope)
        except KeyUnknown:
            raise DisposalRefused("There are no records of this patient here. Check the id.") from None
        except KeyDestroyed:
            raise DisposalRefused("This patient was forgotten before.") from None
        content = {
            "patient": hold.patient,
            "reason": hold.reason,
            "placed_by": hold.placed_by,
            "placed_ms": hold.placed_ms,
            "lifted_by": hold.lifted_by,
            "lifted_why": hold.lifted_why,
        }
        place = hold_place(hold.id, scope, hold.lifted_ms, hold.revision)
        return keys.cipher.seal(orjson.dumps(content), place)

    async def _open(self, row: Row) -> Hold:
        id_, scope, lifted_ms, revision, sealed = row
        keys = await self._keyring.scope(scope)
        content = orjson.loads(keys.cipher.open(sealed, hold_place(id_, scope, lifted_ms, revision)))
        return Hold(id=id_, lifted_ms=lifted_ms, revision=revision, **content)


def _pinned(row: Row) -> bytes:
    sealed: bytes = row[4]
    return hold_place(*row[:4]) + sealed


def _pin(row: Row) -> Pin:
    return Pin(HOLD_TABLE, row[0].hex(), hashlib.sha256(_pinned(row)).digest())

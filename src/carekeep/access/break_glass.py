"""Emergency access: a known clinician opens one patient's records, with a written reason, for a short time.

Whether somebody may is for the policies; this keeps what was opened. A grant is sealed with the patient's own key,
since its reason is health data: it is forgotten with the patient.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace

import orjson

from carekeep.access.decision import Principal
from carekeep.access.memory import Memory, Remembered
from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Tampered, associated_data
from carekeep.fhir import RESOURCE_TYPES
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, bump, system_clock

TOPIC = "break-glass"
"""Of generations: bumped when emergency access is opened or closed."""

MINUTE_MS = 60_000
DEFAULT_LIFETIME_MS = 60 * MINUTE_MS
LONGEST_LIFETIME_MS = 4 * 60 * MINUTE_MS
_SHORTEST_REASON, _LONGEST_REASON = 10, 1000
_FEWEST_LETTERS = 3  # different ones: "aaaaaaaaaa" and ".........." say nothing
_ALWAYS = "Patient"  # who it is about belongs to every scope
_REMEMBERED = 10_000
_REMEMBERED_MS = 60_000

_TABLE = "break_glass"
_COLUMNS = ("id", "holder", "scope", "expires_ms", "sealed")
_ROWS = "SELECT id, holder, scope, expires_ms, sealed FROM break_glass"
_OPEN = f"{_ROWS} WHERE holder = $1 AND scope = $2 AND expires_ms > $3 ORDER BY expires_ms DESC"
_OPEN_FOR = f"{_ROWS} WHERE holder = $1 AND expires_ms > $2 ORDER BY expires_ms DESC"
_RECENT = f"{_ROWS} WHERE expires_ms > $1 ORDER BY expires_ms DESC LIMIT $2"
_ALL = f"{_ROWS} ORDER BY id"
_CLOSE = "UPDATE break_glass SET expires_ms = $1, sealed = $2 WHERE id = $3 AND expires_ms = $4"

Row = tuple[bytes, bytes, int, int, bytes]


class BreakGlassRefused(ValueError):
    """Emergency access cannot be opened like this. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Emergency access to one patient. ``account`` and ``id`` are hexadecimal; times in milliseconds since the epoch.

    ``types`` are the resource types that it is for; none: the whole record. ``closed`` says that the holder ended it
    before its time.
    """

    id: str
    account: str
    session: str
    opened_ms: int
    expires_ms: int
    patient: str = field(repr=False)
    reason: str = field(repr=False)
    closed: bool = False
    types: frozenset[str] = frozenset()

    def covers(self, type_: str) -> bool:
        """Whether records of a type are within its scope."""
        return not self.types or type_ == _ALWAYS or type_ in self.types


class BreakGlass:
    """Grants of one installation; ``forget_cached`` is to be called when generation "break-glass" changes."""

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
        self._open: Memory[tuple[str, str], tuple[Grant, ...]] = Memory(_REMEMBERED)

    async def prepare_open(
        self,
        principal: Principal,
        patient_id: str,
        reason: str,
        lifetime_ms: int = DEFAULT_LIFETIME_MS,
        types: Iterable[str] = (),
    ) -> Prepared[Grant]:
        """Emergency access to a patient from now on, to be committed with its ledger entry.

        ``reason`` is what the clinician wrote, 10 to 1000 characters; ``types`` narrow it to some resource types.
        Raises BreakGlassRefused for a reason, lifetime or type that will not do and for a patient of whom there are no
        records, KeyDestroyed for a forgotten one.
        """
        reason = written_reason(reason)
        kept = frozenset(types)
        if not kept <= RESOURCE_TYPES:
            raise BreakGlassRefused("FHIR R4 has no resource type of one of the names. Leave it out, or correct it.")
        if not MINUTE_MS <= lifetime_ms <= LONGEST_LIFETIME_MS:
            raise BreakGlassRefused("Emergency access lasts between one minute and four hours.")
        now = self._clock()
        grant = Grant(
            id=self._random(16).hex(),
            account=principal.account_id,
            session=principal.session,
            opened_ms=now,
            expires_ms=now + lifetime_ms,
            patient=patient_id,
            reason=reason,
            types=kept,
        )
        row = await self._seal(grant)
        return Prepared(grant, (Insert(_TABLE, _COLUMNS, [row]), bump(TOPIC)), (_pin(row),))

    async def prepare_close(self, grant: Grant) -> Prepared[Grant]:
        """The early end of a grant. It is a conflict when the grant was closed meanwhile."""
        closed = replace(grant, expires_ms=self._clock(), closed=True)
        row = await self._seal(closed)
        values = (closed.expires_ms, row[4], row[0], grant.expires_ms)
        return Prepared(closed, (Change(_CLOSE, [values], expect=1), bump(TOPIC)), (_pin(row),))

    async def is_open(self, principal: Principal, patient_id: str, type_: str = _ALWAYS) -> Grant | None:
        """The grant by which a person has emergency access to a patient's records of a type at this moment."""
        now = self._clock()
        key = (principal.account_id, patient_id)
        known = self._open.recall(key, now)
        if known is None:
            age = self._open.age
            grants = await self._look_up(principal, patient_id, now)
            known = Remembered(grants, min([now + _REMEMBERED_MS, *(grant.expires_ms for grant in grants)]))
            self._open.keep(key, known, age)
        return next((grant for grant in known.value if grant.covers(type_)), None)

    async def open_for(self, principal: Principal) -> tuple[Grant, ...]:
        """Every grant that a person has open, the longest-lasting first."""
        holder = bytes.fromhex(principal.account_id)
        return await self._readable(await self._database.fetch(_OPEN_FOR, (holder, self._clock())))

    async def recent(self, after_ms: int, limit: int = 200) -> tuple[Grant, ...]:
        """Grants of all people that were open after ``after_ms``, the longest-lasting first; none of the forgotten."""
        return await self._readable(await self._database.fetch(_RECENT, (after_ms, limit)))

    def forget_cached(self) -> None:
        """Drop what is remembered: emergency access was opened or closed."""
        self._open.forget()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every grant: the key of its pin, and what the pin is of."""
        async for rows in self._database.stream(_ALL):
            for row in rows:
                yield row[0].hex(), _pinned(row)

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that are not as they were written. Those of the forgotten cannot be read; their pins still speak."""
        async for rows in self._database.stream(_ALL):
            for row in rows:
                try:
                    await self._unseal(row)
                except KeyDestroyed:
                    continue
                except (KeyUnknown, KeyMissing):
                    yield Finding(f"{_TABLE}/{row[0].hex()}", "its patient's key is missing")
                except Tampered:
                    yield Finding(f"{_TABLE}/{row[0].hex()}", "it does not open: changed, or not where it belongs")

    async def _look_up(self, principal: Principal, patient_id: str, now: int) -> tuple[Grant, ...]:
        holder, scope = bytes.fromhex(principal.account_id), self._keyring.scope_of(patient_id)
        grants = await self._readable(await self._database.fetch(_OPEN, (holder, scope, now)))
        return tuple(grant for grant in grants if grant.patient == patient_id)

    async def _readable(self, rows: list[Row]) -> tuple[Grant, ...]:
        """Grants that open. One that was tampered with lets nobody in; ``verify`` reports it."""
        grants = []
        for row in rows:
            try:
                grants.append(await self._unseal(row))
            except (Tampered, KeyDestroyed, KeyUnknown):
                continue
        return tuple(grants)

    async def _seal(self, grant: Grant) -> Row:
        scope = self._keyring.scope_of(grant.patient)
        try:
            keys = await self._keyring.scope(scope)
        except KeyUnknown:
            raise BreakGlassRefused("There are no records of this patient here. Check the id.") from None
        id_, holder = bytes.fromhex(grant.id), bytes.fromhex(grant.account)
        content = {
            "patient": grant.patient,
            "reason": grant.reason,
            "session": grant.session,
            "opened_ms": grant.opened_ms,
            "closed": grant.closed,
            "types": sorted(grant.types),
        }
        sealed = keys.cipher.seal(orjson.dumps(content), _place(id_, holder, scope, grant.expires_ms))
        return id_, holder, scope, grant.expires_ms, sealed

    async def _unseal(self, row: Row) -> Grant:
        id_, holder, scope, expires_ms, sealed = row
        keys = await self._keyring.scope(scope)
        content = orjson.loads(keys.cipher.open(sealed, _place(id_, holder, scope, expires_ms)))
        types = frozenset(content.pop("types", ()))  # grants from before there were scopes are of the whole record
        return Grant(id=id_.hex(), account=holder.hex(), expires_ms=expires_ms, types=types, **content)


def written_reason(reason: str) -> str:
    """The reason without space around it, if somebody can answer for it. Raises BreakGlassRefused."""
    text = reason.strip()
    if not _SHORTEST_REASON <= len(text) <= _LONGEST_REASON:
        raise BreakGlassRefused(f"Write a reason of {_SHORTEST_REASON} to {_LONGEST_REASON} characters.")
    if not text.isprintable() and not text.replace("\n", " ").replace("\t", " ").replace("\r", " ").isprintable():
        raise BreakGlassRefused("The reason holds characters that cannot be shown. Write it as plain text.")
    if len({letter for letter in text.lower() if letter.isalpha()}) < _FEWEST_LETTERS:
        raise BreakGlassRefused("Write the reason in words; it will be read.")
    return text


def _place(id_: bytes, holder: bytes, scope: int, expires_ms: int) -> bytes:
    return associated_data(_TABLE, id_, holder, scope, expires_ms)


def _pin(row: Row) -> Pin:
    return Pin(_TABLE, row[0].hex(), hashlib.sha256(_pinned(row)).digest())


def _pinned(row: Row) -> bytes:
    """The whole row: of the forgotten, whose grants do not open any more, the pin still speaks for every column."""
    return _place(*row[:4]) + row[4]

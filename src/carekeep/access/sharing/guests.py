"""Every guest: invited, let in, ended. Nothing is cached, so an end holds at once everywhere."""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from carekeep.access.sharing.guest import (
    COLUMNS,
    INVITED_MS,
    SENSITIVE,
    TABLE,
    WRONG_CODES,
    Guest,
    GuestOrder,
    GuestRefused,
    GuestRow,
    open_guest,
    seal_guest,
)
from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Secret, Tampered
from carekeep.identity import Delegation, Kind, Principal, TokenRefused
from carekeep.storage import Change, Clock, Conflict, Database, Finding, Insert, Pin, Prepared, Row, system_clock

MOST_OF_ONE_PATIENT = 50
_ID_LENGTH, _SECRET_LENGTH, _CODE_LENGTH = 16, 32, 8
_INVITATION, _TOKEN = "ckv_", "ckg_"  # so that secret scanners know them
_FORMAT = re.compile(r"ck[vg]_[A-Za-z0-9_-]{43}")
_CODES = 1_000_000
_PURGED = 100
_PURPOSES = "TREAT COC"

_ROWS = f"SELECT {', '.join(COLUMNS)} FROM {TABLE}"  # noqa: S608 - names of ours
_BY_ID = f"{_ROWS} WHERE id = $1"
_BY_HASH = f"{_ROWS} WHERE hash = $1"
_OF_SCOPE = f"{_ROWS} WHERE scope = $1 ORDER BY expires_ms DESC LIMIT $2"
_EXPIRED = "SELECT id FROM guest WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_COUNT_TRY = "UPDATE guest SET wrong = wrong + 1 WHERE id = $1 AND revision = $2 AND wrong < $3"
_PROVE = """
    UPDATE guest SET hash = $1, expires_ms = $2, revision = $3, wrong = 0, sealed = $4
     WHERE id = $5 AND revision = $6 AND expires_ms > $7
"""
_DELETE = "DELETE FROM guest WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Invited:
    """A new guest, and the two secrets that are handed out once: what goes into the link, and the code."""

    guest: Guest
    invitation: Secret
    code: Secret


@dataclass(frozen=True, slots=True)
class LetIn:
    """A guest who proved who they are, and their token; it is good until ``guest.expires_ms``."""

    guest: Guest
    token: Secret = field(repr=False)


def is_guest_token(bearer: str) -> bool:
    """Whether a bearer token is one of a guest, by its look."""
    return bearer.startswith(_TOKEN)


class Guests:
    """Guests of one installation. Changes are prepared; a conflict at commit means that somebody was faster."""

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

    async def prepare_invite(self, order: GuestOrder, by: str, *, mailed: bool) -> Prepared[Invited]:
        """A new guest. ``mailed``: the invitation goes to the address itself. Raises GuestRefused, KeyDestroyed."""
        now = self._clock()
        order.check(now)
        scope = self._keyring.scope_of(order.patient)
        if len(await self._database.fetch(_OF_SCOPE, (scope, MOST_OF_ONE_PATIENT))) >= MOST_OF_ONE_PATIENT:
            raise GuestRefused(f"A patient has at most {MOST_OF_ONE_PATIENT} guests. End some.")
        try:
            cipher = (await self._keyring.scope(scope)).cipher
        except KeyUnknown:
            raise GuestRefused("There are no records of this patient here.") from None
        id_, invitation = self._random(_ID_LENGTH), self._secret(_INVITATION)
        code = f"{int.from_bytes(self._random(_CODE_LENGTH), 'big') % _CODES:06}"
        guest = Guest(
            id=id_.hex(),
            hash=_hash(invitation),
            patient=order.patient,
            name=order.name,
            address=order.address,
            organization=order.organization,
            types=order.types,
            sensitive=order.sensitive,
            by=by,
            verified=mailed,
            invited_ms=now,
            ends_ms=order.expires_ms,
            expires_ms=min(order.expires_ms, now + INVITED_MS),
            code=self._digest(id_, code),
        )
        row = seal_guest(guest, scope, cipher)
        invited = Invited(guest, Secret(invitation), Secret(code))
        return Prepared(invited, (Insert(TABLE, COLUMNS, (row.values(),)),), (row.pin,))

    async def invited(self, invitation: str) -> Guest | None:
        """The guest whose invitation this is, while it can be taken up. Raises Tampered."""
        guest = await self._by_secret(invitation, _INVITATION)
        return guest if guest is not None and guest.state(self._clock()) == "invited" else None

    async def count_try(self, guest: Guest) -> bool:
        """Counts a code as wrong, before anybody looks at it; False when it may not be tried any more."""
        step = Change(_COUNT_TRY, [(bytes.fromhex(guest.id), guest.revision, WRONG_CODES)], expect=1)
        try:
            await self._database.commit([step])
        except Conflict:
            return False
        return True

    async def prepare_prove(self, guest: Guest, code: str) -> Prepared[LetIn] | None:
        """The guest lets themself in with the code; None for a wrong one. To be asked after ``count_try``."""
        id_ = bytes.fromhex(guest.id)
        if guest.code is None or not hmac.compare_digest(guest.code, self._digest(id_, code)):
            return None
        token, now = self._secret(_TOKEN), self._clock()
        proven = replace(
            guest,
            hash=_hash(token),
            expires_ms=guest.ends_ms,
            revision=guest.revision + 1,
            code=None,
            proven_ms=now,
            wrong=0,
        )
        row = await self._seal(proven)
        values = (row.hash, row.expires_ms, row.revision, row.sealed, row.id, guest.revision, now)
        return Prepared(LetIn(proven, Secret(token)), (Change(_PROVE, [values], expect=1),), (row.pin,))

    async def authenticate(self, bearer: str) -> Principal:
        """The guest who holds this token. Raises TokenRefused; Tampered when a row was changed."""
        guest = await self._by_secret(bearer, _TOKEN)
        if guest is None or not guest.proven_ms:
            raise TokenRefused("unknown or ended guest")
        if guest.expires_ms <= self._clock():
            raise TokenRefused("expired guest")
        return principal_of_guest(guest)

    async def of_patient(self, patient_id: str) -> tuple[Guest, ...]:
        """Every guest of a patient who was not ended, the longest-lasting first. Raises Tampered."""
        rows = await self._database.fetch(_OF_SCOPE, (self._keyring.scope_of(patient_id), MOST_OF_ONE_PATIENT))
        return tuple([await self._unseal(row) for row in rows])

    async def get(self, id_: bytes) -> Guest | None:
        """The guest with this id, if they are there and the patient was not forgotten. Raises Tampered."""
        return await self._found(await self._database.fetch_one(_BY_ID, (id_,)))

    def prepare_end(self, guest: Guest) -> Prepared[None]:
        """The end of a guest's access, or of the invitation, from the commit on."""
        id_ = bytes.fromhex(guest.id)
        return Prepared(None, (Change(_DELETE, [(id_,)], expect=1),), (_gone(id_),))

    async def prepare_purge(self, before_ms: int) -> Prepared[int]:
        """Removes at most 100 guests that were over before then; the value says how many."""
        ids = [row[0] for row in await self._database.fetch(_EXPIRED, (before_ms, _PURGED))]
        steps = (Change(_DELETE, [(id_,) for id_ in ids], expect=len(ids)),) if ids else ()
        return Prepared(len(ids), steps, tuple(_gone(id_) for id_ in ids))

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every guest: the key of its pin, and what the pin is of."""
        async for rows in self._database.stream(_ROWS):
            for row in rows:
                yield row[0].hex(), GuestRow(*row).pinned

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that are not as they were written. Those of the forgotten cannot be read; their pins still speak."""
        async for rows in self._database.stream(_ROWS):
            for row in rows:
                where = f"{TABLE}/{row[0].hex()}"
                try:
                    await self._unseal(row)
                except KeyDestroyed:
                    continue
                except (KeyUnknown, KeyMissing):
                    yield Finding(where, "its patient's key is missing")
                except Tampered:
                    yield Finding(where, "it does not open: changed, or not where it belongs")

    async def _by_secret(self, secret: str, prefix: str) -> Guest | None:
        if not secret.startswith(prefix) or not _FORMAT.fullmatch(secret):
            return None
        return await self._found(await self._database.fetch_one(_BY_HASH, (_hash(secret),)))

    async def _found(self, row: Row | None) -> Guest | None:
        try:
            return None if row is None else await self._unseal(row)
        except KeyDestroyed:
            return None

    async def _seal(self, guest: Guest) -> GuestRow:
        scope = self._keyring.scope_of(guest.patient)
        return seal_guest(guest, scope, (await self._keyring.scope(scope)).cipher)

    async def _unseal(self, row: Row) -> Guest:
        kept = GuestRow(*row)
        guest = open_guest(kept, (await self._keyring.scope(kept.scope)).cipher)
        if self._keyring.scope_of(guest.patient) != kept.scope:
            raise Tampered("A guest is filed under another patient than their own.")
        return guest

    def _secret(self, prefix: str) -> str:
        return prefix + base64.urlsafe_b64encode(self._random(_SECRET_LENGTH)).decode().rstrip("=")

    def _digest(self, id_: bytes, code: str) -> bytes:
        """What is kept of a code. Keyed, so that a copy of the database does not let it be guessed."""
        return self._keyring.index.digest("guest code", id_, code)


def principal_of_guest(guest: Guest) -> Principal:
    """The principal that a guest is: for one patient, some types, and to treat."""
    return Principal(
        account_id=guest.id,
        kind=Kind.GUEST,
        name=guest.recipient,
        fhir_user=None,
        session=guest.hash.hex(),
        assurance=1,
        authenticated_ms=guest.proven_ms,
        app=None,
        grants=frozenset({SENSITIVE}) if guest.sensitive else frozenset(),
        delegation=Delegation("guest", "guest", guest.scopes, patient=guest.patient, purpose=_PURPOSES),
    )


def _gone(id_: bytes) -> Pin:
    return Pin(TABLE, id_.hex(), b"")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

"""Every link that patients share: made, found, opened, ended. Nothing is cached, so an end holds at once everywhere."""

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from carekeep.access.sharing.link import WRONG_PASSCODES, Link, LinkOrder, LinkRefused, SharedFile, check_files
from carekeep.access.sharing.link_rows import (
    COLUMNS,
    FILE_COLUMNS,
    FILES,
    TABLE,
    LinkRow,
    file_key,
    file_place,
    open_file,
    open_link,
    seal_file,
    seal_link,
)
from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Secret, Tampered
from carekeep.storage import (
    Change,
    Clock,
    Conflict,
    Database,
    Finding,
    Insert,
    Pin,
    Prepared,
    Row,
    Step,
    system_clock,
)

MOST_OF_ONE_PATIENT = 200
_ID_LENGTH, _SECRET_LENGTH = 16, 32
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_UNBOUNDED = 1 << 62
_PURGED = 100

_ROWS = f"SELECT {', '.join(COLUMNS)} FROM {TABLE}"  # noqa: S608 - names of ours
_BY_ID = f"{_ROWS} WHERE id = $1"
_BY_HASH = f"{_ROWS} WHERE hash = $1"
_OF_SCOPE = f"{_ROWS} WHERE scope = $1 ORDER BY expires_ms DESC LIMIT $2"
_EXPIRED = f"{_ROWS} WHERE expires_ms < $1 ORDER BY expires_ms LIMIT $2"
_FILES_OF = "SELECT number, revision, sealed FROM shared_file WHERE link = $1 ORDER BY number"
_ALL_FILES = "SELECT link, number, revision, sealed FROM shared_file"
_REVISE = "UPDATE shared_link SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"
_WRONG = "SELECT wrong FROM shared_link WHERE id = $1"
_COUNT_TRY = "UPDATE shared_link SET wrong = wrong + 1 WHERE id = $1 AND wrong < $2"
_OPEN = """
    UPDATE shared_link SET opened = opened + 1, wrong = wrong - $1
     WHERE id = $2 AND revision = $3 AND opened < $4 AND expires_ms > $5
"""
_DELETE = "DELETE FROM shared_link WHERE id = $1"
_DELETE_FILES = "DELETE FROM shared_file WHERE link = $1"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A new link, and the 256 bits by which its URL is known; they are told once and kept as their hash."""

    secret: Secret
    link: Link


class SharedLinks:
    """Links of one installation. Changes are prepared; a conflict at commit means that the link changed or ended."""

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

    async def prepare_create(self, order: LinkOrder, account_id: str) -> Prepared[IssuedLink]:
        """A new link to a patient's files. Raises LinkRefused, KeyDestroyed."""
        now = self._clock()
        order.check(now)
        scope = self._keyring.scope_of(order.patient)
        rows = await self._database.fetch(_OF_SCOPE, (scope, MOST_OF_ONE_PATIENT))
        if len(rows) >= MOST_OF_ONE_PATIENT:
            raise LinkRefused(f"A patient has at most {MOST_OF_ONE_PATIENT} links. End some.")
        try:
            cipher = (await self._keyring.scope(scope)).cipher
        except KeyUnknown:
            raise LinkRefused("There are no records of this patient here.") from None
        id_, secret = self._random(_ID_LENGTH), _text(self._random(_SECRET_LENGTH))
        link = Link(
            id=id_.hex(),
            hash=_hash(secret),
            patient=order.patient,
            account=account_id,
            label=order.label,
            flags=order.flags,
            created_ms=now,
            expires_ms=order.expires_ms,
            revision=1,
            uses=order.uses,
            passcode=None if order.passcode is None else self._digest(id_, order.passcode),
            contents=order.contents,
        )
        row = seal_link(link, scope, cipher)
        files, pins = await self._sealed_files(link, order.files)
        steps = (Insert(TABLE, COLUMNS, (row.values(),)), files)
        return Prepared(IssuedLink(Secret(secret), link), steps, (row.pin, *pins))

    async def prepare_files(self, link: Link, files: tuple[SharedFile, ...]) -> Prepared[Link]:
        """Other files in the place of those that a long-term link leads to. Raises LinkRefused."""
        if "L" not in link.flags:
            raise LinkRefused("Only a link with the flag L changes. Make another link.")
        check_files(files, link.flags)
        before = await self.files(link)
        if {file.nonce for file in files} & {file.nonce for file in before}:
            raise LinkRefused("An initialization vector was used before under this key. Encrypt with a new one.")
        changed = replace(link, revision=link.revision + 1)
        scope = self._keyring.scope_of(link.patient)
        row = seal_link(changed, scope, (await self._keyring.scope(scope)).cipher)
        insert, pins = await self._sealed_files(changed, files)
        gone = [Pin(FILES, file_key(row.id, number), b"") for number in range(len(files), len(before))]
        steps: tuple[Step, ...] = (
            Change(_REVISE, [(row.revision, row.sealed, row.id, link.revision)], expect=1),
            Change(_DELETE_FILES, [(row.id,)]),
            insert,
        )
        return Prepared(changed, steps, (row.pin, *pins, *gone))

    async def prepare_end(self, link: Link) -> Prepared[None]:
        """The end of a link and of its files, for whoever has it, from the commit on."""
        id_ = bytes.fromhex(link.id)
        return self._deletion([id_], await self._numbers([id_]), None, expect=1)

    async def prepare_purge(self, before_ms: int) -> Prepared[int]:
        """Removes at most 100 links that were over before then; the value says how many."""
        rows = await self._database.fetch(_EXPIRED, (before_ms, _PURGED))
        ids = [row[0] for row in rows]
        return self._deletion(ids, await self._numbers(ids), len(ids), expect=len(ids))

    async def of_patient(self, patient_id: str) -> tuple[Link, ...]:
        """Every link to a patient's records that was not ended, the longest-lasting first. Raises Tampered."""
        rows = await self._database.fetch(_OF_SCOPE, (self._keyring.scope_of(patient_id), MOST_OF_ONE_PATIENT))
        return tuple([await self._unseal(row) for row in rows])

    async def get(self, id_: bytes) -> Link | None:
        """The link with this id, if it is there and its patient was not forgotten. Raises Tampered."""
        return await self._found(await self._database.fetch_one(_BY_ID, (id_,)))

    async def find(self, secret: str) -> Link | None:
        """The link of a URL, in whatever state. Raises Tampered."""
        if not _SECRET.fullmatch(secret):
            return None
        return await self._found(await self._database.fetch_one(_BY_HASH, (_hash(secret),)))

    async def count_try(self, link: Link) -> int | None:
        """Counts a passcode as wrong, before anybody looks at it; how many are left then, or None: it may not be tried.

        So guesses that come at once cannot be more than those that come one by one. The right one is taken back with
        the opening (``prepare_opening``).
        """
        id_ = bytes.fromhex(link.id)
        try:
            await self._database.commit([Change(_COUNT_TRY, [(id_, WRONG_PASSCODES)], expect=1)])
        except Conflict:
            return None
        return await self.tries_left(link)

    async def tries_left(self, link: Link) -> int:
        """How many passcodes may still be tried."""
        row = await self._database.fetch_one(_WRONG, (bytes.fromhex(link.id),))
        return 0 if row is None else max(0, WRONG_PASSCODES - row[0])

    def is_passcode(self, link: Link, passcode: str) -> bool:
        """Whether it is the passcode of the link. To be asked after ``count_try``."""
        return link.passcode is not None and hmac.compare_digest(
            link.passcode, self._digest(bytes.fromhex(link.id), passcode)
        )

    def prepare_opening(self, link: Link, *, tried: bool) -> Prepared[None]:
        """One use of a link; conflict: it changed, ended or was used up meanwhile. ``tried``: a try is taken back."""
        most = _UNBOUNDED if link.uses is None else link.uses
        values = (int(tried), bytes.fromhex(link.id), link.revision, most, self._clock())
        return Prepared(None, (Change(_OPEN, [values], expect=1),))

    async def files(self, link: Link) -> tuple[SharedFile, ...]:
        """What a link leads to, still encrypted with the key that is in the link. Raises Tampered."""
        id_ = bytes.fromhex(link.id)
        cipher = (await self._keyring.scope(self._keyring.scope_of(link.patient))).cipher
        rows = await self._database.fetch(_FILES_OF, (id_,))
        return tuple(
            open_file(sealed, file_place(id_, number, revision), cipher)
            for number, revision, sealed in rows
            if revision == link.revision
        )

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every link: the key of its pin, and what the pin is of."""
        async for rows in self._database.stream(_ROWS):
            for row in rows:
                yield row[0].hex(), LinkRow(*row).pinned

    async def pinned_files(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every file: the key of its pin, and what the pin is of."""
        async for rows in self._database.stream(_ALL_FILES, batch=10):
            for link, number, revision, sealed in rows:
                yield file_key(link, number), file_place(link, number, revision) + sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that are not as they were written. Those of the forgotten cannot be read; their pins still speak."""
        async for rows in self._database.stream(_ROWS):
            for row in rows:
                where = f"{TABLE}/{row[0].hex()}"
                try:
                    await self.files(await self._unseal(row))
                except KeyDestroyed:
                    continue
                except (KeyUnknown, KeyMissing):
                    yield Finding(where, "its patient's key is missing")
                except Tampered:
                    yield Finding(where, "it, or a file of it, does not open: changed, or not where it belongs")

    async def _found(self, row: Row | None) -> Link | None:
        try:
            return None if row is None else await self._unseal(row)
        except KeyDestroyed:
            return None

    async def _unseal(self, row: Row) -> Link:
        kept = LinkRow(*row)
        link = open_link(kept, (await self._keyring.scope(kept.scope)).cipher)
        if self._keyring.scope_of(link.patient) != kept.scope:
            raise Tampered("A link is filed under another patient than its own.")
        return link

    async def _sealed_files(self, link: Link, files: tuple[SharedFile, ...]) -> tuple[Insert, tuple[Pin, ...]]:
        id_, now = bytes.fromhex(link.id), self._clock()
        cipher = (await self._keyring.scope(self._keyring.scope_of(link.patient))).cipher
        rows, pins = [], []
        for number, file in enumerate(files):
            place = file_place(id_, number, link.revision)
            sealed = seal_file(replace(file, updated_ms=now), place, cipher)
            rows.append((id_, number, link.revision, sealed))
            pins.append(Pin(FILES, file_key(id_, number), hashlib.sha256(place + sealed).digest()))
        return Insert(FILES, FILE_COLUMNS, rows), tuple(pins)

    async def _numbers(self, ids: list[bytes]) -> list[tuple[bytes, int]]:
        sql = "SELECT number FROM shared_file WHERE link = $1"
        return [(id_, number) for id_ in ids for (number,) in await self._database.fetch(sql, (id_,))]

    @staticmethod
    def _deletion(ids: list[bytes], files: list[tuple[bytes, int]], value: T, *, expect: int) -> Prepared[T]:
        if not ids:
            return Prepared(value, ())
        keys = [(id_,) for id_ in ids]
        pins = [Pin(TABLE, id_.hex(), b"") for id_ in ids]
        pins += [Pin(FILES, file_key(id_, number), b"") for id_, number in files]
        return Prepared(value, (Change(_DELETE, keys, expect=expect), Change(_DELETE_FILES, keys)), tuple(pins))

    def _digest(self, id_: bytes, passcode: str) -> bytes:
        """What is kept of a passcode. Keyed, so that a copy of the database does not let it be guessed."""
        return self._keyring.index.digest("link passcode", id_, unicodedata.normalize("NFKC", passcode))


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()

"""The rows of bundles: each load, trial and rollback adds one, and the newest of a role counts."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import orjson

from carekeep.access.bundles.bundle import Bundle, BundleRefused
from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.storage import Clock, Database, Finding, Insert, Pin, Prepared, Row, bump, system_clock

TABLE = "policy_bundle"
TOPIC = "policies"
LISTED = 1_000

_COLUMNS = ("number", "role", "sealed")
_ROWS = "SELECT number, role, sealed FROM policy_bundle"
_NEWEST = f"{_ROWS} WHERE role = $1 ORDER BY number DESC LIMIT 1"
_NEWEST_NUMBERS = "SELECT role, MAX(number) FROM policy_bundle GROUP BY role"
_ALL = f"{_ROWS} ORDER BY number DESC LIMIT $1"
_ONE = f"{_ROWS} WHERE number = $1"
_LAST = "SELECT MAX(number) FROM policy_bundle"


class Role(IntEnum):
    """What a bundle is there for."""

    IN_FORCE = 1
    ON_TRIAL = 2


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """That a bundle took a role. ``bundle`` None: from then on there is none in it.

    ``by`` is who did it, ``how`` in a few words; ``signers`` are those whose signature was checked. ``at_ms`` is
    milliseconds since 1970 (UTC).
    """

    number: int
    role: Role
    bundle: Bundle | None
    at_ms: int
    by: str
    how: str
    signers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name and version of the bundle."""
        if self.bundle is not None:
            return self.bundle.title
        return "built-in" if self.role is Role.IN_FORCE else "none"

    @property
    def sentence(self) -> str:
        """What the ledger says of it."""
        place = "in force" if self.role is Role.IN_FORCE else "on trial"
        digest = "" if self.bundle is None else f", SHA-256 {self.bundle.digest.hex()}"
        signed = f", signed by {', '.join(self.signers)}" if self.signers else ""
        return f"policies {place}: {self.title}{digest}{signed} ({self.how}, number {self.number})"


class PolicyBundles:
    """The bundles of an installation. Changes are prepared; a conflict at commit means that somebody was first."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock = system_clock) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock

    async def newest_numbers(self) -> dict[Role, int]:
        """Which row counts in each role, without opening it."""
        return {Role(role): number for role, number in await self._database.fetch(_NEWEST_NUMBERS)}

    async def current(self, role: Role) -> PolicyRow | None:
        """The row that counts in a role; None where there never was one. Raises Tampered."""
        row = await self._database.fetch_one(_NEWEST, (role.value,))
        return None if row is None else self._open(row)

    async def get(self, number: int) -> PolicyRow | None:
        """One row. Raises Tampered."""
        row = await self._database.fetch_one(_ONE, (number,))
        return None if row is None else self._open(row)

    async def all(self) -> tuple[PolicyRow, ...]:
        """The rows, newest first, at most 1,000. Raises Tampered."""
        return tuple(map(self._open, await self._database.fetch(_ALL, (LISTED,))))

    async def before(self, current: PolicyRow) -> PolicyRow | None:
        """What was in the same role before, and was something else. Raises Tampered."""
        for row in await self.all():
            if row.role == current.role and row.number < current.number and row.bundle != current.bundle:
                return row
        return None

    async def prepare_put(
        self, role: Role, bundle: Bundle | None, by: str, how: str, signers: tuple[str, ...] = ()
    ) -> Prepared[PolicyRow]:
        """A bundle in a role from now on; None: none any more. The caller has checked it."""
        last = await self._database.fetch_one(_LAST)
        number = 1 + ((last[0] if last is not None else 0) or 0)
        found = PolicyRow(number, role, bundle, self._clock(), by, how, signers)
        sealed = self._keyring.rows.seal(_content(found), _place(number, role))
        insert = Insert(TABLE, _COLUMNS, ((number, role.value, sealed),))
        return Prepared(found, (insert, bump(TOPIC)), (Pin(TABLE, str(number), hashlib.sha256(sealed).digest()),))

    async def prepare_rollback(self, by: str, number: int | None = None) -> Prepared[PolicyRow]:
        """In force again what was so under ``number``; None: what was before the one in force, or what comes with us.

        Raises BundleRefused where nothing was in force under that number, Tampered.
        """
        current = await self.current(Role.IN_FORCE)
        found = await self.get(number) if number else (await self.before(current) if current else None)
        if number and (found is None or found.role is not Role.IN_FORCE):
            raise BundleRefused(f"no bundle was in force under the number {number}")
        if found is None:
            return await self.prepare_built_in(by)
        how = f"rolled back to number {found.number}"
        return await self.prepare_put(Role.IN_FORCE, found.bundle, by, how, found.signers)

    async def prepare_built_in(self, by: str) -> Prepared[PolicyRow]:
        """In force again only what comes with Carekeep, without a bundle."""
        return await self.prepare_put(Role.IN_FORCE, None, by, "rolled back to what comes with Carekeep")

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream("SELECT number, sealed FROM policy_bundle"):
            for number, sealed in batch:
                yield str(number), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                try:
                    self._open(row)
                except Tampered as error:
                    yield Finding(f"{TABLE}/{row[0]}", str(error))

    def _open(self, row: Row) -> PolicyRow:
        number, role, sealed = row
        content: dict[str, Any] = orjson.loads(self._keyring.rows.open(sealed, _place(number, role)))
        try:
            bundle = None if content["bundle"] is None else Bundle.parse(content["bundle"])
        except BundleRefused as refused:
            raise Tampered(f"{TABLE}/{number} holds no bundle: {refused}") from None
        return PolicyRow(
            number=number,
            role=Role(role),
            bundle=bundle,
            at_ms=content["at_ms"],
            by=content["by"],
            how=content["how"],
            signers=tuple(content["signers"]),
        )


def _content(row: PolicyRow) -> bytes:
    return orjson.dumps(
        {
            "bundle": None if row.bundle is None else orjson.Fragment(row.bundle.dump()),
            "at_ms": row.at_ms,
            "by": row.by,
            "how": row.how,
            "signers": row.signers,
        }
    )


def _place(number: int, role: int) -> bytes:
    return associated_data(TABLE, number, int(role))

"""What a guest is: a clinician from outside who was invited to read one patient's records, for a time.

The address is proven by a link that goes there, the person by a code that goes another way: the inviter reads it out.
Where no mail can be sent, the inviter hands over both, and the address counts as not verified.
"""

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from carekeep.encryption import Cipher, associated_data
from carekeep.fhir import RESOURCE_TYPES
from carekeep.storage import Pin, Value

TABLE = "guest"
COLUMNS = ("id", "hash", "scope", "expires_ms", "revision", "wrong", "sealed")
WRONG_CODES = 5
HOUR_MS = 3600 * 1000
INVITED_MS = 72 * HOUR_MS
"""How long an invitation waits to be taken up."""

SHORTEST_MS = HOUR_MS
LONGEST_MS = 30 * 24 * HOUR_MS
MOST_TYPES = 40
SENSITIVE = "sensitive"
"""What a guest is granted who may see specially protected records as well."""

_LONGEST_TEXT = 120
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
_LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3, without the brackets


class GuestRefused(ValueError):
    """A guest cannot be invited like this. The message says what to change."""


@dataclass(frozen=True, slots=True)
class GuestOrder:
    """Whom somebody invites. ``types``: the resource types; none: all. ``expires_ms``: milliseconds since 1970."""

    patient: str = field(repr=False)
    name: str = field(repr=False)
    address: str = field(repr=False)
    organization: str = field(repr=False)
    types: frozenset[str]
    sensitive: bool
    expires_ms: int

    def check(self, now_ms: int) -> None:
        """Raises GuestRefused."""
        for what, text in (("name", self.name), ("organization", self.organization)):
            if not 0 < len(text) <= _LONGEST_TEXT or not text.isprintable() or text != text.strip() or "<" in text:
                raise GuestRefused(f"The {what} has 1 to {_LONGEST_TEXT} printable characters, none of them <.")
        if len(self.address) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(self.address):
            raise GuestRefused("The address is no plain e-mail address like w.okoye@example.org.")
        if not self.types <= RESOURCE_TYPES or len(self.types) > MOST_TYPES:
            raise GuestRefused(f"types are names of at most {MOST_TYPES} FHIR R4 resource types, or there are none.")
        if not SHORTEST_MS <= self.expires_ms - now_ms <= LONGEST_MS:
            raise GuestRefused("A guest's access ends between an hour and 30 days from now.")


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest as they are kept. ``id`` and ``by`` (the account that invited them) are hexadecimal.

    ``verified``: the invitation went to the address itself. ``code``: the digest of what is read out, until it was
    given; ``proven_ms``: when that was, 0 before. ``ends_ms``: when the access ends; until it is taken up,
    ``expires_ms`` is when the invitation does.
    """

    id: str
    hash: bytes = field(repr=False)
    patient: str = field(repr=False)
    name: str = field(repr=False)
    address: str = field(repr=False)
    organization: str = field(repr=False)
    types: frozenset[str]
    sensitive: bool
    by: str
    verified: bool
    invited_ms: int
    ends_ms: int
    expires_ms: int
    revision: int = 1
    code: bytes | None = field(default=None, repr=False)
    proven_ms: int = 0
    wrong: int = 0

    @property
    def recipient(self) -> str:
        """How the ledger names whom something was disclosed to."""
        how = "" if self.verified else " (address not verified)"
        return f"{self.name}, {self.organization} <{self.address}>{how}"

    @property
    def scopes(self) -> str:
        """What narrows the guest to the patient and the types, as SMART scopes."""
        return " ".join(f"patient/{type_}.rs" for type_ in sorted(self.types | {"Patient"})) if self.types else _ALL

    def state(self, now_ms: int) -> str:
        """In a word for people."""
        if self.expires_ms <= now_ms:
            return "expired"
        if self.proven_ms:
            return "reading"
        return "ended by wrong codes" if self.wrong >= WRONG_CODES else "invited"


_ALL = "patient/*.rs"


@dataclass(frozen=True, slots=True)
class GuestRow:
    """A row of ``guest``, in the order of COLUMNS."""

    id: bytes
    hash: bytes
    scope: int
    expires_ms: int
    revision: int
    wrong: int
    sealed: bytes

    @property
    def place(self) -> bytes:
        """Where it belongs: every column but the counter."""
        return associated_data(TABLE, self.id, self.hash, self.scope, self.expires_ms, self.revision)

    @property
    def pinned(self) -> bytes:
        """The whole row: the pin still speaks for those of the forgotten, which do not open any more."""
        return self.place + self.sealed

    @property
    def pin(self) -> Pin:
        """What the ledger says of it."""
        return Pin(TABLE, self.id.hex(), hashlib.sha256(self.pinned).digest())

    def values(self) -> tuple[Value, ...]:
        """As it is inserted."""
        return (self.id, self.hash, self.scope, self.expires_ms, self.revision, self.wrong, self.sealed)


def seal_guest(guest: Guest, scope: int, cipher: Cipher) -> GuestRow:
    """The row of a guest."""
    content = {
        "patient": guest.patient,
        "name": guest.name,
        "address": guest.address,
        "organization": guest.organization,
        "types": sorted(guest.types),
        "sensitive": guest.sensitive,
        "by": guest.by,
        "verified": guest.verified,
        "invited_ms": guest.invited_ms,
        "ends_ms": guest.ends_ms,
        "code": guest.code.hex() if guest.code else None,
        "proven_ms": guest.proven_ms,
    }
    bare = GuestRow(bytes.fromhex(guest.id), guest.hash, scope, guest.expires_ms, guest.revision, guest.wrong, b"")
    return replace(bare, sealed=cipher.seal(orjson.dumps(content), bare.place))


def open_guest(row: GuestRow, cipher: Cipher) -> Guest:
    """The guest in a row. Raises Tampered."""
    content: dict[str, Any] = orjson.loads(cipher.open(row.sealed, row.place))
    return Guest(
        id=row.id.hex(),
        hash=row.hash,
        patient=content["patient"],
        name=content["name"],
        address=content["address"],
        organization=content["organization"],
        types=frozenset(content["types"]),
        sensitive=content["sensitive"],
        by=content["by"],
        verified=content["verified"],
        invited_ms=content["invited_ms"],
        ends_ms=content["ends_ms"],
        expires_ms=row.expires_ms,
        revision=row.revision,
        code=bytes.fromhex(content["code"]) if content["code"] else None,
        proven_ms=content["proven_ms"],
        wrong=row.wrong,
    )

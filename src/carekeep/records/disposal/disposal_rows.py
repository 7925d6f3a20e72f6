"""One disposal and its row.

``sealed`` (key of rows) says who, when and what was certified; it outlives the patient. ``about`` (the patient's key)
names the patient and says why; it ends with the patient.
"""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, associated_data
from carekeep.storage import Pin, Row

TABLE = "disposal"
COLUMNS = ("id", "scope", "expires_ms", "revision", "sealed", "about")


class Ground(StrEnum):
    """Why records go: their time is over, or the patient may ask for it (GDPR Art. 17)."""

    SCHEDULE = "schedule"
    ERASURE = "erasure"


class State(StrEnum):
    """How far it is."""

    PROPOSED = "proposed"
    DISPOSED = "disposed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class About:
    """Whose records, and why in the proposer's words."""

    patient: str = field(repr=False)
    reason: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Disposal:
    """One disposal. Accounts are ids of 16 bytes; times are milliseconds since 1970 (UTC).

    ``certificate`` is its text as it was made, byte for byte; empty before. ``about`` is None once it was done.
    """

    id: bytes
    scope: int
    ground: Ground
    proposed_by: bytes
    proposed_ms: int
    expires_ms: int
    about: About | None
    state: State = State.PROPOSED
    decided_by: bytes = b""
    decided_ms: int = 0
    certificate: str = ""
    revision: int = 1
    kept: bytes = field(default=b"", repr=False)

    @property
    def certificate_digest(self) -> str:
        """SHA-256 of the certificate, in hexadecimal, as the ledger entry and the statement name it."""
        return hashlib.sha256(self.certificate.encode()).hexdigest()


async def seal_disposal(disposal: Disposal, keyring: Keyring) -> tuple[bytes, int, int, int, bytes, bytes]:
    """The row of a disposal. Raises KeyDestroyed, KeyUnknown where ``about`` is to be sealed."""
    about = disposal.kept
    if disposal.about is not None:
        keys = await keyring.scope(disposal.scope)
        content = {"patient": disposal.about.patient, "reason": disposal.about.reason}
        about = keys.cipher.seal(orjson.dumps(content), _about_place(disposal.id, disposal.scope))
    known = {
        "ground": disposal.ground,
        "state": disposal.state,
        "proposed_by": disposal.proposed_by.hex(),
        "proposed_ms": disposal.proposed_ms,
        "decided_by": disposal.decided_by.hex(),
        "decided_ms": disposal.decided_ms,
        "certificate": disposal.certificate,
    }
    open_ = (disposal.id, disposal.scope, disposal.expires_ms, disposal.revision)
    return (*open_, keyring.rows.seal(orjson.dumps(known), associated_data(TABLE, *open_)), about)


async def open_disposal(row: Row, keyring: Keyring) -> Disposal:
    """The disposal in a row. Raises Tampered, KeyMissing."""
    id_, scope, expires_ms, revision, sealed, kept = row
    content: dict[str, Any] = orjson.loads(keyring.rows.open(sealed, associated_data(TABLE, *row[:4])))
    return Disposal(
        id=id_,
        scope=scope,
        ground=Ground(content["ground"]),
        proposed_by=bytes.fromhex(content["proposed_by"]),
        proposed_ms=content["proposed_ms"],
        expires_ms=expires_ms,
        about=await _open_about(kept, id_, scope, keyring),
        state=State(content["state"]),
        decided_by=bytes.fromhex(content["decided_by"]),
        decided_ms=content["decided_ms"],
        certificate=content["certificate"],
        revision=revision,
        kept=kept,
    )


async def _open_about(kept: bytes, id_: bytes, scope: int, keyring: Keyring) -> About | None:
    try:
        keys = await keyring.scope(scope)
    except KeyDestroyed:
        return None
    except KeyUnknown:
        raise KeyMissing("The key of the patient whom a disposal is about is missing.") from None
    return About(**orjson.loads(keys.cipher.open(kept, _about_place(id_, scope))))


def pinned(row: Row) -> bytes:
    """What the pin is of: the whole row."""
    return associated_data(TABLE, *row)


def pin_of(row: Row) -> Pin:
    """The pin of a row."""
    return Pin(TABLE, row[0].hex(), hashlib.sha256(pinned(row)).digest())


def _about_place(id_: bytes, scope: int) -> bytes:
    return associated_data(TABLE, "about", id_, scope)

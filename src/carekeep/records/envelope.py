"""What is sealed in a row: the facts that decisions need, and the resource exactly as it is served.

The facts stand before the body so that a read is decided, recorded and answered without parsing the resource.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from carekeep.encryption import Cipher, associated_data
from carekeep.fhir import parse_json

_HEADER_LENGTH = 4  # bytes, big-endian, before the header


@dataclass(frozen=True)
class Stored:
    """One version of one record, decrypted.

    ``last_updated_ms`` is milliseconds since 1970 (UTC). ``patients`` are the ids of the patients in whose
    compartment the record is, its owner first; ``labels`` are ``system|code``. ``written`` puts versions in the order
    of their writing, whatever record they are of (time in its high bits, see ``numbering``). ``body`` is FHIR JSON,
    empty for a deletion.
    """

    type: str
    id: str
    version: int
    last_updated_ms: int
    deleted: bool
    patients: tuple[str, ...]
    labels: tuple[str, ...]
    written: int
    body: bytes

    @property
    def reference(self) -> str:
        """``Type/id``."""
        return f"{self.type}/{self.id}"

    @cached_property
    def resource(self) -> dict[str, Any]:
        """The resource as parsed JSON, decimals kept as written. Not to be changed by callers."""
        return parse_json(self.body)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version is kept: what its ciphertext is bound to."""

    rid: bytes
    scope: int
    seq: int
    version: int

    @property
    def pin_key(self) -> str:
        """How the ledger names this row."""
        return f"{self.rid.hex()}/{self.version}"

    def associated_data(self) -> bytes:
        """The AAD of the row's ciphertext: the row, and nothing but this row."""
        return associated_data("record_version", self.rid, self.scope, self.seq, self.version)


def seal(stored: Stored, place: Place, cipher: Cipher) -> bytes:
    """The ciphertext of one version at one place."""
    header = orjson.dumps(
        (
            stored.type,
            stored.id,
            stored.version,
            stored.last_updated_ms,
            stored.deleted,
            stored.patients,
            stored.labels,
            stored.written,
        )
    )
    plaintext = b"%b%b%b" % (len(header).to_bytes(_HEADER_LENGTH, "big"), header, stored.body)
    return cipher.seal(plaintext, place.associated_data())


def unseal(sealed: bytes, place: Place, cipher: Cipher) -> Stored:
    """The version behind a ciphertext. Raises Tampered when row, place or key do not belong together."""
    plaintext = cipher.open(sealed, place.associated_data())
    end = _HEADER_LENGTH + int.from_bytes(plaintext[:_HEADER_LENGTH], "big")
    type_, id_, version, updated, deleted, patients, labels, written = orjson.loads(plaintext[_HEADER_LENGTH:end])
    return Stored(type_, id_, version, updated, deleted, tuple(patients), tuple(labels), written, plaintext[end:])

"""How links and their files are kept: sealed with the patient's key, each row bound to where it stands."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import orjson

from carekeep.access.sharing.link import Link, SharedFile
from carekeep.encryption import Cipher, associated_data
from carekeep.storage import Pin, Value

TABLE = "shared_link"
FILES = "shared_file"
COLUMNS = ("id", "hash", "scope", "expires_ms", "revision", "opened", "wrong", "sealed")
FILE_COLUMNS = ("link", "number", "revision", "sealed")


@dataclass(frozen=True, slots=True)
class LinkRow:
    """A row of ``shared_link``, in the order of COLUMNS."""

    id: bytes
    hash: bytes
    scope: int
    expires_ms: int
    revision: int
    opened: int
    wrong: int
    sealed: bytes

    @property
    def place(self) -> bytes:
        """Where it belongs: every column but the counters."""
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
        return (self.id, self.hash, self.scope, self.expires_ms, self.revision, self.opened, self.wrong, self.sealed)


def seal_link(link: Link, scope: int, cipher: Cipher) -> LinkRow:
    """The row of a link."""
    content = {
        "patient": link.patient,
        "account": link.account,
        "label": link.label,
        "flags": link.flags,
        "created_ms": link.created_ms,
        "uses": link.uses,
        "passcode": link.passcode.hex() if link.passcode else None,
        "contents": link.contents,
    }
    id_ = bytes.fromhex(link.id)
    bare = LinkRow(id_, link.hash, scope, link.expires_ms, link.revision, link.opened, link.wrong, b"")
    return replace(bare, sealed=cipher.seal(orjson.dumps(content), bare.place))


def open_link(row: LinkRow, cipher: Cipher) -> Link:
    """The link in a row. Raises Tampered."""
    content: dict[str, Any] = orjson.loads(cipher.open(row.sealed, row.place))
    return Link(
        id=row.id.hex(),
        hash=row.hash,
        patient=content["patient"],
        account=content["account"],
        label=content["label"],
        flags=content["flags"],
        created_ms=content["created_ms"],
        expires_ms=row.expires_ms,
        revision=row.revision,
        uses=content["uses"],
        passcode=bytes.fromhex(content["passcode"]) if content["passcode"] else None,
        contents=tuple(content["contents"]),
        opened=row.opened,
        wrong=row.wrong,
    )


def seal_file(file: SharedFile, place: bytes, cipher: Cipher) -> bytes:
    """A file, encrypted once more: the ciphertext of a forgotten patient is nothing to anybody with the link."""
    head = orjson.dumps([file.content_type, file.updated_ms])
    return cipher.seal(len(head).to_bytes(2, "big") + head + file.jwe.encode("ascii"), place)


def open_file(sealed: bytes, place: bytes, cipher: Cipher) -> SharedFile:
    """The file in a row. Raises Tampered."""
    content = cipher.open(sealed, place)
    end = 2 + int.from_bytes(content[:2], "big")
    content_type, updated_ms = orjson.loads(content[2:end])
    return SharedFile(content_type, content[end:].decode("ascii"), updated_ms)


def file_place(link: bytes, number: int, revision: int) -> bytes:
    """Where a file's row belongs."""
    return associated_data(FILES, link, number, revision)


def file_key(link: bytes, number: int) -> str:
    """The key of a file's pin."""
    return f"{link.hex()}/{number}"

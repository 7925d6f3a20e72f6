"""What a device is, and how it is kept in its row."""

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from carekeep.encryption import Cipher, Keyring, associated_data
from carekeep.identity.errors import IdentityError
from carekeep.identity.posture import Posture
from carekeep.identity.principal import Binding, BindingKind, DeviceStanding
from carekeep.storage import Pin

TABLE = "device"
_LONGEST_NAME = 100  # characters
_LONGEST_PLATFORM = 64
_LONGEST_SERIAL = 128
_THUMBPRINT_LENGTH = 43  # characters of base64url for a SHA-256


class DeviceRefused(IdentityError):
    """A device cannot be enrolled or changed like this; the message says why."""


class DeviceState(StrEnum):
    """Only an enrolled device counts as one. The other states are final: who is found again gets a new key."""

    ENROLLED = "enrolled"
    LOST = "lost"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Device:
    """A machine with a key of its own.

    ``id`` and ``account`` (its owner): 16 random bytes. ``key``: what tokens on it are bound to. ``serial``: by what
    device management (MDM) knows it. ``managed``: said by an administrator or by MDM, never by the device.
    ``posture``: its last report, at ``reported_ms``; ``failing``: the sentences on what is not enough about it.
    ``healthy_until_ms``: until when the last good report holds; 0 without one. Times: milliseconds since 1970 (UTC).
    """

    id: bytes
    account: bytes
    key: Binding
    name: str = field(repr=False)
    platform: str
    enrolled_ms: int
    serial: str = field(default="", repr=False)
    state: DeviceState = DeviceState.ENROLLED
    managed: bool = False
    posture: Posture | None = None
    reported_ms: int = 0
    healthy_until_ms: int = 0
    failing: tuple[str, ...] = ()
    revision: int = 1

    def __post_init__(self) -> None:
        """Raises DeviceRefused."""
        for what, text, longest in (("name", self.name, _LONGEST_NAME), ("platform", self.platform, _LONGEST_PLATFORM)):
            if not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
                raise DeviceRefused(
                    f"A device's {what} has 1 to {longest} printable characters, no spaces at its ends."
                )
        if len(self.serial) > _LONGEST_SERIAL or not self.serial.isprintable():
            raise DeviceRefused(f"A serial number has at most {_LONGEST_SERIAL} printable characters.")
        if len(self.key.thumbprint) != _THUMBPRINT_LENGTH:
            raise DeviceRefused("A device has a key of its own, known by the SHA-256 of it.")

    @property
    def standing(self) -> DeviceStanding:
        """What decisions see of it."""
        return DeviceStanding(self.id.hex(), self.managed, bool(self.failing), self.healthy_until_ms)


def key_tag(keyring: Keyring, key: Binding) -> bytes:
    """What stands in the database for a device's key."""
    return keyring.index.digest("device key", key.kind, key.thumbprint)


def seal_device(device: Device, tag: bytes, cipher: Cipher) -> bytes:
    """The sealed content of a device's row."""
    content = {
        "key": [device.key.kind, device.key.thumbprint],
        "name": device.name,
        "platform": device.platform,
        "serial": device.serial,
        "enrolled_ms": device.enrolled_ms,
        "state": device.state,
        "managed": device.managed,
        "posture": device.posture.facts() if device.posture else None,
        "reported_ms": device.reported_ms,
        "healthy_until_ms": device.healthy_until_ms,
        "failing": device.failing,
    }
    return cipher.seal(orjson.dumps(content), _place(device.id, tag, device.account, device.revision))


def open_device(row: tuple[bytes, bytes, bytes, int, bytes], cipher: Cipher) -> Device:
    """The device in a row (id, key_tag, account, revision, sealed). Raises Tampered."""
    id_, tag, account, revision, sealed = row
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, _place(id_, tag, account, revision)))
    kind, thumbprint = content["key"]
    return Device(
        id=id_,
        account=account,
        key=Binding(BindingKind(kind), thumbprint),
        name=content["name"],
        platform=content["platform"],
        serial=content["serial"],
        enrolled_ms=content["enrolled_ms"],
        state=DeviceState(content["state"]),
        managed=content["managed"],
        posture=Posture.read(content["posture"]) if content["posture"] else None,
        reported_ms=content["reported_ms"],
        healthy_until_ms=content["healthy_until_ms"],
        failing=tuple(content["failing"]),
        revision=revision,
    )


def pin_of(id_: bytes, sealed: bytes) -> Pin:
    """What the ledger says of a device's row."""
    return Pin(TABLE, id_.hex(), hashlib.sha256(sealed).digest())


def _place(id_: bytes, tag: bytes, account: bytes, revision: int) -> bytes:
    return associated_data(TABLE, id_, tag, account, revision)

"""The format of a key file.

Version 1 is one JSON object, UTF-8::

    {"format": "carekeep-key-file", "version": 1,
     "kdf": {"name": "argon2id", "memory_kib": 65536, "iterations": 3, "lanes": 4, "salt": BASE64},
     "sealed": BASE64}

Argon2id (RFC 9106) of the passphrase (NFKC, UTF-8), the salt and the costs gives a 32-byte key; ``sealed`` is a sealed
blob (see ``cipher``) of a ``KeySet`` under that key, bound to format, version and every parameter.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carekeep.encryption.argon2 import SALT_LENGTH, Argon2Cost, argon2_key
from carekeep.encryption.cipher import Cipher, associated_data
from carekeep.encryption.errors import KeyFileError, Tampered, UnknownSuite, WrongPassphrase
from carekeep.encryption.keyset import KeySet
from carekeep.encryption.secret import Hidden, Secret

_FORMAT = "carekeep-key-file"
_VERSION = 1
_MAXIMUM_SIZE = 1 << 20  # bytes; some thousand keys
_MAXIMUM_PASSPHRASE = 1024  # bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in the open: how the passphrase becomes a key."""

    cost: Argon2Cost
    salt: bytes

    def associated_data(self) -> bytes:
        """What the sealed part is bound to."""
        cost = self.cost
        return associated_data(_FORMAT, _VERSION, "argon2id", cost.memory_kib, cost.iterations, cost.lanes, self.salt)


class Seal(Hidden):
    """Writes and reads the sealed part; keeps the derived key, inside a cipher, and not the passphrase."""

    __slots__ = ("_cipher", "_header")

    def __init__(self, header: Header, passphrase: Secret, random: Callable[[int], bytes]) -> None:
        if not 0 < len(passphrase.reveal()) <= _MAXIMUM_PASSPHRASE:
            raise KeyFileError(f"A passphrase has 1 to {_MAXIMUM_PASSPHRASE} bytes.")
        self._header = header
        self._cipher = Cipher(argon2_key(passphrase, header.salt, header.cost), random)

    def write(self, keys: KeySet) -> bytes:
        """The content of a key file."""
        cost = self._header.cost
        kdf = {
            "name": "argon2id",
            "memory_kib": cost.memory_kib,
            "iterations": cost.iterations,
            "lanes": cost.lanes,
            "salt": base64.b64encode(self._header.salt).decode(),
        }
        sealed = self._cipher.seal(keys.to_json(), self._header.associated_data())
        content = {"format": _FORMAT, "version": _VERSION, "kdf": kdf, "sealed": base64.b64encode(sealed).decode()}
        return json.dumps(content, indent=1).encode() + b"\n"

    def read(self, path: Path, header: Header, sealed: bytes) -> KeySet:
        """The keys of a file that was read from ``path``. Raises WrongPassphrase, KeyFileError."""
        if header != self._header:
            raise KeyFileError(
                f"The key file {path} has another passphrase than when it was opened. Restart with the new one."
            )
        try:
            return KeySet.from_json(self._cipher.open(sealed, header.associated_data()))
        except UnknownSuite:
            raise KeyFileError(f"The key file {path} is sealed by an unknown cipher suite.") from None
        except Tampered:
            raise WrongPassphrase(
                f"The passphrase does not open the key file {path} (or the file was changed)."
            ) from None


def read_key_file(path: Path) -> tuple[Header, bytes]:
    """The header and the sealed part of a file. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAXIMUM_SIZE + 1)
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    if len(content) > _MAXIMUM_SIZE:
        raise KeyFileError(f"{path} is too large to be a key file.")
    try:
        return _parse(content)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise KeyFileError(f"{path} is not a key file that this version of Carekeep understands: {error}.") from None


def _parse(content: bytes) -> tuple[Header, bytes]:
    parsed: Any = json.loads(content)
    if not isinstance(parsed, dict) or parsed.get("format") != _FORMAT:
        raise ValueError("it does not say that it is one")
    if parsed["version"] != _VERSION:
        raise ValueError(f"its format is version {parsed['version']!r:.20}, not {_VERSION}")
    kdf = parsed["kdf"]
    if kdf["name"] != "argon2id":
        raise ValueError("its key derivation is not argon2id")
    numbers = (kdf["memory_kib"], kdf["iterations"], kdf["lanes"])
    if not all(type(number) is int for number in numbers):
        raise ValueError("its Argon2id costs are not numbers")
    salt = base64.b64decode(kdf["salt"], validate=True)
    if len(salt) != SALT_LENGTH:
        raise ValueError(f"its salt does not have {SALT_LENGTH} bytes")
    return Header(Argon2Cost(*numbers), salt), base64.b64decode(parsed["sealed"], validate=True)

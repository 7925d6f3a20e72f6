"""What a key file keeps: root keys and epoch keys, oldest first, the last of each being the one in use."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from carekeep.encryption.cipher import KEY_LENGTH
from carekeep.encryption.errors import KeyFileError
from carekeep.encryption.secret import Hidden

ROOT_ID_LENGTH = 8


@dataclass(frozen=True, slots=True, repr=False)
class KeySet(Hidden):
    """Root keys by id (random, 8 bytes) and epoch keys by number (1, 2, …), both in the order of their making."""

    roots: tuple[tuple[bytes, bytes], ...]
    epochs: tuple[tuple[int, bytes], ...]

    @classmethod
    def new(cls, random: Callable[[int], bytes]) -> "KeySet":
        """One new root and the first epoch."""
        return cls(((random(ROOT_ID_LENGTH), random(KEY_LENGTH)),), ((1, random(KEY_LENGTH)),))

    @property
    def root_id(self) -> bytes:
        """The newest root."""
        return self.roots[-1][0]

    @property
    def epoch(self) -> int:
        """The newest epoch."""
        return self.epochs[-1][0]

    @property
    def retiring(self) -> bool:
        """Whether anything older than the newest is still kept."""
        return len(self.roots) > 1 or len(self.epochs) > 1

    def rotated(self, random: Callable[[int], bytes]) -> "KeySet":
        """With one more root and one more epoch; the same when there are older ones already."""
        if self.retiring:
            return self
        new = KeySet.new(random)
        return replace(self, roots=self.roots + new.roots, epochs=(*self.epochs, (self.epoch + 1, new.epochs[0][1])))

    def retired(self, epoch: int) -> "KeySet":
        """With the newest root and epoch only; the same when ``epoch`` is not the newest any more."""
        if self.epoch != epoch:
            return self
        return replace(self, roots=self.roots[-1:], epochs=self.epochs[-1:])

    def to_json(self) -> bytes:
        """The plaintext of a key file."""
        roots = [{"id": id_.hex(), "key": _encode(key)} for id_, key in self.roots]
        epochs = [{"number": number, "key": _encode(key)} for number, key in self.epochs]
        return json.dumps({"roots": roots, "epochs": epochs}).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "KeySet":
        """Reads what ``to_json`` wrote. Raises KeyFileError."""
        try:
            parsed: dict[str, Any] = json.loads(content)
            roots = tuple((bytes.fromhex(root["id"]), _decode(root["key"])) for root in parsed["roots"])
            epochs = tuple((int(epoch["number"]), _decode(epoch["key"])) for epoch in parsed["epochs"])
        except (KeyError, TypeError, ValueError):
            raise KeyFileError("The key file opens, but what is in it cannot be understood.") from None
        if not roots or not epochs:
            raise KeyFileError("The key file opens, but there is no key in it.")
        return cls(roots, epochs)


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decode(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_LENGTH:
        raise binascii.Error("a key of the wrong length")
    return key

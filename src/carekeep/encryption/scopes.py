"""The keys of one scope (a patient, or what belongs to no patient), and how a patient's key is wrapped."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from carekeep.encryption.cipher import Cipher, associated_data
from carekeep.encryption.derivation import derive
from carekeep.encryption.keyservice import KeyService
from carekeep.encryption.secret import Hidden
from carekeep.encryption.tags import Tagger
from carekeep.storage import Database, Pin


@dataclass(frozen=True, slots=True, repr=False)
class ScopeKeys(Hidden):
    """What seals, and what tags, the records of one scope. Different keys, both derived from the scope's key."""

    scope: int
    cipher: Cipher
    tags: Tagger

    @classmethod
    def derived(cls, scope: int, key: bytes, random: Callable[[int], bytes] = os.urandom) -> "ScopeKeys":
        """Both keys from the 32-byte key of the scope."""
        return cls(scope, Cipher(derive(key, "records"), random), Tagger(derive(key, "tags")))


def wrap_patient_key(service: KeyService, scope: int, key: bytes) -> bytes:
    """A patient's key, wrapped by the newest root and sealed in the newest epoch, bound to its scope and epoch."""
    inner = service.wrap("patient", key, associated_data("patient_key", scope))
    return service.seal_in_epoch(inner, associated_data("patient_key", scope, service.epoch))


def unwrap_patient_key(service: KeyService, scope: int, epoch: int, wrapped: bytes) -> bytes:
    """A patient's key. Raises Tampered, KeyMissing."""
    inner = service.open_in_epoch(epoch, wrapped, associated_data("patient_key", scope, epoch))
    return service.unwrap("patient", inner, associated_data("patient_key", scope))


def wrap_system_key(service: KeyService, name: str, key: bytes) -> bytes:
    """A system key, wrapped by the newest root and bound to its name."""
    return service.wrap("system", key, associated_data("system_key", name))


def unwrap_system_key(service: KeyService, name: str, wrapped: bytes) -> bytes:
    """A system key. Raises Tampered, KeyMissing."""
    return service.unwrap("system", wrapped, associated_data("system_key", name))


def scope_key(scope: int) -> str:
    """How the ledger and findings name a patient key: its scope as 16 hexadecimal digits."""
    return f"{scope:016x}"


def patient_key_pin(scope: int, content: bytes) -> Pin:
    """What the ledger says of a patient key: ``content`` is the wrapped key, or what is left of a destroyed one."""
    return Pin("patient_key", scope_key(scope), hashlib.sha256(content).digest())


def remains(epoch: int, destroyed_ms: int | None) -> bytes:
    """What is left of a destroyed key, as it is pinned: that it was, and when it was destroyed."""
    return associated_data("destroyed", epoch, destroyed_ms or 0)


async def system_keys_of(database: Database) -> dict[str, bytes]:
    """The wrapped system keys of a database by name, in the order of their names."""
    return dict(await database.fetch("SELECT name, wrapped FROM system_key ORDER BY name"))

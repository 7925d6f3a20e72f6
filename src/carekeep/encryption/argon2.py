"""Argon2id (RFC 9106): keys from passphrases, and costs that are bounded before they are paid."""

import threading
import unicodedata
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from carekeep.encryption.cipher import KEY_LENGTH
from carekeep.encryption.secret import Secret

SALT_LENGTH = 16
_MAXIMUM_MEMORY_KIB = 1 << 21
_MAXIMUM_ITERATIONS = 64
_MAXIMUM_LANES = 16

# OpenSSL computes lanes in threads, of which a process may have as many as there are cores (OSSL_set_max_threads). Two
# computations at once would wait for each other's threads for ever.
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Memory in KiB, passes over it, parallel lanes (RFC 9106, section 3.1). Raises ValueError out of bounds."""

    memory_kib: int
    iterations: int
    lanes: int

    def __post_init__(self) -> None:
        """Costs are read from files before anything proves who wrote them: they must not exhaust memory or time."""
        bounded = 1 <= self.lanes <= _MAXIMUM_LANES and 1 <= self.iterations <= _MAXIMUM_ITERATIONS
        if not bounded or not 8 * self.lanes <= self.memory_kib <= _MAXIMUM_MEMORY_KIB:
            raise ValueError(
                f"Argon2id costs are out of bounds: {self.memory_kib} KiB, {self.iterations} passes, {self.lanes} lanes"
            )


RFC_9106_SECOND = Argon2Cost(memory_kib=1 << 16, iterations=3, lanes=4)  # "second recommended option", section 4


def argon2_key(passphrase: Secret, salt: bytes, cost: Argon2Cost) -> bytes:
    """A 32-byte key. Takes time and memory by ``cost``; other threads run meanwhile."""
    with ONE_AT_A_TIME:
        return kdf(salt, cost).derive(normalized(passphrase))


def kdf(salt: bytes, cost: Argon2Cost) -> Argon2id:
    """The function itself, for 32 bytes of output. To be computed under ``ONE_AT_A_TIME``."""
    return Argon2id(
        salt=salt, length=KEY_LENGTH, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )


def normalized(secret: Secret) -> bytes:
    """What is hashed: NFKC (NIST SP 800-63B-4, 3.1.1.2), so that every keyboard gives the same bytes for one text."""
    content = secret.reveal()
    try:
        return unicodedata.normalize("NFKC", content.decode()).encode()
    except UnicodeDecodeError:
        return content

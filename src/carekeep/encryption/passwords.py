"""Password hashes: Argon2id in PHC strings, which carry their own salt and costs."""

import base64
import os
from collections.abc import Callable

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from carekeep.encryption.argon2 import ONE_AT_A_TIME, RFC_9106_SECOND, SALT_LENGTH, Argon2Cost, kdf, normalized
from carekeep.encryption.cipher import KEY_LENGTH
from carekeep.encryption.secret import Secret


def hash_password(
    password: Secret, *, cost: Argon2Cost = RFC_9106_SECOND, random: Callable[[int], bytes] = os.urandom
) -> str:
    """The PHC string to keep. Takes about 0.1 s and 64 MiB; ``cost`` is lowered in tests only."""
    with ONE_AT_A_TIME:
        return kdf(random(SALT_LENGTH), cost).derive_phc_encoded(normalized(password))


def verify_password(password: Secret, phc: str) -> bool:
    """Whether the password is the one of the PHC string. As slow as hashing; other threads run meanwhile."""
    try:
        with ONE_AT_A_TIME:
            Argon2id.verify_phc_encoded(normalized(password), phc)
    except InvalidKey:
        return False
    return True


def unmatched_hash(*, cost: Argon2Cost = RFC_9106_SECOND, random: Callable[[int], bytes] = os.urandom) -> str:
    """A PHC string that no known password matches: verifying against it costs what a real one costs."""
    salt, digest = (base64.b64encode(random(n)).decode().rstrip("=") for n in (SALT_LENGTH, KEY_LENGTH))
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.iterations},p={cost.lanes}${salt}${digest}"

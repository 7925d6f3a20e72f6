"""Key files and keyrings for tests: real ones, but for the cost of their passphrase."""

from pathlib import Path

from carekeep.encryption import Argon2Cost, Cipher, KeyFile, Keyring, Secret, Tampered
from carekeep.storage import Database

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE = Secret("correct horse battery staple")


def new_key_file(folder: Path, name: str = "carekeep.key") -> KeyFile:
    """A key file that opens at once."""
    return KeyFile.create(folder / name, PASSPHRASE, cost=CHEAP)


def opened_key_file(folder: Path, name: str = "carekeep.key") -> KeyFile:
    """The same file, as another process has it."""
    return KeyFile.open(folder / name, PASSPHRASE)


async def new_keyring(database: Database, folder: Path) -> Keyring:
    """The keyring of a new database, its key file in ``folder``."""
    return await Keyring.open(database, new_key_file(folder), create=True)


def opens(cipher: Cipher, sealed: bytes, aad: bytes) -> bool:
    """Whether a blob opens."""
    try:
        cipher.open(sealed, aad)
    except Tampered:
        return False
    return True

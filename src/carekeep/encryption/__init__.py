"""Keys, ciphers and tags: what makes a stolen disk worthless.

Root and epoch keys stay in the key service. Under them are the system keys and one key for each patient, wrapped in the
database. Nothing is sealed without saying where it belongs (associated data), and no key serves two purposes. This room
alone imports ``cryptography``, but for the ledger's verifier and the making of TLS certificates.
"""

from carekeep.encryption.argon2 import RFC_9106_SECOND, Argon2Cost
from carekeep.encryption.cipher import Cipher, associated_data
from carekeep.encryption.errors import (
    EncryptionError,
    KeyDestroyed,
    KeyFileError,
    KeyMissing,
    KeyUnknown,
    Tampered,
    UnknownSuite,
    WrongPassphrase,
)
from carekeep.encryption.keyfile import KeyFile
from carekeep.encryption.keyring import Keyring
from carekeep.encryption.keyservice import KeyService
from carekeep.encryption.low_priority import at_low_priority
from carekeep.encryption.passwords import hash_password, unmatched_hash, verify_password
from carekeep.encryption.rotation import RotationProgress
from carekeep.encryption.scopes import ScopeKeys
from carekeep.encryption.secret import Hidden, Secret
from carekeep.encryption.tags import Tagger
from carekeep.encryption.totp import new_totp_key, totp_code, totp_counter, totp_uri

__all__ = [
    "RFC_9106_SECOND",
    "Argon2Cost",
    "Cipher",
    "EncryptionError",
    "Hidden",
    "KeyDestroyed",
    "KeyFile",
    "KeyFileError",
    "KeyMissing",
    "KeyService",
    "KeyUnknown",
    "Keyring",
    "RotationProgress",
    "ScopeKeys",
    "Secret",
    "Tagger",
    "Tampered",
    "UnknownSuite",
    "WrongPassphrase",
    "associated_data",
    "at_low_priority",
    "hash_password",
    "new_totp_key",
    "totp_code",
    "totp_counter",
    "totp_uri",
    "unmatched_hash",
    "verify_password",
]

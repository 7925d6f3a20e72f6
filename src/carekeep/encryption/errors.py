"""What can go wrong with keys and ciphertexts. No message holds a key, a plaintext or a passphrase."""


class EncryptionError(Exception):
    """Something could not be sealed, opened or found."""


class Tampered(EncryptionError):
    """A ciphertext does not open: it was changed, moved to another place, or made under another key."""


class UnknownSuite(Tampered):
    """A ciphertext names a cipher suite that this version of Carekeep does not have."""


class KeyMissing(EncryptionError):
    """The key service does not hold the root or epoch key that a wrapped key names."""


class KeyUnknown(EncryptionError):
    """There is no key for this scope."""


class KeyDestroyed(EncryptionError):
    """The key of this scope was destroyed; nothing that was sealed with it can be read again.

    ``destroyed_ms``: when, in milliseconds since 1970 (UTC).
    """

    def __init__(self, message: str, destroyed_ms: int) -> None:
        super().__init__(message)
        self.destroyed_ms = destroyed_ms


class KeyFileError(EncryptionError):
    """The key file cannot be read, written or understood."""


class WrongPassphrase(KeyFileError):
    """The passphrase does not open the key file (or the file was changed)."""

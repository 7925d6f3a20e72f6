"""Passkeys, and how they are kept: by a keyed digest of their credential id, and sealed."""

import base64
from dataclasses import dataclass, field

import orjson

from carekeep.encryption import Cipher, Keyring, associated_data
from carekeep.identity.errors import AccountInvalid

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Passkey:
    """A key pair that somebody signs in with; the private half never leaves the authenticator (WebAuthn Level 3).

    ``id``: 16 bytes, a keyed digest of the credential id. ``syncs``: it is backup-eligible, so that copies of it may be
    on several devices (assurance level 2); else it stays on one device (level 3). ``backed_up``: there is such a copy.
    ``transports`` and ``aaguid`` (the make of the authenticator) are what the browser said of it. Times are
    milliseconds since 1970 (UTC). ``public_key``: a COSE key. ``sign_count``: 0 where the authenticator does not count.
    """

    id: bytes
    account: bytes
    name: str
    created_ms: int
    last_used_ms: int | None
    syncs: bool
    backed_up: bool
    transports: tuple[str, ...]
    aaguid: str
    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    sign_count: int = field(default=0, repr=False)
    revision: int = 1

    def __post_init__(self) -> None:
        """Raises AccountInvalid."""
        if not 0 < len(self.name) <= _LONGEST_NAME or not self.name.isprintable() or self.name != self.name.strip():
            raise AccountInvalid(
                f"The name of a passkey has 1 to {_LONGEST_NAME} printable characters and no spaces at its ends.",
                "name",
            )

    @property
    def assurance(self) -> int:
        """The authenticator assurance level of signing in with it (NIST SP 800-63B-4, sections 2.3 and 3.1.7)."""
        return 2 if self.syncs else 3


def passkey_id(keyring: Keyring, credential_id: bytes) -> bytes:
    """What stands in the database for a credential id."""
    return keyring.index.digest("passkey", credential_id)


def seal_passkey(passkey: Passkey, cipher: Cipher) -> bytes:
    """The sealed content of a passkey's row."""
    content = {
        "name": passkey.name,
        "created_ms": passkey.created_ms,
        "last_used_ms": passkey.last_used_ms,
        "syncs": passkey.syncs,
        "backed_up": passkey.backed_up,
        "transports": passkey.transports,
        "aaguid": passkey.aaguid,
        "credential_id": base64.b64encode(passkey.credential_id).decode(),
        "public_key": base64.b64encode(passkey.public_key).decode(),
        "sign_count": passkey.sign_count,
    }
    return cipher.seal(orjson.dumps(content), _aad(passkey.id, passkey.account, passkey.revision))


def open_passkey(row: tuple[bytes, bytes, int, bytes], cipher: Cipher) -> Passkey:
    """The passkey in a row (id, account, revision, sealed). Raises Tampered."""
    id_, account, revision, sealed = row
    content = orjson.loads(cipher.open(sealed, _aad(id_, account, revision)))
    return Passkey(
        id=id_,
        account=account,
        name=content["name"],
        created_ms=content["created_ms"],
        last_used_ms=content["last_used_ms"],
        syncs=content["syncs"],
        backed_up=content["backed_up"],
        transports=tuple(content["transports"]),
        aaguid=content["aaguid"],
        credential_id=base64.b64decode(content["credential_id"]),
        public_key=base64.b64decode(content["public_key"]),
        sign_count=content["sign_count"],
        revision=revision,
    )


def _aad(id_: bytes, account: bytes, revision: int) -> bytes:
    return associated_data("passkey", id_, account, revision)

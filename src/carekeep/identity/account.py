"""What an account is, what makes one valid, and how it is kept in its row."""

import base64
import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from carekeep.encryption import Cipher, Hidden, Keyring, Secret, associated_data
from carekeep.identity.errors import AccountInvalid

ID_LENGTH = 16
_MAXIMUM_LOGIN = 128  # characters
_MAXIMUM_NAME = 200
_GRANT = re.compile(r"[a-z0-9-]{1,64}")
_FHIR_ID = r"[A-Za-z0-9\-.]{1,64}"


class Kind(StrEnum):
    """What an account is for; roles and rights follow from it in the access room."""

    PRACTITIONER = "practitioner"
    PATIENT = "patient"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    APP = "app"


_FHIR_USERS = {
    Kind.PRACTITIONER: re.compile(rf"Practitioner/{_FHIR_ID}"),
    Kind.PATIENT: re.compile(rf"Patient/{_FHIR_ID}"),
    Kind.ADMINISTRATOR: re.compile(rf"(Practitioner/{_FHIR_ID})?"),
    Kind.AUDITOR: re.compile(rf"(Practitioner/{_FHIR_ID})?"),
    Kind.APP: re.compile(""),
}


@dataclass(frozen=True, slots=True, repr=False)
class Credentials(Hidden):
    """What an account signs in with: a PHC string, a TOTP key, and the TOTP time step that was accepted last."""

    password_hash: str | None = None
    totp_key: Secret | None = None
    totp_counter: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """One person or app that Carekeep knows.

    ``id``: 16 random bytes. ``fhir_user``: ``Practitioner/…`` or ``Patient/…``, what the account's owner is in the
    records. ``grants``: what an app was given by name; empty for people. ``created_ms``: milliseconds since 1970 (UTC).
    ``revision`` counts changes. Names and logins are kept out of the repr, and so out of logs.
    """

    id: bytes
    kind: Kind
    name: str = field(repr=False)
    login: str = field(repr=False)
    created_ms: int
    fhir_user: str | None = field(default=None, repr=False)
    grants: frozenset[str] = frozenset()
    disabled: bool = False
    revision: int = 1
    credentials: Credentials = field(default_factory=Credentials, repr=False)

    def __post_init__(self) -> None:
        """Raises AccountInvalid."""
        for what, text, longest in (("login", self.login, _MAXIMUM_LOGIN), ("name", self.name, _MAXIMUM_NAME)):
            if not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
                raise AccountInvalid(
                    f"A {what} has 1 to {longest} printable characters and no spaces at its ends.", what
                )
        if not _FHIR_USERS[self.kind].fullmatch(self.fhir_user or ""):
            raise AccountInvalid(f"The FHIR user does not suit an account of kind {self.kind}.", "fhir_user")
        if self.kind is Kind.APP and self.credentials.password_hash is not None:
            raise AccountInvalid("An app has no password: it is given tokens.", "password")
        if self.kind is not Kind.APP and self.grants:
            raise AccountInvalid("Only apps are given grants by name.", "grants")
        if not all(_GRANT.fullmatch(grant) for grant in self.grants):
            raise AccountInvalid("A grant is a word of at most 64 lower-case letters, digits and hyphens.", "grants")

    @property
    def has_totp(self) -> bool:
        """Whether one-time codes are asked for."""
        return self.credentials.totp_key is not None

    @property
    def assurance(self) -> int:
        """The authenticator assurance level of signing in (NIST SP 800-63B-4): 2 with a one-time code, else 1."""
        return 2 if self.has_totp else 1


def login_tag(keyring: Keyring, login: str) -> bytes:
    """What stands in the database for a login: the same in upper and lower case and other forms of its letters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).casefold())
    return keyring.index.digest("login", folded)


def seal_account(account: Account, tag: bytes, cipher: Cipher) -> bytes:
    """The sealed content of an account's row."""
    credentials = account.credentials
    content = {
        "kind": account.kind.value,
        "name": account.name,
        "login": account.login,
        "fhir_user": account.fhir_user,
        "created_ms": account.created_ms,
        "grants": sorted(account.grants),
        "disabled": account.disabled,
        "password_hash": credentials.password_hash,
        "totp_key": base64.b64encode(credentials.totp_key.reveal()).decode() if credentials.totp_key else None,
        "totp_counter": credentials.totp_counter,
    }
    return cipher.seal(orjson.dumps(content), _aad(account.id, tag, account.revision))


def open_account(row: tuple[bytes, bytes, int, bytes], cipher: Cipher) -> Account:
    """The account in a row (id, login_tag, revision, sealed). Raises Tampered."""
    id_, tag, revision, sealed = row
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, _aad(id_, tag, revision)))
    totp_key = content["totp_key"]
    credentials = Credentials(
        password_hash=content["password_hash"],
        totp_key=Secret(base64.b64decode(totp_key)) if totp_key else None,
        totp_counter=content["totp_counter"],
    )
    return Account(
        id=id_,
        kind=Kind(content["kind"]),
        name=content["name"],
        login=content["login"],
        fhir_user=content["fhir_user"],
        created_ms=content["created_ms"],
        grants=frozenset(content["grants"]),
        disabled=content["disabled"],
        revision=revision,
        credentials=credentials,
    )


def _aad(id_: bytes, tag: bytes, revision: int) -> bytes:
    return associated_data("account", id_, tag, revision)

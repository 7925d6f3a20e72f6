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
_MAXIMUM_EXTERNAL_ID = 256
_GRANT = re.compile(r"[a-z0-9-]{1,64}")
_FHIR_ID = r"[A-Za-z0-9\-.]{1,64}"


class Kind(StrEnum):
    """What an account is for; roles and rights follow from it in the access room."""

    PRACTITIONER = "practitioner"
    PATIENT = "patient"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    APP = "app"
    GUEST = "guest"


_FHIR_USERS = {
    Kind.PRACTITIONER: re.compile(rf"Practitioner/{_FHIR_ID}"),
    Kind.PATIENT: re.compile(rf"(Patient|RelatedPerson)/{_FHIR_ID}"),  # a related person acts for a patient
    Kind.ADMINISTRATOR: re.compile(rf"(Practitioner/{_FHIR_ID})?"),
    Kind.AUDITOR: re.compile(rf"(Practitioner/{_FHIR_ID})?"),
    Kind.APP: re.compile(""),
    Kind.GUEST: re.compile(r"(?!)"),  # a guest has no account: see access.sharing
}


@dataclass(frozen=True, slots=True, repr=False)
class Credentials(Hidden):
    """What an account signs in with, beside its passkeys.

    A PHC string; whether that password is long enough to stand alone; a TOTP key, and the TOTP time step that was
    accepted last; the digests of the recovery codes that are left.
    """

    password_hash: str | None = None
    password_stands_alone: bool = False
    totp_key: Secret | None = None
    totp_counter: int = 0
    recovery_codes: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """One person or app that Carekeep knows.

    ``id``: 16 random bytes. ``fhir_user``: ``Practitioner/…``, ``Patient/…`` or ``RelatedPerson/…``, what the
    account's owner is in the records. ``supervisor``: the id of the account that answers for this one; None for
    none. ``grants``: what an app was given by name; empty for people. ``external_id``: what the directory that
    provisions the account calls it (SCIM, RFC 7643 section 3.1). ``left``: its owner is gone for good, and the
    account stays for the ledger only; its login is free for somebody else. ``created_ms``: milliseconds since 1970
    (UTC). ``revision`` counts changes. Names, logins and the like are kept out of the repr, and so out of logs.
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
    external_id: str | None = field(default=None, repr=False)
    left: bool = False
    supervisor: bytes | None = None

    @property
    def is_related_person(self) -> bool:
        """Whether its owner is not a patient here, but somebody who acts for one."""
        return (self.fhir_user or "").startswith("RelatedPerson/")

    def __post_init__(self) -> None:
        """Raises AccountInvalid."""
        for what, text, longest in (("login", self.login, _MAXIMUM_LOGIN), ("name", self.name, _MAXIMUM_NAME)):
            if not _is_line(text, longest):
                raise AccountInvalid(
                    f"A {what} has 1 to {longest} printable characters and no spaces at its ends.", what
                )
        if self.external_id is not None and not _is_line(self.external_id, _MAXIMUM_EXTERNAL_ID):
            raise AccountInvalid(
                f"An external id has 1 to {_MAXIMUM_EXTERNAL_ID} printable characters and no spaces at its ends.",
                "external_id",
            )
        if not _FHIR_USERS[self.kind].fullmatch(self.fhir_user or ""):
            raise AccountInvalid(f"The FHIR user does not suit an account of kind {self.kind}.", "fhir_user")
        if self.kind is Kind.APP and self.credentials.password_hash is not None:
            raise AccountInvalid("An app has no password: it is given tokens.", "password")
        if self.kind is not Kind.APP and self.grants:
            raise AccountInvalid("Only apps are given grants by name.", "grants")
        if not all(_GRANT.fullmatch(grant) for grant in self.grants):
            raise AccountInvalid("A grant is a word of at most 64 lower-case letters, digits and hyphens.", "grants")
        if self.supervisor == self.id:
            raise AccountInvalid("Nobody supervises themself.", "supervisor")
        if self.left and not self.disabled:
            raise AccountInvalid("Who has left for good stays out: make a new account.", "disabled")

    @property
    def has_totp(self) -> bool:
        """Whether one-time codes are asked for."""
        return self.credentials.totp_key is not None

    @property
    def assurance(self) -> int:
        """The assurance level of its password sign-in (NIST SP 800-63B-4): 2 with a one-time code, else 1."""
        return 2 if self.has_totp else 1

    @property
    def has_password_way(self) -> bool:
        """Whether a password leads in: with a one-time code, or alone when it is long enough for that."""
        credentials = self.credentials
        return credentials.password_hash is not None and (self.has_totp or credentials.password_stands_alone)


def _is_line(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and text.isprintable() and text == text.strip()


def login_tag(keyring: Keyring, login: str) -> bytes:
    """What stands in the database for a login: the same in upper and lower case and other forms of its letters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).casefold())
    return keyring.index.digest("login", folded)


def row_tag(keyring: Keyring, account: Account) -> bytes:
    """Under what the row of an account is found: its login, as long as its owner has not left."""
    return keyring.index.digest("left", account.id) if account.left else login_tag(keyring, account.login)


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
        "password_stands_alone": credentials.password_stands_alone,
        "recovery_codes": [base64.b64encode(digest).decode() for digest in credentials.recovery_codes],
        "external_id": account.external_id,
        "left": account.left,
        "supervisor": account.supervisor.hex() if account.supervisor else None,
    }
    return cipher.seal(orjson.dumps(content), _aad(account.id, tag, account.revision))


def open_account(row: tuple[bytes, bytes, int, bytes], cipher: Cipher) -> Account:
    """The account in a row (id, login_tag, revision, sealed). Raises Tampered."""
    id_, tag, revision, sealed = row
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, _aad(id_, tag, revision)))
    totp_key = content["totp_key"]
    # Rows from before version 0005 say nothing of what came with it; without codes, a password had to stand alone.
    credentials = Credentials(
        password_hash=content["password_hash"],
        password_stands_alone=content.get("password_stands_alone", totp_key is None),
        totp_key=Secret(base64.b64decode(totp_key)) if totp_key else None,
        totp_counter=content["totp_counter"],
        recovery_codes=tuple(base64.b64decode(digest) for digest in content.get("recovery_codes", ())),
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
        external_id=content.get("external_id"),
        left=content.get("left", False),
        supervisor=bytes.fromhex(content["supervisor"]) if content.get("supervisor") else None,
    )


def _aad(id_: bytes, tag: bytes, revision: int) -> bytes:
    return associated_data("account", id_, tag, revision)

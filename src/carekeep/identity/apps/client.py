"""What an app is that may ask for tokens, what makes one valid, and how it is kept in its row."""

import ipaddress
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson

from carekeep.encryption import Cipher, associated_data
from carekeep.identity.errors import IdentityError

ID_LENGTH = 16
AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a name
CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS, TOKEN_EXCHANGE)
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")

_MOST_URIS = 20
_LONGEST_URI = 1_024
_LONGEST_NAME = 100
_LONGEST_CONTACT = 320
_LONGEST_KEYS = 16_384
_LONGEST_SCOPES = 8_192
_ID = re.compile(r"[0-9a-f]{32}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
# RFC 8252 §7.1: a domain of the app's maker turned round. The dot keeps out javascript:, data: and their kin.
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


class ClientInvalid(IdentityError):
    """A client cannot be like this. ``field`` says which part of it, as RFC 7591 names it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class ClientState(StrEnum):
    """Whether a client gets tokens. Who registers itself waits for an administrator."""

    PENDING = "pending"
    APPROVED = "approved"
    DISABLED = "disabled"


class ClientAuthentication(StrEnum):
    """How a client proves who it is, as ``token_endpoint_auth_method`` says it. There are no client secrets."""

    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"
    CERTIFICATE = "self_signed_tls_client_auth"


@dataclass(frozen=True, slots=True)
class Client:
    """An app that may ask for tokens.

    ``id``: 32 hexadecimal digits, the ``client_id``. ``redirect_uris``: where people are sent back to, compared letter
    by letter. ``scopes``: the most that it may be given. ``keys``: its public JWK Set as JSON, or ``keys_uri`` where
    that is. ``certificates``: the thumbprints (``x5t#S256``) by which it is known over TLS. ``first_party``: the
    organization's own. ``must_prove_possession``: it gets tokens bound to a key only. ``launch_uri``: where it is
    started from a chart. ``account``: the id (hex) of the app's own account, for what it does on nobody's behalf.
    ``organization``: the URI by which a trust community stands for it (UDAP), instead of keys. ``revision`` counts
    changes.
    """

    id: str
    name: str
    authentication: ClientAuthentication
    created_ms: int
    state: ClientState = ClientState.PENDING
    grant_types: tuple[str, ...] = (AUTHORIZATION_CODE,)
    redirect_uris: tuple[str, ...] = ()
    scopes: str = ""
    keys: str | None = None
    keys_uri: str | None = None
    certificates: tuple[str, ...] = ()
    first_party: bool = False
    must_prove_possession: bool = False
    launch_uri: str | None = None
    account: str | None = None
    contact: str = field(default="", repr=False)
    organization: str | None = None
    id_token_algorithm: str = ID_TOKEN_ALGORITHMS[0]
    revision: int = 1

    def __post_init__(self) -> None:
        """Raises ClientInvalid."""
        for valid, what, message in _rules(self):
            if not valid:
                raise ClientInvalid(message, what)

    @property
    def is_confidential(self) -> bool:
        """Whether it proves who it is."""
        return self.authentication is not ClientAuthentication.NONE

    @property
    def is_approved(self) -> bool:
        """Whether it gets tokens at all."""
        return self.state is ClientState.APPROVED

    def may_redirect_to(self, uri: str) -> bool:
        """Whether this is one of its redirect URIs, letter by letter; the port of a loopback address may be any one.

        (RFC 8252 §7.3: apps on a desk learn their port when they are started.)
        """
        if uri in self.redirect_uris:
            return True
        asked = _without_port(uri)
        return asked is not None and any(asked == _without_port(each) for each in self.redirect_uris)


def _rules(client: Client) -> list[tuple[bool, str, str]]:
    """What must hold, the name of the part, and what to say otherwise."""
    by_code, by_itself = AUTHORIZATION_CODE in client.grant_types, CLIENT_CREDENTIALS in client.grant_types
    exchanges = TOKEN_EXCHANGE in client.grant_types
    return [
        (bool(_ID.fullmatch(client.id)), "client_id", "A client id is 32 hexadecimal digits."),
        (_is_name(client.name), "client_name", f"A client has a printable name of at most {_LONGEST_NAME} characters."),
        (len(client.contact) <= _LONGEST_CONTACT and (not client.contact or client.contact.isprintable()), "contacts",
         "The contact is too long, or cannot be printed."),
        (bool(client.grant_types) and set(client.grant_types) <= set(GRANT_TYPES), "grant_types",
         f"The grant types are some of {', '.join(GRANT_TYPES)}."),
        (bool(client.redirect_uris) == by_code, "redirect_uris",
         "Redirect URIs go with the grant type authorization_code, and the other way round."),
        (len(client.redirect_uris) <= _MOST_URIS and all(map(is_redirect_uri, client.redirect_uris)), "redirect_uris",
         "A redirect URI is https, http on a loopback address, or a private scheme with a dot; without a fragment."),
        (client.launch_uri is None or is_web_page(client.launch_uri), "launch_uri",
         "The launch URI must be https, or http on a loopback address."),
        (client.keys_uri is None or is_https(client.keys_uri), "jwks_uri", "The URL of the keys must be https."),
        (len(client.keys or "") <= _LONGEST_KEYS, "jwks", f"The keys are longer than {_LONGEST_KEYS} characters."),
        (_has_what_it_proves_itself_by(client), "token_endpoint_auth_method",
         "private_key_jwt goes with keys, their URL or a community; self_signed_tls_client_auth with a certificate."),
        (client.is_confidential or not by_itself, "grant_types",
         "Only a client that proves who it is acts without a person."),
        (client.is_confidential or client.first_party or not exchanges, "grant_types",
         "Only a client that proves who it is, or the organization's own, exchanges tokens."),
        (by_itself or client.account is None, "account", "Only a client that acts for itself has an account."),
        (REFRESH_TOKEN not in client.grant_types or by_code, "grant_types", "Nothing can be refreshed without a code."),
        (len(client.scopes) <= _LONGEST_SCOPES and client.scopes.isascii(), "scope", "The scopes are too long."),
        (client.id_token_algorithm in ID_TOKEN_ALGORITHMS, "id_token_signed_response_alg",
         f"Id tokens are signed by {' or '.join(ID_TOKEN_ALGORITHMS)}."),
    ]  # fmt: skip


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()


def _has_what_it_proves_itself_by(client: Client) -> bool:
    keys = (client.keys is not None) + (client.keys_uri is not None)
    thumbprints = all(map(_THUMBPRINT.fullmatch, client.certificates))
    match client.authentication:
        case ClientAuthentication.PRIVATE_KEY_JWT:
            return keys + (client.organization is not None) == 1 and not client.certificates
        case ClientAuthentication.CERTIFICATE:
            return bool(client.certificates) and thumbprints and keys == 0 and client.organization is None
    return keys == 0 and not client.certificates and client.organization is None


def is_https(uri: str) -> bool:
    """Whether this is an absolute https URL that one can be sent to."""
    url = _split(uri)
    return url is not None and url.scheme == "https" and bool(url.hostname) and "@" not in url.netloc


def is_web_page(uri: str) -> bool:
    """Whether this is https, or http that does not leave the machine."""
    url = _split(uri)
    if url is None or url.scheme != "http":
        return is_https(uri)
    return (_is_loopback(url) or url.hostname == "localhost") and "@" not in url.netloc


def is_redirect_uri(uri: str) -> bool:
    """Whether people may be sent back to such a URI at all."""
    url = _split(uri)
    return is_web_page(uri) or (url is not None and bool(_PRIVATE_SCHEME.fullmatch(url.scheme)))


def _split(uri: str) -> SplitResult | None:
    """The parts of an absolute URI of plain characters and without a fragment; None for anything else."""
    if not 0 < len(uri) <= _LONGEST_URI or not uri.isascii() or not uri.isprintable() or set(uri) & set(' #\\"<>'):
        return None
    try:
        url = urlsplit(uri)
        _ = url.port
    except ValueError:
        return None
    return url if url.scheme and uri.startswith(url.scheme) else None


def _is_loopback(url: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(url.hostname or "").is_loopback
    except ValueError:
        return False


def _without_port(uri: str) -> tuple[str | None, str, str] | None:
    """Address, path and query of an http URI on a loopback address; None for any other."""
    url = _split(uri)
    if url is None or url.scheme != "http" or not _is_loopback(url) or "@" in url.netloc:
        return None
    return url.hostname, url.path, url.query


def seal_client(client: Client, cipher: Cipher) -> bytes:
    """The sealed content of a client's row."""
    facts = asdict(client)
    del facts["id"], facts["revision"]
    return cipher.seal(orjson.dumps(facts), _aad(bytes.fromhex(client.id), client.revision))


def open_client(row: tuple[bytes, int, bytes], cipher: Cipher) -> Client:
    """The client in a row (id, revision, sealed). Raises Tampered."""
    id_, revision, sealed = row
    facts: dict[str, Any] = orjson.loads(cipher.open(sealed, _aad(id_, revision)))
    lists = {name: tuple(facts[name]) for name in ("grant_types", "redirect_uris", "certificates")}
    words = {"state": ClientState(facts["state"]), "authentication": ClientAuthentication(facts["authentication"])}
    return Client(id=id_.hex(), revision=revision, **(facts | lists | words))


def _aad(id_: bytes, revision: int) -> bytes:
    return associated_data("app_client", id_, revision)

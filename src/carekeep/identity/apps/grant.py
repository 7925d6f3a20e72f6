"""What a person allowed an app: a grant, and the refresh token that goes with it.

A refresh token is ``cr_`` and two secrets: one that stays and names the grant, one that is new each time. So a token
with the first and not the present second was good once: somebody has used a copy.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from carekeep.encryption import Cipher, Secret, associated_data
from carekeep.identity.principal import Binding, BindingKind

_SECRET_LENGTH = 32
_PREFIX = "cr_"
_FORMAT = re.compile(r"cr_([A-Za-z0-9_-]{86})")


@dataclass(frozen=True, slots=True)
class Context:
    """What a grant is about, beside its scopes: ids of the patient and encounter, and what else is open in the chart.

    ``others``: relative references, SMART's ``fhirContext``.
    """

    patient: str | None = field(default=None, repr=False)
    encounter: str | None = field(default=None, repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Grant:
    """What an account's owner allowed a client.

    ``account`` and ``id``: bytes, the parent of its access tokens. ``assurance``, ``authenticated_ms``, ``methods`` and
    ``device``: of the sign-in at which it was given. ``binding``: the key that its refresh token is bound to.
    ``refresh``: SHA-256 of the refresh token's second secret, None where there is no refresh token. ``last_used_ms``:
    when tokens were issued last. ``session``: the id of the browser's session that it ends with, None for offline
    access. ``ends_ms``: the latest moment of all; ``expires_ms``: when it ends unless it is used.
    """

    id: bytes
    account: bytes
    client: str
    scopes: str
    context: Context
    assurance: int
    authenticated_ms: int
    methods: tuple[str, ...]
    given_ms: int
    last_used_ms: int
    ends_ms: int
    expires_ms: int
    device: str | None = None
    session: bytes | None = None
    binding: Binding | None = None
    refresh: bytes | None = field(default=None, repr=False)
    revision: int = 1


def new_handle(random: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """The secret that stays, and the id of the grant that it names."""
    handle = random(_SECRET_LENGTH)
    return handle, hashlib.sha256(handle).digest()


def new_refresh_token(handle: bytes, random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
    """A refresh token of a grant, and the hash of its second secret."""
    fresh = random(_SECRET_LENGTH)
    token = _PREFIX + base64.urlsafe_b64encode(handle + fresh).decode().rstrip("=")
    return Secret(token), hashlib.sha256(fresh).digest()


def read_refresh_token(token: str) -> tuple[bytes, bytes] | None:
    """The secret that stays and the hash of the other one; None for what is no refresh token."""
    found = _FORMAT.fullmatch(token)
    if found is None:
        return None
    both = base64.urlsafe_b64decode(found[1] + "==")
    return both[:_SECRET_LENGTH], hashlib.sha256(both[_SECRET_LENGTH:]).digest()


def seal_grant(grant: Grant, cipher: Cipher) -> bytes:
    """The sealed content of a grant's row."""
    content = {
        "scopes": grant.scopes,
        "context": [grant.context.patient, grant.context.encounter, list(grant.context.others)],
        "assurance": grant.assurance,
        "authenticated_ms": grant.authenticated_ms,
        "methods": grant.methods,
        "given_ms": grant.given_ms,
        "last_used_ms": grant.last_used_ms,
        "ends_ms": grant.ends_ms,
        "device": grant.device,
        "session": grant.session.hex() if grant.session else None,
        "binding": [grant.binding.kind, grant.binding.thumbprint] if grant.binding else None,
        "refresh": grant.refresh.hex() if grant.refresh else None,
    }
    return cipher.seal(orjson.dumps(content), _aad(grant))


def open_grant(row: tuple[bytes, bytes, bytes, int, int, bytes], cipher: Cipher) -> Grant:
    """The grant in a row (id, account, client, expires_ms, revision, sealed). Raises Tampered."""
    id_, account, client, expires_ms, revision, sealed = row
    place = associated_data("app_grant", id_, account, client, expires_ms, revision)
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, place))
    patient, encounter, others = content["context"]
    binding, session, refresh = content["binding"], content["session"], content["refresh"]
    return Grant(
        id=id_,
        account=account,
        client=client.hex(),
        scopes=content["scopes"],
        context=Context(patient, encounter, tuple(others)),
        assurance=content["assurance"],
        authenticated_ms=content["authenticated_ms"],
        methods=tuple(content["methods"]),
        given_ms=content["given_ms"],
        last_used_ms=content["last_used_ms"],
        ends_ms=content["ends_ms"],
        expires_ms=expires_ms,
        device=content["device"],
        session=bytes.fromhex(session) if session else None,
        binding=Binding(BindingKind(binding[0]), binding[1]) if binding else None,
        refresh=bytes.fromhex(refresh) if refresh else None,
        revision=revision,
    )


def _aad(grant: Grant) -> bytes:
    client = bytes.fromhex(grant.client)
    return associated_data("app_grant", grant.id, grant.account, client, grant.expires_ms, grant.revision)

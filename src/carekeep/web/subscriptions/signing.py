"""Signatures over notifications: HTTP Message Signatures (RFC 9421) with Ed25519, and Content-Digest (RFC 9530).

Ed25519 rather than a shared secret: a receiver keeps no secret that could be stolen and used to forge notifications,
nothing has to be shown once, and one public key serves all receivers. The key is published as a JWK Set.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Protocol

import orjson

LABEL = "carekeep"
TAG = "carekeep-notification"
VALID_S = 300
_COVERED = ("@method", "@target-uri", "content-type", "content-digest")

Header = tuple[str, str]


class PublicKey(Protocol):
    """The public half of an Ed25519 key."""

    def public_bytes_raw(self) -> bytes:
        """Its 32 bytes."""
        ...


class SigningKey(Protocol):
    """An Ed25519 key."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature of ``data``, 64 bytes."""
        ...

    def public_key(self) -> PublicKey:
        """The key that verifies."""
        ...


def signed_headers(
    key: SigningKey, url: str, content_type: str, body: bytes, *, created_s: int, nonce: str
) -> list[Header]:
    """The headers that a POST of ``body`` to ``url`` carries so that its receiver can verify it.

    ``created_s`` is seconds since 1970 (UTC); the signature is good for five minutes. ``nonce`` is never the same
    twice, so that a receiver can refuse a copy within that time.
    """
    digest = content_digest(body)
    parameters = (
        f"({' '.join(f'{chr(34)}{name}{chr(34)}' for name in _COVERED)});created={created_s};"
        f'expires={created_s + VALID_S};nonce="{nonce}";keyid="{key_id(key)}";alg="ed25519";tag="{TAG}"'
    )
    values = ("POST", url, content_type, digest)
    signature = key.sign(signature_base(tuple(zip(_COVERED, values, strict=True)), parameters))
    return [
        ("Content-Digest", digest),
        ("Signature-Input", f"{LABEL}={parameters}"),
        ("Signature", f"{LABEL}=:{base64.b64encode(signature).decode()}:"),
    ]


def signature_base(components: Sequence[tuple[str, str]], parameters: str) -> bytes:
    """What is signed (RFC 9421 §2.5): one line for each covered component, and the parameters."""
    lines = [f'"{name}": {value}' for name, value in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode("ascii")


def content_digest(body: bytes) -> str:
    """The Content-Digest of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def key_id(key: SigningKey) -> str:
    """The key's name: its JWK thumbprint (RFC 7638, RFC 8037)."""
    public = {"crv": "Ed25519", "kty": "OKP", "x": _x(key)}
    return _base64url(hashlib.sha256(orjson.dumps(public)).digest())


def key_set(key: SigningKey) -> bytes:
    """The JWK Set (RFC 7517) by which receivers verify."""
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _x(key), "kid": key_id(key), "alg": "EdDSA", "use": "sig"}
    return orjson.dumps({"keys": [jwk]})


def _x(key: SigningKey) -> str:
    return _base64url(key.public_key().public_bytes_raw())


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

"""Public keys as clients give them (JWK, RFC 7517), and what may be signed with which of them.

A signature is checked by the algorithm that its header names only if that one is allowed where it is checked and fits
the kind of key: a public key is never taken for a shared secret, and ``none`` is no algorithm (RFC 8725 §3.1, §3.2).
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

# What names a key, by its kind, in the order of RFC 7638 §3.2. Nothing else of a JWK reaches the library.
_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LENGTHS = {"P-256": 43, "P-384": 64, "Ed25519": 43}  # of a coordinate, in base64url: it has its full length
_SHORTEST_MODULUS, _LONGEST_MODULUS = 342, 683  # 2048 and 4096 bits: a longer one only costs us time
_EXPONENT = "AQAB"  # as does a larger exponent
_TEXT = re.compile(r"[A-Za-z0-9_-]+")

_Key = ECKey | OKPKey | RSAKey
_KINDS: Mapping[str, Callable[[Any], _Key]] = {
    "EC": ECKey.import_key,
    "OKP": OKPKey.import_key,
    "RSA": RSAKey.import_key,
}

_FITS = {
    "ES256": "P-256",
    "ES384": "P-384",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
    "PS256": "RSA",
    "PS384": "RSA",
    "RS256": "RSA",
    "RS384": "RSA",
}
# "EdDSA" is the old name of two algorithms (RFC 9864), of which this is the one that is meant.
_MODELS = {name: JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name] for name in _FITS}


class KeyRefused(ValueError):
    """A key cannot be used; the text says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key. ``kind`` is its curve, or ``RSA``; ``thumbprint`` that of RFC 7638, SHA-256 in base64url."""

    kind: str
    thumbprint: str
    _key: _Key = field(repr=False)

    def fits(self, algorithm: object) -> bool:
        """Whether signatures of this algorithm can be made with the key."""
        return isinstance(algorithm, str) and _FITS.get(algorithm) == self.kind

    def verifies(self, algorithm: str, signature: bytes, signed: bytes) -> bool:
        """Whether the signature is the key's. The algorithm must be one that fits."""
        try:
            return self.fits(algorithm) and _MODELS[algorithm].verify(signed, signature, self._key)
        except ValueError:
            return False


def read_public_key(jwk: Mapping[str, Any]) -> PublicKey:
    """The key of a JWK. Raises KeyRefused for one that is private, symmetric, weak, costly, or not for signatures."""
    if _PRIVATE & jwk.keys():
        raise KeyRefused("the key is not public")
    members = _MEMBERS.get(str(jwk.get("kty")))
    if members is None:
        raise KeyRefused("the key is of no kind that is used here")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise KeyRefused("the key is not for signatures")
    named = {name: jwk.get(name) for name in members}
    if not all(isinstance(value, str) and _TEXT.fullmatch(value) for value in named.values()):
        raise KeyRefused("the key lacks a part")
    values: dict[str, Any] = {name: str(value) for name, value in named.items()}
    kind = _kind(values)
    try:
        key = _KINDS[values["kty"]](values)
    except (JoseError, ValueError):
        raise KeyRefused("the key is none") from None
    return PublicKey(kind, thumbprint_of(orjson.dumps(values, option=orjson.OPT_SORT_KEYS)), key)


def read_public_pem(pem: bytes) -> PublicKey:
    """The key of a certificate (PEM). Raises KeyRefused for one that is weak, costly or of another kind."""
    for kind in (ECKey, RSAKey):
        try:
            return read_public_key(kind.import_key(pem).as_dict(private=False))
        except (JoseError, ValueError, KeyError):  # of the other kind, or on a curve without a name
            continue
    raise KeyRefused("the key is of no kind that is used here")


def thumbprint_of(content: bytes) -> str:
    """SHA-256 in base64url without padding: of a JWK's members (RFC 7638) or a DER certificate (RFC 8705 §3.1)."""
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def _kind(values: Mapping[str, str]) -> str:
    if values["kty"] == "RSA":
        if not _SHORTEST_MODULUS <= len(values["n"]) <= _LONGEST_MODULUS or values["e"] != _EXPONENT:
            raise KeyRefused("an RSA key must have 2048 to 4096 bits and the exponent 65537")
        return "RSA"
    curve = values["crv"]
    is_okp = values["kty"] == "OKP"
    length = _LENGTHS.get(curve)
    if length is None or (curve == "Ed25519") is not is_okp:
        raise KeyRefused("the key is on no curve that is used here")
    if len(values["x"]) != length or len(values.get("y", values["x"])) != length:
        raise KeyRefused("a coordinate of the key has not its full length")
    return curve

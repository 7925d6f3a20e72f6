"""Keys of clients, and what clients sign with them; also what no honest client signs."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Json = dict[str, Any]
Key = ECKey | OKPKey | RSAKey

_RSA_BITS = 2048
_numbers = itertools.count(1)


@lru_cache
def key_for(algorithm: str, number: int = 0) -> Key:
    """A key that fits an algorithm; always the same one for a number."""
    del number
    if algorithm in {"EdDSA", "Ed25519"}:
        return OKPKey.generate_key("Ed25519")
    if algorithm.startswith("ES"):
        return ECKey.generate_key({"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm])
    return RSAKey.generate_key(_RSA_BITS)


def public(key: Key, **more: Any) -> Json:
    """The public JWK."""
    return {**key.as_dict(private=False), **more}


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def packed(content: Any) -> str:
    return b64(json.dumps(content).encode())


def signed(header: Mapping[str, Any], claims: Any, key: Key, algorithm: str | None = None) -> str:
    """A signed object by the header's algorithm, or by another than it says."""
    text = f"{packed(header)}.{packed(claims)}"
    name = algorithm or header["alg"]
    model = JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name]
    return f"{text}.{b64(model.sign(text.encode(), key))}"


def with_shared_secret(header: Mapping[str, Any], claims: Any, secret: bytes) -> str:
    """A signed object by HMAC-SHA-256, as if a public key were a secret."""
    text = f"{packed(header)}.{packed(claims)}"
    return f"{text}.{b64(hmac.digest(secret, text.encode(), 'sha256'))}"


@dataclass(slots=True)
class Prover:
    """A client that proves possession of a key. ``nonce`` is the newest that it was given."""

    key: Key
    algorithm: str = "ES256"
    nonce: str | None = None

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def header(self) -> Json:
        return {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": public(self.key)}

    def claims(self, method: str, url: str, now_ms: int, token: str | None = None) -> Json:
        claims: Json = {"jti": f"proof-{next(_numbers)}", "htm": method, "htu": url, "iat": now_ms // 1000}
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        if token is not None:
            claims["ath"] = b64(hashlib.sha256(token.encode()).digest())
        return claims

    def proof(self, method: str, url: str, now_ms: int, token: str | None = None) -> str:
        return signed(self.header(), self.claims(method, url, now_ms, token), self.key)

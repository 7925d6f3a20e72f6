"""Proofs of possession (DPoP, RFC 9449): who sends a request holds the key that its token is bound to.

A proof is one signed object for one request: made by the key in its header, for this method and URL, within a minute,
with a nonce of ours, and for one token. A stolen token is worth nothing without the key, and a proof nothing twice.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from carekeep.encryption import Keyring
from carekeep.identity.apps.nonces import Nonces
from carekeep.identity.apps.public_keys import KeyRefused, PublicKey, read_public_key
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.signed import NotSigned, read_header, seconds, take_apart
from carekeep.identity.errors import IdentityError
from carekeep.storage import Clock, Prepared, system_clock

ALGORITHMS = ("ES256", "ES384", "EdDSA", "Ed25519", "PS256")
INVALID = "invalid_dpop_proof"
NONCE_WANTED = "use_dpop_nonce"
SKEW_MS = 60_000

_LONGEST = 8_192
_LONGEST_ID = 256
_CACHED_HEADERS = 2_048  # each holds at most a few kB
_PORTS = {"https": 443, "http": 80}


class ProofRefused(IdentityError):
    """A proof is not good. ``code`` is the error for the client (RFC 9449 §7.1), ``reason`` is for the ledger."""

    def __init__(self, reason: str, code: str = INVALID) -> None:
        super().__init__("The proof of possession is not valid for this request.")
        self.reason = reason
        self.code = code


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves: possession of the key with this ``thumbprint`` (RFC 7638), for this request.

    ``once`` must be committed with what the request does; a conflict by it is a replay. ``nonce`` is the one to use
    from now on, where the proof had an older one.
    """

    thumbprint: str
    once: Prepared[None]
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """What a proof must have been made for. ``token``: the access token beside it, None where there is none yet."""

    method: str
    url: str
    token: str | None
    now_ms: int


class Proofs:
    """Verifies proofs. Used from one event loop."""

    def __init__(self, keyring: Keyring, replays: Replays, clock: Clock = system_clock) -> None:
        self._nonces = Nonces(keyring, clock)
        self._replays = replays
        self._clock = clock

    def nonce(self) -> str:
        """The nonce that proofs must have now: the header ``DPoP-Nonce``."""
        return self._nonces.current()

    async def verify(self, proof: str, *, method: str, url: str, token: str | None = None) -> Proven:
        """What a proof proves about the request that it came with. Raises ProofRefused.

        ``url`` is the one that clients use, whatever the Host header says; query and fragment do not count.
        """
        key, claims = examine(proof, Demand(method, url, token, self._clock()))
        nonce = claims.get("nonce")
        if not self._nonces.is_good(nonce):
            raise ProofRefused("no nonce, or an old one", NONCE_WANTED)
        until_ms = int(claims["iat"] * 1000) + SKEW_MS + 1
        once = self._replays.prepare_once("dpop", key.thumbprint, claims["jti"], until_ms)
        current = self._nonces.current()
        return Proven(key.thumbprint, once, None if nonce == current else current)

    async def is_replay(self, proven: Proven) -> bool:
        """Whether the proof was used: tells, after a conflict at the commit of ``once``, if this was why."""
        return await self._replays.is_used(proven.once)


def examine(proof: str, demand: Demand) -> tuple[PublicKey, dict[str, Any]]:
    """The key and claims of a proof that fits (RFC 9449 §4.3, but for nonce and replay). Raises ProofRefused."""
    try:
        parts = take_apart(proof, _LONGEST)
        algorithm, key = _signer(parts.header)
        claims = parts.claims()
    except (NotSigned, KeyRefused) as error:
        raise ProofRefused(str(error)) from None
    fault = _fault(claims, demand)
    if fault:
        raise ProofRefused(fault)
    if not parts.is_signed_by(key, algorithm):  # last, since it is what takes time
        raise ProofRefused("the signature is not the key's")
    return key, claims


@lru_cache(_CACHED_HEADERS)
def _signer(header: bytes) -> tuple[str, PublicKey]:
    """Algorithm and key; the same header stands before every proof by a key. Raises NotSigned, KeyRefused."""
    found = read_header(header)
    if found.get("typ") != "dpop+jwt":
        raise NotSigned("it is no proof by its type")
    algorithm, jwk = found.get("alg"), found.get("jwk")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise NotSigned("its algorithm is not allowed")
    if not isinstance(jwk, dict):
        raise NotSigned("it has no key")
    key = read_public_key(jwk)
    if not key.fits(algorithm) or jwk.get("alg", algorithm) != algorithm:
        raise NotSigned("its key is not for its algorithm")
    return algorithm, key


def _fault(claims: dict[str, Any], demand: Demand) -> str | None:
    """What does not fit the request, for the ledger."""
    id_, issued = claims.get("jti"), seconds(claims, "iat")
    if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID or not id_.isascii():
        return "it has no usable id"
    if claims.get("htm") != demand.method:
        return "it is for another method"
    url = claims.get("htu")
    if not isinstance(url, str) or (url != demand.url and normal_url(url) != normal_url(demand.url)):
        return "it is for another URL"
    if issued is None or abs(issued * 1000 - demand.now_ms) > SKEW_MS:
        return "it was not made just now"
    if demand.token is not None and not _is_for(claims.get("ath"), demand.token):
        return "it is for another token"
    return None


def _is_for(hashed: object, token: str) -> bool:
    expected = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=")
    given = hashed.encode("utf-8", "replace") if isinstance(hashed, str) else b""
    return hmac.compare_digest(given, expected)


def normal_url(url: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port and path of a URL, each in its normal form (RFC 3986 §6.2.2, §6.2.3); None for no such URL.

    The path is decoded as the router decodes it: two URLs are the same exactly if they lead to the same place.
    """
    try:
        parts = urlsplit(url)
        port, path = parts.port, unquote(parts.path or "/", errors="strict")
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, _PORTS[parts.scheme] if port is None else port, path

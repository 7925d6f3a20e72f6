"""Apps that a trust community stands for (UDAP Security 2.0.0): known by a certificate, and not by a registered key.

What they sign comes with its certificate chain (``x5c``). It counts if the chain leads to an anchor of the community
and the certificate names, as a URI, who signed; whatever key the certificate has today is then good.
"""

import base64
import binascii
import datetime
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from carekeep.encryption.community import Certified, Community, NotTrusted, certificate_uris
from carekeep.identity.apps.client import Client
from carekeep.identity.apps.public_keys import KeyRefused, read_public_pem
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.signed import NotSigned, read_header, take_apart
from carekeep.identity.apps.statements import check_claims, used_until_ms
from carekeep.identity.apps.udap_settings import CommunityRefused, CommunitySettings
from carekeep.storage import Clock, Prepared, system_clock

ALGORITHMS = ("RS256", "ES256", "RS384", "ES384")
LONGEST = 32_768
_MOST_CERTIFICATES = 6
_METADATA_S = 86_400


class StatementRefused(Exception):
    """A statement is not good; the text says why, for the ledger. ``is_untrusted``: its certificate is why."""

    def __init__(self, reason: str, *, is_untrusted: bool = False) -> None:
        super().__init__(reason)
        self.is_untrusted = is_untrusted


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody of the community signed: who (a URI of the certificate), and what."""

    uri: str
    claims: dict[str, Any]


class Udap:
    """One trust community, and this server's place in it. Made by ``open``."""

    def __init__(
        self,
        community: Community,
        signer: tuple[ECKey | RSAKey, list[str], str],
        name: str,
        replays: Replays,
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._community = community
        self._signing_key, self._chain, self._uri = signer
        self.name = name
        self._replays = replays
        self._clock = clock
        self._random = random

    @classmethod
    def open(
        cls,
        settings: CommunitySettings,
        base_url: str,
        replays: Replays,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Udap":
        """The community of the settings. ``base_url``: the FHIR base, a URI in this server's certificate.

        Raises CommunityRefused.
        """
        try:
            community = Community(settings.path("anchors"), settings.path("revoked"))
            chain = _chain(settings.path("certificate").read_text("ascii"))
            key = _private_key(settings.path("key").read_bytes())
            uris = certificate_uris(chain[0])
        except (OSError, ValueError, JoseError) as error:
            raise CommunityRefused(f"a file cannot be used ({type(error).__name__}: {error}).") from None
        if base_url not in uris:
            raise CommunityRefused(f"the certificate does not name {base_url} as a URI (subject alternative name).")
        encoded = [base64.b64encode(each).decode() for each in chain]
        return cls(community, (key, encoded, base_url), settings.community, replays, clock, random)

    def signed_metadata(self, endpoints: dict[str, str]) -> str:
        """The endpoints, signed with this server's certificate: ``signed_metadata`` of the discovery document."""
        now = self._clock() // 1000
        algorithm = "ES256" if isinstance(self._signing_key, ECKey) else "RS256"
        claims = {
            "iss": self._uri,
            "sub": self._uri,
            "iat": now,
            "exp": now + _METADATA_S,
            "jti": self._random(16).hex(),
            **endpoints,
        }
        return jwt.encode({"alg": algorithm, "x5c": self._chain}, claims, self._signing_key, [algorithm])

    def verify_registration(self, statement: str, audience: str) -> Prepared[Statement]:
        """A software statement, by whoever its certificate names, about itself. Raises StatementRefused."""
        certified, claims = self._examine(statement)
        uri = claims.get("iss")
        if not isinstance(uri, str) or uri not in certified.uris:
            raise StatementRefused("the certificate does not name the issuer", is_untrusted=True)
        return self._once(claims, uri, uri, audience)

    def verify_assertion(self, assertion: str, client: Client, *audiences: str) -> Prepared[Statement]:
        """How a client of the community proves who it is. Raises StatementRefused."""
        certified, claims = self._examine(assertion)
        if client.organization is None or client.organization not in certified.uris:
            raise StatementRefused("the certificate does not name the client", is_untrusted=True)
        return self._once(claims, client.id, client.organization, *audiences)

    def _examine(self, text: str) -> tuple[Certified, dict[str, Any]]:
        """The trusted certificate by which this is signed, and the claims."""
        try:
            parts = take_apart(text, LONGEST)
            algorithm, chain = _signer(read_header(parts.header))
            now = datetime.datetime.fromtimestamp(self._clock() / 1000, datetime.UTC)
            certified = self._community.verify(chain, now)
            key = read_public_pem(certified.public_key)
            claims = parts.claims()
        except NotTrusted as error:
            raise StatementRefused(f"its certificate: {error}", is_untrusted=True) from None
        except (NotSigned, KeyRefused) as error:
            raise StatementRefused(str(error)) from None
        if not parts.is_signed_by(key, algorithm):
            raise StatementRefused("the signature is not the key's")
        return certified, claims

    def _once(self, claims: dict[str, Any], issuer: str, uri: str, *audiences: str) -> Prepared[Statement]:
        try:
            check_claims(claims, issuer, audiences, self._clock())
        except NotSigned as error:
            raise StatementRefused(str(error)) from None
        once = self._replays.prepare_once("udap", uri, claims["jti"], used_until_ms(claims))
        return Prepared(Statement(uri, claims), once.steps)


def _chain(pem: str) -> list[bytes]:
    end = "-----END CERTIFICATE-----"
    return [ssl.PEM_cert_to_DER_cert(part.strip() + "\n" + end) for part in pem.split(end)[:-1]]


def _private_key(pem: bytes) -> ECKey | RSAKey:
    try:
        return ECKey.import_key(pem)
    except (JoseError, ValueError):
        return RSAKey.import_key(pem)


def _signer(header: dict[str, Any]) -> tuple[str, list[bytes]]:
    """The algorithm, and the certificates of ``x5c`` (RFC 7515 §4.1.6: base64, not base64url). Raises NotSigned."""
    algorithm, chain = header.get("alg"), header.get("x5c")
    if algorithm not in ALGORITHMS:
        raise NotSigned("its algorithm is not allowed")
    if not isinstance(chain, list) or not 0 < len(chain) <= _MOST_CERTIFICATES:
        raise NotSigned("it comes without its certificates")
    try:
        return str(algorithm), [base64.b64decode(each, validate=True) for each in chain]
    except (binascii.Error, TypeError, ValueError):
        raise NotSigned("its certificates cannot be read") from None

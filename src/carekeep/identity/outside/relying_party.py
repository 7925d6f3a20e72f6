"""The code flow towards a provider outside (OpenID Connect Core §3.1, RFC 7636, RFC 9207)."""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.identity.account import Kind
from carekeep.identity.errors import IdentityError
from carekeep.identity.outside.fetching import Fetch, Fetched, FetchRefused
from carekeep.identity.outside.provider import Provider
from carekeep.storage import Clock, system_clock

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")  # signatures only: never HS*, never none
_LASTS_MS = 10 * 60 * 1000
_METADATA_MS = 60 * 60 * 1000
_SKEW_S = 60
_STATE = associated_data("outside sign-in")


class OutsideRefused(IdentityError):
    """Nobody signed in by the provider. The client's answer is the same whatever the ``reason``, for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__("Signing in there did not work. Try again, or take another way.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where to send the browser, and the sealed state that its cookie keeps."""

    location: str
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outsider:
    """Who the provider says it is. ``ticket`` names this answer, so that it is taken once."""

    provider: str
    issuer: str
    subject: str
    login: str = field(repr=False)
    name: str = field(repr=False)
    kind: Kind
    fhir_user: str | None = field(repr=False)
    assurance: int
    authenticated_ms: int
    next: str
    ticket: str
    creates: bool


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization: str
    token: str
    keys: str
    says_issuer: bool
    until_ms: int


class RelyingParty:
    """Carekeep towards every provider of the settings. ``callback``: our URL, without the provider's name."""

    def __init__(
        self,
        providers: tuple[Provider, ...],
        keyring: Keyring,
        fetch: Fetch,
        callback: str,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.providers = {provider.name: provider for provider in providers}
        self._cipher = keyring.rows
        self._fetch = fetch
        self._callback = callback
        self._clock = clock
        self._random = random
        self._metadata: dict[str, _Metadata] = {}

    async def begin(self, name: str, next_: str) -> Begun:
        """Send a person to a provider; ``next_`` is where they go afterwards. Raises OutsideRefused."""
        provider = self._provider(name)
        metadata = await self._discover(provider)
        state, nonce, verifier = (_url64(self._random(32)) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": f"{self._callback}/{name}",
            "scope": "openid profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": _url64(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        kept = orjson.dumps([name, state, nonce, verifier, next_, self._clock() + _LASTS_MS])
        glue = "&" if "?" in metadata.authorization else "?"
        return Begun(f"{metadata.authorization}{glue}{urlencode(asked)}", _url64(self._cipher.seal(kept, _STATE)))

    async def finish(self, name: str, answer: Mapping[str, str], state: str | None) -> Outsider:
        """Who came back with ``answer`` (the parameters of the callback). Raises OutsideRefused."""
        begun, expected, nonce, verifier, next_, until_ms = self._open(state)
        if begun != name or not hmac.compare_digest(answer.get("state", "").encode(), expected.encode()):
            raise OutsideRefused("the answer belongs to another sign-in")
        if until_ms < self._clock():
            raise OutsideRefused("the answer came too late")
        provider = self._provider(name)
        metadata = await self._discover(provider)
        if answer.get("iss", None if metadata.says_issuer else provider.issuer) != provider.issuer:
            raise OutsideRefused("the answer is another provider's")
        if "error" in answer or "code" not in answer:
            raise OutsideRefused("the provider refused")
        token = await self._redeem(provider, metadata, answer["code"], verifier)
        claims = await self._verified(provider, metadata, token, nonce)
        return self._outsider(provider, claims, next_, expected)

    def _provider(self, name: str) -> Provider:
        provider = self.providers.get(name)
        if provider is None:
            raise OutsideRefused("no such provider")
        return provider

    def _open(self, state: str | None) -> tuple[str, str, str, str, str, int]:
        try:
            kept = orjson.loads(self._cipher.open(_unurl64(state or ""), _STATE))
        except (Tampered, ValueError):
            raise OutsideRefused("no sign-in was begun in this browser") from None
        name, expected, nonce, verifier, next_, until_ms = kept
        return name, expected, nonce, verifier, next_, until_ms

    async def _discover(self, provider: Provider) -> _Metadata:
        known = self._metadata.get(provider.name)
        if known is not None and known.until_ms > self._clock():
            return known
        url = provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
        said = await self._json(url, {}, None)
        endpoints = [said.get(key) for key in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        if said.get("issuer") != provider.issuer:
            raise OutsideRefused("the provider's metadata names another issuer")
        if not all(isinstance(endpoint, str) and endpoint.startswith("https://") for endpoint in endpoints):
            raise OutsideRefused("the provider's metadata lacks an https endpoint")
        authorization, token, keys = (str(endpoint) for endpoint in endpoints)
        says_issuer = said.get("authorization_response_iss_parameter_supported") is True
        found = _Metadata(authorization, token, keys, says_issuer, self._clock() + _METADATA_MS)
        self._metadata[provider.name] = found
        return found

    async def _redeem(self, provider: Provider, metadata: _Metadata, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self._callback}/{provider.name}",
            "code_verifier": verifier,
            "client_id": provider.client_id,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if provider.client_secret is not None:
            pair = (
                urlencode({"": provider.client_id})[1:],
                urlencode({"": provider.client_secret.reveal().decode()})[1:],
            )
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
        said = await self._json(metadata.token, headers, urlencode(form).encode())
        token = said.get("id_token")
        if not isinstance(token, str):
            raise OutsideRefused("the provider gave no id token")
        return token

    async def _verified(self, provider: Provider, metadata: _Metadata, token: str, nonce: str) -> dict[str, Any]:
        try:
            keys = KeySet.import_key_set(await self._json(metadata.keys, {}, None))  # type: ignore[arg-type]
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            jwt.JWTClaimsRegistry(
                now=self._clock() // 1000,
                leeway=_SKEW_S,
                iss={"essential": True, "value": provider.issuer},
                aud={"essential": True, "value": provider.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise OutsideRefused(f"the provider's id token is not good ({type(error).__name__})") from None
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else provider.client_id) != provider.client_id:
            raise OutsideRefused("the provider's id token is for another party")
        return claims

    def _outsider(self, provider: Provider, claims: dict[str, Any], next_: str, ticket: str) -> Outsider:
        kind = provider.kind_of(claims)
        if kind is None:
            raise OutsideRefused("the provider's roles do not mean one kind of account here")
        login, since = claims.get(provider.login_claim), claims.get("auth_time", claims["iat"])
        if not isinstance(login, str) or not isinstance(since, int | float):
            raise OutsideRefused("the provider's id token lacks a login or a time of sign-in")
        fhir_user, name = claims.get(provider.fhir_user_claim), claims.get("name")
        return Outsider(
            provider=provider.name,
            issuer=provider.issuer,
            subject=claims["sub"],
            login=login,
            name=name if isinstance(name, str) else login,
            kind=kind,
            fhir_user=fhir_user if isinstance(fhir_user, str) else None,
            assurance=provider.assurance_of(claims),
            authenticated_ms=min(int(since * 1000), self._clock()),
            next=next_,
            ticket=ticket,
            creates=provider.creates,
        )

    async def _json(self, url: str, headers: Mapping[str, str], body: bytes | None) -> dict[str, Any]:
        try:
            fetched: Fetched = await self._fetch(url, headers, body)
            said = orjson.loads(fetched.body)
        except (FetchRefused, orjson.JSONDecodeError) as error:
            raise OutsideRefused(f"the provider cannot be asked ({type(error).__name__})") from None
        if fetched.status != 200 or not isinstance(said, dict):  # noqa: PLR2004 - HTTP OK
            raise OutsideRefused(f"the provider answered {fetched.status}")
        return said


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unurl64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

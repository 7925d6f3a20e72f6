"""Apps for tests: clients that are registered, a person who allows them things, and keys of their own."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from carekeep.access import Action, Scopes
from carekeep.audit import Entry
from carekeep.identity.apps.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    Client,
    ClientAuthentication,
    ClientState,
)
from carekeep.identity.apps.grant import Context
from carekeep.identity.browser_session_rows import BrowserSession
from carekeep.web.oauth import Authorizing
from tests.web.clinic import Clinic

FHIR = "https://records.example.org/fhir"
ISSUER = "https://auth.records.example.org"
TOKEN_URL = "https://records.example.org/oauth/token"  # noqa: S105 - a URL
REDIRECT = "https://app.example.org/callback?from=carekeep"
VERIFIER = "a-verifier-that-only-the-app-knows-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = (
    "openid fhirUser profile launch launch/patient offline_access online_access "
    "patient/Observation.rs patient/Patient.r user/Patient.rs"
)
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """What an endpoint said."""

    status: int
    body: dict[str, Any]
    entry: Entry | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def error(self) -> str | None:
        """The code of the error; None when there is none."""
        return self.body.get("error")


@dataclass(slots=True)
class Desk:
    """What apps do, in a clinic."""

    clinic: Clinic
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-384", {"kid": "app-1"}))
    made: int = 0

    async def client(self, **given: Any) -> Client:
        """An approved public app that refreshes, unless ``given`` says otherwise."""
        clients = self.clinic.system.services.apps.clients
        facts: dict[str, Any] = {
            "name": "Growth Charts",
            "authentication": ClientAuthentication.NONE,
            "grant_types": (AUTHORIZATION_CODE, REFRESH_TOKEN),
            "redirect_uris": (REDIRECT,),
            "scopes": SCOPES,
            "state": ClientState.APPROVED,
        }
        client = Client(id=clients.new_id(), created_ms=clients.now(), **(facts | given))
        await self.clinic.record("a client was made", clients.prepare_create(client))
        return client

    async def confidential(self, **given: Any) -> Client:
        """An app that proves who it is by ``key``."""
        keys = json.dumps({"keys": [self.key.as_dict(private=False, use="sig", alg="ES384")]})
        ways = (AUTHORIZATION_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE)
        facts = {"authentication": ClientAuthentication.PRIVATE_KEY_JWT, "keys": keys, "grant_types": ways}
        return await self.client(**(facts | given))

    async def backend(self, **given: Any) -> Client:
        """A service that acts for itself, as the account ``app``."""
        facts: dict[str, Any] = {
            "grant_types": (CLIENT_CREDENTIALS,),
            "redirect_uris": (),
            "scopes": "system/Patient.rs system/Observation.rs",
            "account": self.clinic.accounts["engine"].id.hex(),
        }
        return await self.confidential(**(facts | given))

    def session(self, login: str, **given: Any) -> BrowserSession:
        """The browser's session of somebody who has just signed in with two factors."""
        now = self.clinic.time()
        session = BrowserSession(
            id="5e" * 16,
            account=self.clinic.accounts[login],
            assurance=2,
            methods=("pwd", "otp", "mfa"),
            authenticated_ms=now,
            address=None,
            agent="a browser",
            device=None,
            created_ms=now,
            end_ms=now + 8 * HOUR_MS,
            expires_ms=now + HOUR_MS,
            hash=b"",
        )
        return replace(session, **given)

    def asking(self, client: Client, **given: str | None) -> list[tuple[str, str]]:
        """The parameters of an authorization request; None takes one out."""
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": REDIRECT,
            "scope": "openid fhirUser launch/patient patient/Observation.rs offline_access",
            "state": "the app's own",
            "nonce": "n-1",
            "aud": FHIR,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        return [(name, value) for name, value in (asked | given).items() if value is not None]

    async def allow(
        self, client: Client, login: str = "ada", *, chosen: Context | None = None, **given: str | None
    ) -> str:
        """A person allows all that the app asks for; the URL that the browser is sent to."""
        authorizing = Authorizing(self.clinic.system.services)
        request = await authorizing.read_authorization(self.asking(client, **given))
        prepared = authorizing.prepare_code(request, self.session(login), request.scopes, chosen)
        await self.clinic.record(Action.GRANT_GIVE, prepared)
        return prepared.value

    async def code(self, client: Client, login: str = "ada", **given: Any) -> str:
        """Only the code."""
        return answered(await self.allow(client, login, **given))["code"]

    async def post(self, endpoint: str, form: Mapping[str, str | None], headers: Any = None) -> TokenAnswer:
        """A form to an endpoint."""
        content = {name: value for name, value in form.items() if value is not None}
        response = await self.clinic.client.post(f"/oauth/{endpoint}", data=content, headers=headers)
        assert response.headers["cache-control"] == "no-store"
        named = response.headers.get("x-ledger-entry")
        entry = await self.clinic.entry(named) if named else None
        return TokenAnswer(response.status_code, response.json(), entry, response.headers)

    async def exchange(
        self, client: Client, code: str | None, *, headers: Any = None, **given: str | None
    ) -> TokenAnswer:
        """A code for tokens."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **self.proving(client),
        }
        return await self.post("token", form | given, headers)

    async def refresh(self, client: Client, token: str, *, headers: Any = None, **given: str | None) -> TokenAnswer:
        """A refresh token for new ones."""
        form = {"grant_type": "refresh_token", "refresh_token": token, **self.proving(client)}
        return await self.post("token", form | given, headers)

    async def tokens(self, client: Client, login: str = "ada", **given: Any) -> dict[str, Any]:
        """The whole way to tokens."""
        answer = await self.exchange(client, await self.code(client, login, **given))
        assert answer.status == 200, answer.body
        return answer.body

    def proving(self, client: Client, **claims: Any) -> dict[str, str | None]:
        """How a client says who it is."""
        if not client.is_confidential:
            return {"client_id": client.id}
        return {"client_assertion_type": JWT_BEARER, "client_assertion": self.assertion(client, **claims)}

    def assertion(self, client: Client, **given: Any) -> str:
        """A statement signed with ``key``, never the same twice."""
        self.made += 1
        claims = {
            "iss": client.id,
            "sub": client.id,
            "aud": TOKEN_URL,
            "exp": self.clinic.time() // 1000 + 120,
            "jti": f"assertion {self.made}",
        }
        return jwt.encode({"alg": "ES384", "kid": "app-1"}, claims | given, self.key, ["ES384"])

    async def works(self, token: str, path: str = "Patient/ada") -> int:
        """The status of a read with a token."""
        self.clinic.tokens["in hand"] = token
        return (await self.clinic.ask("GET", path, who="in hand")).status


def answered(url: str) -> dict[str, str]:
    """The parameters of a URL that a browser was sent to."""
    return dict(parse_qsl(urlsplit(url).query))


def scopes(text: str) -> Scopes:
    """Scopes, to be compared by what they mean."""
    return Scopes.parse(text)

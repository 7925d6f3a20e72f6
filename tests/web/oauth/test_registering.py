"""Apps that register themselves: what is taken, that nothing is given yet, and what is refused."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey

from carekeep.identity.apps.client import Client, ClientAuthentication, ClientState
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.web.oauth.pacing import OF_ALL, OF_ONE, Pace
from tests.web.clinic import Json, Time, on_sqlite
from tests.web.oauth.desk import REDIRECT, Desk, TokenAnswer

KEY = ECKey.generate_key("P-256", {"kid": "k"})
PUBLIC = {"keys": [KEY.as_dict(private=False)]}
APP: Json = {"client_name": "Growth Charts", "redirect_uris": [REDIRECT], "scope": "launch/patient patient/*.rs openid"}


async def register(desk: Desk, metadata: Any) -> TokenAnswer:
    response = await desk.clinic.client.post("/oauth/register", json=metadata)
    named = response.headers.get("x-ledger-entry")
    entry = await desk.clinic.entry(named) if named else None
    return TokenAnswer(response.status_code, response.json(), entry)


async def test_an_app_registers_and_waits(desk: Desk) -> None:
    answer = await register(desk, APP | {"logo_uri": "https://app.example.org/logo.svg", "contacts": ["a@example.org"]})
    assert answer.status == 201
    assert "client_secret" not in answer.body
    assert "logo_uri" not in answer.body
    assert answer.body["status"] == "pending"
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("identity:client:register", "permitted")
    client = await registered(desk, answer)
    assert client.state is ClientState.PENDING
    assert not client.first_party
    assert client.contact == "a@example.org"
    form = {"grant_type": "authorization_code", "client_id": client.id, "code": "x" * 43}
    assert (await desk.post("token", form)).error == "invalid_client"
    clients = desk.clinic.system.services.apps.clients
    assert [finding async for finding in clients.verify()] == []


async def registered(desk: Desk, answer: TokenAnswer) -> Client:
    client = await desk.clinic.system.services.apps.clients.get(answer.body["client_id"])
    assert client is not None
    return client


@on_sqlite
async def test_a_service_registers_with_its_key(desk: Desk) -> None:
    answer = await register(
        desk, {"client_name": "Lab", "grant_types": ["client_credentials"], "scope": "system/*.rs", "jwks": PUBLIC}
    )
    assert answer.status == 201
    assert answer.body["token_endpoint_auth_method"] == "private_key_jwt"  # noqa: S105 - a method
    assert answer.body["jwks"] == PUBLIC


@on_sqlite
async def test_a_service_registers_with_its_certificate(desk: Desk) -> None:
    der = b"a certificate"
    keys = {"keys": [PUBLIC["keys"][0] | {"x5c": [base64.b64encode(der).decode()]}]}
    method = "self_signed_tls_client_auth"
    answer = await register(desk, APP | {"jwks": keys, "token_endpoint_auth_method": method})
    assert answer.status == 201
    client = await registered(desk, answer)
    assert client.authentication is ClientAuthentication.CERTIFICATE
    assert client.certificates == (thumbprint_of(der),)


METADATA: Mapping[str, tuple[Any, str]] = {
    "no object": ([], "invalid_client_metadata"),
    "nothing": ({}, "invalid_client_metadata"),
    "no scope": ({"scope": None}, "invalid_client_metadata"),
    "scopes that are none": ({"scope": "admin"}, "invalid_client_metadata"),
    "no redirect": ({"redirect_uris": []}, "invalid_redirect_uri"),
    "a redirect that is no list": ({"redirect_uris": REDIRECT}, "invalid_redirect_uri"),
    "a redirect of numbers": ({"redirect_uris": [1]}, "invalid_client_metadata"),
    "a script": ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    "a document": ({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
    "a file": ({"redirect_uris": ["file:///etc/passwd"]}, "invalid_redirect_uri"),
    "a scheme without a dot": ({"redirect_uris": ["myapp:/callback"]}, "invalid_redirect_uri"),
    "http": ({"redirect_uris": ["http://app.example.org/"]}, "invalid_redirect_uri"),
    "a wildcard with a user": ({"redirect_uris": ["https://a@evil.example.org/"]}, "invalid_redirect_uri"),
    "a fragment": ({"redirect_uris": ["https://app.example.org/#x"]}, "invalid_redirect_uri"),
    "a hundred redirects": ({"redirect_uris": [f"{REDIRECT}{n}" for n in range(100)]}, "invalid_redirect_uri"),
    "a secret": ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
    "the implicit way": ({"grant_types": ["implicit"], "response_types": ["token"]}, "invalid_client_metadata"),
    "a service without a key": ({"grant_types": ["client_credentials"]}, "invalid_redirect_uri"),
    "a private key": ({"jwks": {"keys": [KEY.as_dict(private=True)]}}, "invalid_client_metadata"),
    "a shared key": ({"jwks": {"keys": [OctKey.generate_key(256).as_dict()]}}, "invalid_client_metadata"),
    "a short key": (
        {"jwks": {"keys": [{"kty": "RSA", "kid": "s", "e": "AQAB", "n": "s" * 171}]}},
        "invalid_client_metadata",
    ),
    "keys without a kid": ({"jwks": {"keys": [ECKey.generate_key("P-256").as_dict()]}}, "invalid_client_metadata"),
    "keys twice": ({"jwks": PUBLIC, "jwks_uri": "https://app.example.org/jwks"}, "invalid_client_metadata"),
    "keys from this network": ({"jwks_uri": "http://169.254.169.254/latest"}, "invalid_client_metadata"),
    "a name of many lines": ({"client_name": "Carekeep\nApproved"}, "invalid_client_metadata"),
    "an endless name": ({"client_name": "x" * 101}, "invalid_client_metadata"),
    "a name that turns round": ({"client_name": "Car\u202eekeep"}, "invalid_client_metadata"),
    "a launch that is a script": ({"launch_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    "a launch that is a number": ({"launch_uri": 1}, "invalid_client_metadata"),
    "an id token without a signature": ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
    "a software statement": ({"software_statement": "e30.e30.e30"}, "unapproved_software_statement"),
}


@on_sqlite
@pytest.mark.parametrize("what", METADATA)
async def test_what_is_not_right_is_not_registered(desk: Desk, what: str) -> None:
    given, error = METADATA[what]
    metadata = given if not isinstance(given, dict) or not given else APP | given
    answer = await register(desk, metadata)
    assert (answer.status, answer.error) == (400, error)
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("identity:client:register", "denied")
    assert await desk.clinic.system.services.apps.clients.pending() == 0


@on_sqlite
async def test_nobody_names_themselves_the_organizations_own(desk: Desk) -> None:
    answer = await register(desk, APP | {"first_party": True, "account": "0" * 32, "state": "approved", "id": "0" * 32})
    client = await registered(desk, answer)
    assert (client.first_party, client.account, client.state) == (False, None, ClientState.PENDING)
    assert client.id != "0" * 32


@on_sqlite
async def test_registrations_are_paced(desk: Desk) -> None:
    for _ in range(OF_ONE):
        assert (await register(desk, APP)).status == 201
    answer = await register(desk, APP)
    assert (answer.status, answer.error) == (503, "temporarily_unavailable")
    desk.clinic.time.now_ms += 3_600_000
    assert (await register(desk, APP)).status == 201


def test_many_addresses_are_paced_together() -> None:
    pace = Pace(Time())
    assert sum(pace.take(f"192.0.2.{number}") for number in range(OF_ALL + 50)) == OF_ALL


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"{", b"null", b'"x"', b"\xff", b"[" * 5000])
async def test_what_is_no_json_is_refused(desk: Desk, body: bytes) -> None:
    response = await desk.clinic.client.post("/oauth/register", content=body)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")
    assert (await desk.clinic.client.post("/oauth/register", content=b" " * 70_000)).status_code == 400

"""Tokens that are bound to a key when they are issued: what a thief of codes and tokens lacks."""

from typing import Any

import pytest

from carekeep.identity.apps.client import CLIENT_CREDENTIALS, ClientAuthentication
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.web.http import CERTIFICATE, Receive, Scope, Send
from carekeep.web.oauth import AuthorizationRefused, Authorizing
from tests.identity.apps.keys import Prover, key_for
from tests.web.clinic import Clinic, on_sqlite
from tests.web.oauth.desk import TOKEN_URL, Desk, TokenAnswer, answered
from tests.web.oauth.test_attacks import assert_refused
from tests.web.oauth.test_flow import exchange_form

PAR_URL = "https://records.example.org/oauth/par"
DER = b"the DER of a certificate"


@pytest.fixture
def prover(desk: Desk) -> Prover:
    return Prover(key_for("ES256"), nonce=desk.clinic.system.services.proofs.nonce())


def proof(desk: Desk, by: Prover, url: str = TOKEN_URL) -> dict[str, str]:
    return {"dpop": by.proof("POST", url, desk.clinic.time())}


async def read(desk: Desk, token: str, by: Prover | None) -> int:
    url = "https://records.example.org/fhir/Observation/ada-pulse"
    headers = {"authorization": f"{'DPoP' if by else 'Bearer'} {token}"}
    if by is not None:
        headers["dpop"] = by.proof("GET", url, desk.clinic.time(), token)
    return (await desk.clinic.ask("GET", "Observation/ada-pulse", who=None, headers=headers)).status


async def test_a_public_app_binds_its_tokens_to_its_key(desk: Desk, prover: Prover) -> None:
    client = await desk.client(must_prove_possession=True)
    code = await desk.code(client)
    assert_refused(await desk.exchange(client, code), "invalid_request", "DPoP proof")
    answer = await desk.exchange(client, code, headers=proof(desk, prover))
    assert answer.status == 200
    assert answer.body["token_type"] == "DPoP"  # noqa: S105 - a type
    assert await read(desk, answer.body["access_token"], prover) == 200
    assert await read(desk, answer.body["access_token"], None) == 401
    thief = Prover(key_for("ES256", 1), nonce=prover.nonce)
    assert await read(desk, answer.body["access_token"], thief) == 401
    for headers in (proof(desk, thief), None):
        stolen = await desk.refresh(client, answer.body["refresh_token"], headers=headers)
        assert stolen.error in {"invalid_grant", "invalid_request"}
    renewed = await desk.refresh(client, answer.body["refresh_token"], headers=proof(desk, prover))
    assert await read(desk, renewed.body["access_token"], prover) == 200


async def test_a_proof_is_good_once(desk: Desk, prover: Prover) -> None:
    client = await desk.client()
    headers = proof(desk, prover)
    assert (await desk.exchange(client, await desk.code(client), headers=headers)).status == 200
    assert_refused(await desk.exchange(client, await desk.code(client), headers=headers), "invalid_dpop_proof", "used")


@on_sqlite
async def test_a_proof_needs_our_nonce_and_is_told_it(desk: Desk, prover: Prover) -> None:
    client = await desk.client()
    code = await desk.code(client)
    fresh, prover.nonce = prover.nonce, None
    refused = await desk.exchange(client, code, headers=proof(desk, prover))
    assert_refused(refused, "use_dpop_nonce", "nonce")
    assert refused.headers["dpop-nonce"] == fresh
    prover.nonce = refused.headers["dpop-nonce"]
    assert (await desk.exchange(client, code, headers=proof(desk, prover))).status == 200


@on_sqlite
async def test_a_proof_for_another_url_is_refused(desk: Desk, prover: Prover) -> None:
    client = await desk.client()
    headers = proof(desk, prover, PAR_URL)
    assert_refused(await desk.exchange(client, await desk.code(client), headers=headers), "invalid_dpop_proof", "URL")


async def test_a_code_is_bound_to_a_key_from_the_first_request_on(desk: Desk, prover: Prover) -> None:
    client = await desk.client()
    code = await desk.code(client, dpop_jkt=prover.thumbprint)
    thief = Prover(key_for("ES256", 1), nonce=prover.nonce)
    assert_refused(await desk.exchange(client, code), "invalid_grant", "DPoP key")
    assert_refused(await desk.exchange(client, code, headers=proof(desk, thief)), "invalid_grant", "DPoP key")
    assert (await desk.exchange(client, code, headers=proof(desk, prover))).status == 200


async def test_a_pushed_request_binds_its_code(desk: Desk, prover: Prover) -> None:
    client = await desk.client()
    pushed = await desk.post("par", dict(desk.asking(client)), proof(desk, prover, PAR_URL))
    assert pushed.status == 201
    authorizing = Authorizing(desk.clinic.system.services)
    named = [("client_id", client.id), ("request_uri", pushed.body["request_uri"])]
    request = await authorizing.read_authorization(named)
    assert request.proof_key == prover.thumbprint
    prepared = authorizing.prepare_code(request, desk.session("ada"), request.scopes)
    await desk.clinic.record("allowed", prepared)
    code = answered(prepared.value)["code"]
    assert_refused(await desk.exchange(client, code), "invalid_grant", "DPoP key")
    other = dict(desk.asking(client, dpop_jkt="x" * 43))
    assert_refused(await desk.post("par", other, proof(desk, prover, PAR_URL)), "invalid_request", "dpop_jkt")
    with pytest.raises(AuthorizationRefused):
        await desk.allow(client, dpop_jkt="not a thumbprint")


async def test_a_bound_token_is_exchanged_with_its_key_only(desk: Desk, prover: Prover) -> None:
    client = await desk.confidential()
    answer = await desk.exchange(client, await desk.code(client), headers=proof(desk, prover))
    form = exchange_form(answer.body["access_token"], scope="patient/Observation.r")
    thief = Prover(key_for("ES256", 1), nonce=prover.nonce)
    for headers in (None, proof(desk, thief)):
        refused = await desk.post("token", form | desk.proving(client), headers)
        assert_refused(refused, "invalid_grant", "key that was not shown")
    narrower = await desk.post("token", form | desk.proving(client), proof(desk, prover))
    assert narrower.body["token_type"] == "DPoP"  # noqa: S105 - a type
    found = await desk.post("introspect", {"token": narrower.body["access_token"], **desk.proving(client)})
    assert found.body["cnf"] == {"jkt": prover.thumbprint}


def show(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, certificate: bytes | None) -> None:
    """Every request from now on comes with this certificate."""
    application = type(clinic.application)

    original = getattr(application, "original", application.__call__)

    async def with_certificate(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CERTIFICATE] = certificate
        await original(self, scope, receive, send)

    monkeypatch.setattr(application, "original", original, raising=False)
    monkeypatch.setattr(application, "__call__", with_certificate)


async def test_a_service_is_known_by_its_certificate_and_so_is_its_token(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await desk.client(
        authentication=ClientAuthentication.CERTIFICATE,
        certificates=(thumbprint_of(DER),),
        grant_types=(CLIENT_CREDENTIALS,),
        redirect_uris=(),
        scopes="system/Patient.rs",
        account=desk.clinic.accounts["engine"].id.hex(),
    )

    async def ask() -> TokenAnswer:
        form = {"grant_type": CLIENT_CREDENTIALS, "client_id": client.id, "scope": "system/Patient.rs"}
        return await desk.post("token", form)

    assert_refused(await ask(), "invalid_client", "without its certificate")
    show(desk.clinic, monkeypatch, b"another certificate")
    assert_refused(await ask(), "invalid_client", "not one of")
    show(desk.clinic, monkeypatch, DER)
    answer = await ask()
    assert answer.status == 200
    assert await desk.works(answer.body["access_token"]) == 200
    show(desk.clinic, monkeypatch, None)
    assert await desk.works(answer.body["access_token"]) == 401

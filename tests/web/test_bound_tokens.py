"""A token that is bound to a key is worth nothing without it; each refusal is in the ledger with its reason."""

import asyncio
from typing import Any

import pytest

from carekeep.identity import Binding, BindingKind
from carekeep.identity.apps.nonces import WINDOW_MS
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.web.http import CERTIFICATE, Receive, Scope, Send
from tests.identity.apps.keys import Prover, b64, key_for
from tests.web.clinic import Answer, Clinic, observation, on_sqlite

BASE = "https://records.example.org"
PATH = "Patient/ada"
CERTIFICATE_DER = b"the DER of a certificate"


async def bound_token(clinic: Clinic, binding: Binding | None, login: str = "engine") -> str:
    account = clinic.accounts[login]
    issued = clinic.system.services.tokens.prepare_issue(account, account.assurance, binding=binding)
    await clinic.record("a token was issued", issued)
    return issued.value.secret.reveal_text()


async def new_prover(clinic: Clinic) -> tuple[Prover, str]:
    """A client with a key, the newest nonce, and a token that is bound to the key."""
    by = Prover(key_for("ES256"), nonce=clinic.system.services.proofs.nonce())
    return by, await bound_token(clinic, Binding(BindingKind.DPOP, by.thumbprint))


async def ask(
    clinic: Clinic, token: str, proof: str | None, *, method: str = "GET", scheme: str = "DPoP", **more: Any
) -> Answer:
    headers = {"authorization": f"{scheme} {token}"} | ({} if proof is None else {"dpop": proof})
    return await clinic.ask(method, more.pop("path", PATH), who=None, headers=headers, **more)


def refused(answer: Answer, reason: str, code: str, scheme: str = "DPoP") -> None:
    assert answer.status == 401
    given = answer.headers["www-authenticate"]
    assert given.startswith(f'{scheme} realm="carekeep", error="{code}"')
    assert ("algs=" in given) is (scheme == "DPoP")
    assert reason not in answer.said
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.reason) == ("denied", reason)


async def test_a_bound_token_with_its_proof_is_good(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    answer = await ask(clinic, token, by.proof("GET", f"{BASE}/fhir/{PATH}", clinic.time(), token))
    assert (answer.status, answer.json["id"]) == (200, "ada")
    assert "dpop-nonce" not in answer.headers
    head = await ask(clinic, token, by.proof("HEAD", f"{BASE}/fhir/{PATH}", clinic.time(), token), method="HEAD")
    assert head.status == 200
    created = await ask(
        clinic,
        token,
        by.proof("PUT", f"{BASE}/fhir/Observation/o", clinic.time(), token),
        method="PUT",
        path="Observation/o",
        body=observation("o", "ada", 60, "2026-05-01"),
    )
    assert created.status == 201


@on_sqlite
async def test_paths_are_compared_as_they_are_routed(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    url = f"{BASE}/fhir/Patient/%C3%A9%20%2541"
    answer = await ask(clinic, token, by.proof("GET", url, clinic.time(), token), path="Patient/%C3%A9%20%2541")
    assert answer.status != 401


async def test_a_stolen_token_is_worth_nothing(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    url = f"{BASE}/fhir/{PATH}"
    thief = Prover(key_for("ES256", 1), nonce=by.nonce)
    attempts = [
        (await ask(clinic, token, None, scheme="Bearer"), "the token is bound to a key, and came without its proof"),
        (await ask(clinic, token, None), "there is no proof"),
        (
            await ask(clinic, token, thief.proof("GET", url, clinic.time(), token)),
            "it is by another key than the token's",
        ),
    ]
    for answer, reason in attempts:
        assert answer.entry is not None
        assert answer.entry.agent.account == clinic.accounts["engine"].id.hex()
        bearer = "came without its proof" in reason
        refused(answer, reason, "invalid_token" if bearer else "invalid_dpop_proof", "Bearer" if bearer else "DPoP")
    # A proof that he saw is for that one request, of that token.
    seen = by.proof("GET", f"{BASE}/fhir/Patient/bob", clinic.time(), token)
    refused(await ask(clinic, token, seen), "it is for another URL", "invalid_dpop_proof")
    other = by.proof("GET", url, clinic.time(), "ck_" + "o" * 43)
    refused(await ask(clinic, token, other), "it is for another token", "invalid_dpop_proof")


async def test_a_proof_is_used_up_by_the_answer(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    proof = by.proof("GET", f"{BASE}/fhir/{PATH}", clinic.time(), token)
    answers = await asyncio.gather(*(ask(clinic, token, proof) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    for answer in answers:
        if answer.status == 401:
            refused(answer, "the proof was used before", "invalid_dpop_proof")


async def test_a_replayed_write_changes_nothing(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    proof = by.proof("PUT", f"{BASE}/fhir/Observation/o", clinic.time(), token)
    first, second = [
        await ask(
            clinic, token, proof, method="PUT", path="Observation/o", body=observation("o", "ada", value, "2026-05-01")
        )
        for value in (60, 61)
    ]
    assert first.status == 201
    refused(second, "the proof was used before", "invalid_dpop_proof")
    kept = await clinic.ask("GET", "Observation/o")
    assert (kept.json["meta"]["versionId"], kept.json["valueQuantity"]["value"]) == ("1", 60)


async def test_a_proof_that_was_refused_otherwise_is_used_up_too(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    url = f"{BASE}/fhir/Patient/nobody"
    proof = by.proof("GET", url, clinic.time(), token)
    assert (await ask(clinic, token, proof, path="Patient/nobody")).status == 404
    refused(await ask(clinic, token, proof, path="Patient/nobody"), "the proof was used before", "invalid_dpop_proof")


async def test_one_proof_carries_a_whole_batch(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    entries = [{"request": {"method": "GET", "url": url}} for url in (PATH, "Observation/ada-pulse", "Patient/bob")]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    proof = by.proof("POST", f"{BASE}/fhir", clinic.time(), token)
    answer = await ask(clinic, token, proof, method="POST", path="", body=body)
    assert answer.status == 200
    assert {entry["response"]["status"][:3] for entry in answer.json["entry"]} == {"200"}
    again = await ask(clinic, token, proof, method="POST", path="", body=body)
    assert {entry["response"]["status"][:3] for entry in again.json["entry"]} == {"401"}


async def test_a_nonce_is_asked_for_and_renewed_along_the_way(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    url = f"{BASE}/fhir/{PATH}"
    by.nonce = None
    answer = await ask(clinic, token, by.proof("GET", url, clinic.time(), token))
    refused(answer, "no nonce, or an old one", "use_dpop_nonce")
    by.nonce = answer.headers["dpop-nonce"]
    assert (await ask(clinic, token, by.proof("GET", url, clinic.time(), token))).status == 200
    clinic.time.now_ms += WINDOW_MS
    later = await ask(clinic, token, by.proof("GET", url, clinic.time(), token))
    assert later.status == 200
    assert later.headers["dpop-nonce"] == clinic.system.services.proofs.nonce() != by.nonce


@on_sqlite
async def test_a_bearer_token_is_not_dressed_up(clinic: Clinic) -> None:
    by = Prover(key_for("ES256"), nonce=clinic.system.services.proofs.nonce())
    token = clinic.tokens["engine"]
    answer = await ask(clinic, token, by.proof("GET", f"{BASE}/fhir/{PATH}", clinic.time(), token))
    refused(answer, "the token is not bound to a key, and came with the scheme DPoP", "invalid_token")
    unknown = "ck_" + "u" * 43
    refused(await ask(clinic, unknown, None, scheme="Bearer"), "unknown or revoked token", "invalid_token", "Bearer")


@on_sqlite
async def test_without_a_token_nothing_is_told_but_that_one_is_needed(clinic: Clinic) -> None:
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"authorization": "DPoP"}):
        answer = await clinic.ask("GET", PATH, who=None, headers=headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="carekeep"')


@on_sqlite
async def test_two_proofs_are_none(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    url = f"{BASE}/fhir/{PATH}"
    pairs = [("authorization", f"DPoP {token}"), *(("dpop", by.proof("GET", url, clinic.time(), token)) for _ in "ab")]
    response = await clinic.client.get(url, headers=pairs)
    assert response.status_code == 400


@on_sqlite
async def test_the_host_header_does_not_say_what_a_proof_is_for(clinic: Clinic) -> None:
    by, token = await new_prover(clinic)
    proof = by.proof("GET", f"https://evil.example.org/fhir/{PATH}", clinic.time(), token)
    for header in ({}, {"x-forwarded-host": "evil.example.org"}, {"forwarded": "host=evil.example.org"}):
        headers = {"authorization": f"DPoP {token}", "dpop": proof, **header}
        refused(await clinic.ask("GET", PATH, who=None, headers=headers), "it is for another URL", "invalid_dpop_proof")


@pytest.mark.parametrize(
    ("shown", "scheme", "reason"),
    [
        (CERTIFICATE_DER, "Bearer", None),
        (None, "Bearer", "the token is bound to a certificate, and came without it"),
        (b"another certificate", "Bearer", "the token is bound to another certificate"),
        (CERTIFICATE_DER, "DPoP", "the token is not bound to a key, and came with the scheme DPoP"),
    ],
)
@on_sqlite
async def test_a_token_bound_to_a_certificate(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, shown: bytes | None, scheme: str, reason: str | None
) -> None:
    token = await bound_token(clinic, Binding(BindingKind.CERTIFICATE, thumbprint_of(CERTIFICATE_DER)))
    application = type(clinic.application).__call__

    async def with_certificate(self: Any, scope: Scope, receive: Receive, send: Send) -> None:
        scope[CERTIFICATE] = shown
        await application(self, scope, receive, send)

    monkeypatch.setattr(type(clinic.application), "__call__", with_certificate)
    answer = await ask(clinic, token, None, scheme=scheme)
    if reason is None:
        assert answer.status == 200
    else:
        refused(answer, reason, "invalid_token", scheme)


def test_a_thumbprint_is_base64url_of_sha_256() -> None:
    # RFC 7638 §3.1 gives the SHA-256 of its example key's members in this form.
    assert thumbprint_of(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
    assert len(b64(b"x" * 32)) == 43

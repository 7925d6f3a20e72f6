"""DPoP proofs (RFC 9449): each field counts, each proof is good once, and a key is proven by signing only."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import Keyring
from carekeep.identity.apps.nonces import WINDOW_MS, Nonces
from carekeep.identity.apps.proofs import (
    ALGORITHMS,
    INVALID,
    NONCE_WANTED,
    Demand,
    ProofRefused,
    Proofs,
    examine,
    normal_url,
)
from carekeep.identity.apps.replays import Replays
from carekeep.storage import Conflict
from tests.encryption.keys import opened_key_file
from tests.identity.apps.keys import Json, Prover, b64, key_for, packed, public, signed, with_shared_secret
from tests.identity.people import Office

URL = "https://records.example.org/fhir/Patient/ada"
TOKEN = "ck_" + "t" * 43
NOW = 1_790_000_000_000


def proofs_of(office: Office, keyring: Keyring | None = None) -> Proofs:
    keys = keyring or office.keyring
    return Proofs(keys, Replays(office.database, keys, office.clock), office.clock)


def prover(proofs: Proofs | None = None, algorithm: str = "ES256") -> Prover:
    return Prover(key_for(algorithm), algorithm, proofs.nonce() if proofs else None)


def examined(proof: str, *, method: str = "GET", url: str = URL, token: str | None = TOKEN, now_ms: int = NOW) -> str:
    """The thumbprint, or why it was refused."""
    try:
        return examine(proof, Demand(method, url, token, now_ms))[0].thumbprint
    except ProofRefused as refused:
        return refused.reason if refused.code == INVALID else refused.code


def changed(**claims: Any) -> str:
    """A proof with other claims than it should have; None leaves one out."""
    by = prover()
    found = {**by.claims("GET", URL, NOW, TOKEN), **claims}
    return signed(by.header(), {name: value for name, value in found.items() if value is not None}, by.key)


def headed(**header: Any) -> str:
    by = prover()
    found = {**by.header(), **header}
    kept = {name: value for name, value in found.items() if value is not None}
    return signed(kept, by.claims("GET", URL, NOW, TOKEN), by.key, "ES256")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_proof_proves_its_key(office: Office, algorithm: str) -> None:
    proofs = proofs_of(office)
    by = prover(proofs, algorithm)
    proven = await proofs.verify(by.proof("GET", URL, office.now, TOKEN), method="GET", url=URL, token=TOKEN)
    assert (proven.thumbprint, proven.nonce) == (by.thumbprint, None)
    without = await proofs.verify(by.proof("POST", URL, office.now), method="POST", url=URL)
    assert without.thumbprint == by.thumbprint


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"jti": None}, "it has no usable id"),
        ({"jti": ""}, "it has no usable id"),
        ({"jti": 7}, "it has no usable id"),
        ({"jti": "x" * 257}, "it has no usable id"),
        ({"jti": "é"}, "it has no usable id"),
        ({"htm": None}, "it is for another method"),
        ({"htm": "POST"}, "it is for another method"),
        ({"htm": "get"}, "it is for another method"),
        ({"htu": None}, "it is for another URL"),
        ({"htu": [URL]}, "it is for another URL"),
        ({"htu": "https://records.example.org/fhir/Patient/bob"}, "it is for another URL"),
        ({"htu": "https://elsewhere.example.org/fhir/Patient/ada"}, "it is for another URL"),
        ({"htu": "http://records.example.org/fhir/Patient/ada"}, "it is for another URL"),
        ({"htu": "https://records.example.org:8443/fhir/Patient/ada"}, "it is for another URL"),
        ({"htu": "https://x@records.example.org/fhir/Patient/ada"}, "it is for another URL"),
        ({"htu": "/fhir/Patient/ada"}, "it is for another URL"),
        ({"htu": "https://[records/fhir"}, "it is for another URL"),
        ({"iat": None}, "it was not made just now"),
        ({"iat": str(NOW // 1000)}, "it was not made just now"),
        ({"iat": True}, "it was not made just now"),
        ({"iat": 1e300}, "it was not made just now"),
        ({"ath": None}, "it is for another token"),
        ({"ath": b64(b"x" * 32)}, "it is for another token"),
        ({"ath": "é"}, "it is for another token"),
        ({"ath": 1}, "it is for another token"),
    ],
)
def test_each_claim_counts(claims: Json, reason: str) -> None:
    assert examined(changed(**claims)) == reason


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": None}, "it is no proof by its type"),
        ({"typ": "JWT"}, "it is no proof by its type"),
        ({"alg": None}, "its algorithm is not allowed"),
        ({"alg": "none"}, "its algorithm is not allowed"),
        ({"alg": "HS256"}, "its algorithm is not allowed"),
        ({"alg": "RS256"}, "its algorithm is not allowed"),
        ({"alg": ["ES256"]}, "its algorithm is not allowed"),
        ({"alg": "ES384"}, "its key is not for its algorithm"),
        ({"alg": "EdDSA"}, "its key is not for its algorithm"),
        ({"jwk": None}, "it has no key"),
        ({"jwk": "kid"}, "it has no key"),
        ({"jwk": key_for("ES256").as_dict(private=True)}, "the key is not public"),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, "the key is not public"),
        ({"jwk": public(key_for("ES256"), alg="ES384")}, "its key is not for its algorithm"),
        ({"jwk": public(key_for("ES256"), use="enc")}, "the key is not for signatures"),
        ({"jwk": public(key_for("ES256", 1))}, "the signature is not the key's"),
        ({"crit": ["exp"]}, "its header makes demands that are not understood"),
        ({"b64": False}, "its header makes demands that are not understood"),
    ],
)
def test_each_part_of_the_header_counts(header: Json, reason: str) -> None:
    assert examined(headed(**header)) == reason


@pytest.mark.parametrize(
    ("offset_ms", "good"),
    [(0, True), (-60_000, True), (60_000, True), (-61_000, False), (61_000, False), (-3_600_000, False)],
)
def test_clocks_may_differ_by_a_minute(offset_ms: int, *, good: bool) -> None:
    by = prover()
    found = examined(by.proof("GET", URL, NOW + offset_ms, TOKEN))
    assert found == (by.thumbprint if good else "it was not made just now")


def test_a_public_key_is_no_shared_secret() -> None:
    by = prover()
    header = {**by.header(), "alg": "HS256"}
    claims = by.claims("GET", URL, NOW, TOKEN)
    for secret in (json.dumps(public(by.key)).encode(), by.key.as_pem(private=False), b""):
        assert examined(with_shared_secret(header, claims, secret)) == "its algorithm is not allowed"
    unsigned = f"{packed({**by.header(), 'alg': 'none'})}.{packed(claims)}.AA"
    assert examined(unsigned) == "its algorithm is not allowed"


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "a.b.", "é.é.é", "e30.e30.A", "W10.e30.AA", "x" * 8193])
def test_what_is_no_signed_object(text: str) -> None:
    with pytest.raises(ProofRefused):
        examine(text, Demand("GET", URL, TOKEN, NOW))


ONE = prover().proof("GET", URL, NOW, TOKEN)


@given(st.data())
def test_a_changed_character_is_noticed(data: st.DataObject) -> None:
    header, payload, signature = ONE.split(".")
    text = f"{header}.{payload}"
    place = data.draw(st.integers(0, len(text) - 1).filter(lambda n: text[n] != "."))
    other = data.draw(st.sampled_from("ABCDabcd0189-_").filter(lambda c: c != text[place]))
    assert examined(f"{text[:place]}{other}{text[place + 1 :]}.{signature}") != prover().thumbprint


@given(st.text(max_size=200) | st.binary(max_size=300).map(lambda raw: f"{b64(raw)}.{b64(raw)}.{b64(raw)}"))
def test_whatever_is_sent_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(ProofRefused):
        examine(text, Demand("GET", URL, TOKEN, NOW))


@pytest.mark.parametrize(
    "written",
    [
        "HTTPS://RECORDS.example.org/fhir/Patient/ada",
        "https://records.example.org:443/fhir/Patient/ada",
        "https://records.example.org/fhir/Patient/ada?_format=json#part",
        "https://records.example.org/fhir/P%61tient/%61da",
    ],
)
def test_one_url_has_several_spellings(written: str) -> None:
    by = prover()
    assert examined(by.proof("GET", written, NOW, TOKEN)) == by.thumbprint


hosts = st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,2}", fullmatch=True)
paths = st.lists(st.from_regex(r"[A-Za-z0-9$~._-]{1,8}", fullmatch=True), max_size=4).map(lambda s: "/" + "/".join(s))


@given(hosts, paths, st.integers(1, 65535), st.sampled_from([str.upper, str.title, str.lower]))
def test_host_and_scheme_have_no_case_and_everything_else_does(
    host: str, path: str, port: int, spelled: Callable[[str], str]
) -> None:
    normal = normal_url(f"https://{host}:{port}{path}")
    assert normal is not None
    assert normal_url(f"{spelled('https')}://{spelled(host)}:{port}{path}") == normal
    assert normal_url(f"https://{host}:{port % 65535 + 1}{path}") != normal
    assert normal_url(f"https://{host}:{port}{path}x") != normal
    assert normal_url(f"https://{host}x:{port}{path}") != normal


async def test_a_proof_is_good_once_in_all_workers(office: Office, tmp_path: Path) -> None:
    other = await Keyring.open(office.database, opened_key_file(tmp_path), create=False)
    here, there = proofs_of(office), proofs_of(office, other)
    proof = prover(here).proof("GET", URL, office.now, TOKEN)
    first, second = [await each.verify(proof, method="GET", url=URL, token=TOKEN) for each in (here, there)]
    assert not await there.is_replay(second)
    await office.database.commit(first.once.steps)
    with pytest.raises(Conflict):
        await office.database.commit(second.once.steps)
    assert await there.is_replay(second)
    fresh = await there.verify(prover(there).proof("GET", URL, office.now, TOKEN), method="GET", url=URL, token=TOKEN)
    await office.database.commit(fresh.once.steps)


async def test_the_use_is_remembered_for_as_long_as_the_proof_is_good(office: Office) -> None:
    proofs, replays = proofs_of(office), Replays(office.database, office.keyring, office.clock)
    ahead = office.now + 60_000  # by a client whose clock is a minute ahead
    proof = prover(proofs).proof("GET", URL, ahead, TOKEN)
    proven = await proofs.verify(proof, method="GET", url=URL, token=TOKEN)
    await office.database.commit(proven.once.steps)
    office.now += 120_000
    by = prover(proofs)  # a client that would like to use it to the end
    assert examined(proof, now_ms=office.now) == by.thumbprint
    assert (await replays.prepare_purge()).value == 0
    office.now += 2
    assert examined(proof, now_ms=office.now) == "it was not made just now"
    purge = await replays.prepare_purge()
    assert purge.value == 1
    await office.database.commit(purge.steps)
    assert (await replays.prepare_purge()).value == 0


async def refused_code(proofs: Proofs, by: Prover, now_ms: int) -> str:
    with pytest.raises(ProofRefused) as refused:
        await proofs.verify(by.proof("GET", URL, now_ms, TOKEN), method="GET", url=URL, token=TOKEN)
    return refused.value.code


async def test_a_nonce_is_demanded_and_renewed(office: Office) -> None:
    office.now -= office.now % WINDOW_MS
    proofs = proofs_of(office)
    by = prover()
    assert await refused_code(proofs, by, office.now) == NONCE_WANTED
    for wrong in ("", "0" * 32, "é"):
        by.nonce = wrong
        assert await refused_code(proofs, by, office.now) == NONCE_WANTED
    by.nonce = first = proofs.nonce()
    office.now += WINDOW_MS
    proven = await proofs.verify(by.proof("GET", URL, office.now, TOKEN), method="GET", url=URL, token=TOKEN)
    assert proven.nonce == proofs.nonce() != first
    office.now += WINDOW_MS
    assert await refused_code(proofs, by, office.now) == NONCE_WANTED


async def test_nonces_are_the_same_in_all_workers_and_not_to_be_guessed(office: Office, tmp_path: Path) -> None:
    same = await Keyring.open(office.database, opened_key_file(tmp_path), create=False)
    assert Nonces(office.keyring, office.clock).current() == Nonces(same, office.clock).current()
    nonces = Nonces(office.keyring, office.clock)
    early = Nonces(office.keyring, lambda: office.now + WINDOW_MS).current()
    assert not nonces.is_good(early)
    assert not nonces.is_good(None)

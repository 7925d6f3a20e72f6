"""Signing in with a directory outside: a real provider, and answers that are not its own."""

import base64
import hmac
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from carekeep.encryption import Keyring, Secret
from carekeep.identity import Kind
from carekeep.identity.outside import (
    Fetched,
    FetchRefused,
    OutsideRefused,
    Provider,
    RelyingParty,
    https_fetch,
)
from tests.identity.outside.directory import Directory, running_directory
from tests.identity.people import Office

PEOPLE: Mapping[str, Mapping[str, object]] = {
    "d-1": {"preferred_username": "rivera", "name": "Dr. Rivera", "groups": ["Physicians"], "amr": ["pwd", "mfa"]},
    "d-2": {"preferred_username": "guest", "name": "A guest", "groups": ["Visitors"]},
    "d-3": {"preferred_username": "two", "name": "Two hats", "groups": ["Physicians", "IT"]},
}
CALLBACK = "https://auth.localhost:8443/federation-callback"
HOSPITAL = Provider(
    name="hospital",
    title="The hospital",
    issuer="https://idp.example.org",
    client_id="carekeep",
    client_secret=Secret("between us"),
    roles={"Physicians": Kind.PRACTITIONER, "IT": Kind.ADMINISTRATOR},
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    with running_directory(tmp_path_factory.mktemp("directory"), PEOPLE) as running:
        yield running


def party_at(directory: Directory, keyring: Keyring) -> RelyingParty:
    provider = replace(HOSPITAL, issuer=directory.issuer)
    return RelyingParty((provider,), keyring, https_fetch(directory.trust), CALLBACK)


async def test_a_clinician_of_the_directory(directory: Directory, office: Office) -> None:
    party = party_at(directory, office.keyring)
    begun = await party.begin("hospital", "/account")
    answer = directory.sign_in(begun.location, "d-1")
    found = await party.finish("hospital", answer, begun.state)
    assert (found.subject, found.login, found.kind, found.assurance) == ("d-1", "rivera", Kind.PRACTITIONER, 2)
    assert found.next == "/account"
    with pytest.raises(OutsideRefused):  # the provider gives a code's tokens once
        await party.finish("hospital", answer, begun.state)


@pytest.mark.parametrize("subject", ["d-2", "d-3"])
async def test_roles_that_mean_nothing_or_too_much_here(directory: Directory, office: Office, subject: str) -> None:
    party = party_at(directory, office.keyring)
    begun = await party.begin("hospital", "/account")
    with pytest.raises(OutsideRefused) as refused:
        await party.finish("hospital", directory.sign_in(begun.location, subject), begun.state)
    assert "roles" in refused.value.reason


async def test_the_answer_of_another_browser(directory: Directory, office: Office) -> None:
    """Somebody is made to open the callback of an attacker's sign-in: their browser began another one, or none."""
    party = party_at(directory, office.keyring)
    attackers = await party.begin("hospital", "/account")
    answer = directory.sign_in(attackers.location, "d-1")
    victims = await party.begin("hospital", "/account")
    for state in (None, "", "x", victims.state, attackers.state[:-4] + "AAAA"):
        with pytest.raises(OutsideRefused):
            await party.finish("hospital", answer, state)


class Pretender:
    """A provider of which each word can be changed."""

    def __init__(self, office: Office) -> None:
        self.key = ECKey.generate_key("P-256", parameters={"kid": "1", "alg": "ES256"})
        self.metadata: dict[str, object] = {
            "issuer": HOSPITAL.issuer,
            "authorization_endpoint": "https://idp.example.org/authorize",
            "token_endpoint": "https://idp.example.org/token",
            "jwks_uri": "https://idp.example.org/keys",
        }
        self.header: dict[str, object] = {"alg": "ES256", "kid": "1"}
        self.claims: dict[str, object] = {}
        self.signer: ECKey = self.key
        self.token: str | None = None
        self.forged: str | None = None
        self.party = RelyingParty((HOSPITAL,), office.keyring, self.fetch, CALLBACK)

    async def fetch(self, url: str, _headers: Mapping[str, str], _body: bytes | None) -> Fetched:
        if url.endswith("openid-configuration"):
            return Fetched(200, orjson.dumps(self.metadata))
        if url.endswith("/keys"):
            return Fetched(200, orjson.dumps(KeySet([self.key]).as_dict(private=False)))
        return Fetched(200, orjson.dumps({"id_token": self.forged or self.token}))

    async def answer(self, **answer: str) -> str:
        """Go the whole way with one answer; the reason of the refusal, or an empty text."""
        try:
            begun = await self.party.begin("hospital", "/")
            asked = dict(pair.split("=", 1) for pair in begun.location.partition("?")[2].split("&"))
            now = int(time.time())
            claims = {
                "iss": HOSPITAL.issuer,
                "aud": "carekeep",
                "sub": "s",
                "iat": now,
                "exp": now + 300,
                "nonce": asked["nonce"],
                "preferred_username": "rivera",
                "groups": "Physicians",
            }
            given = {name: value for name, value in {**claims, **self.claims}.items() if value is not None}
            self.token = jwt.encode(self.header, given, self.signer)
            await self.party.finish("hospital", {"code": "c", "state": asked["state"], **answer}, begun.state)
        except OutsideRefused as refused:
            return refused.reason
        return ""


@pytest.fixture
def pretender(office: Office) -> Pretender:
    return Pretender(office)


async def test_the_pretender_is_believed_when_nothing_is_wrong(pretender: Pretender) -> None:
    assert await pretender.answer() == ""


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.org"},
        {"aud": "somebody else"},
        {"aud": ["carekeep", "other"]},
        {"aud": ["carekeep", "other"], "azp": "other"},
        {"nonce": "another"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": int(time.time()) + 3600},
        {"sub": None},
        {"preferred_username": None},
        {"preferred_username": 7},
        {"groups": None},
        {"groups": [["Physicians"]]},
        {"auth_time": "yesterday"},
    ],
)
async def test_claims_that_are_not_believed(pretender: Pretender, claims: dict[str, object]) -> None:
    pretender.claims = claims
    assert await pretender.answer() != ""


async def test_a_token_signed_with_the_public_key_as_a_secret(pretender: Pretender) -> None:
    await pretender.answer()
    assert pretender.token is not None
    payload = pretender.token.split(".")[1]
    signed = url64(orjson.dumps({"alg": "HS256", "kid": "1"})) + "." + payload
    tag = hmac.digest(pretender.key.as_pem(private=False), signed.encode(), "sha256")
    pretender.forged = f"{signed}.{url64(tag)}"
    assert "Algorithm" in await pretender.answer()


def url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def test_a_token_signed_by_another_key(pretender: Pretender) -> None:
    pretender.signer = ECKey.generate_key("P-256")
    assert "BadSignature" in await pretender.answer()


async def test_a_key_in_the_tokens_own_header_counts_for_nothing(pretender: Pretender) -> None:
    evil = ECKey.generate_key("P-256")
    pretender.signer = evil
    pretender.header = {"alg": "ES256", "kid": "1", "jwk": evil.as_dict(private=False)}
    assert "BadSignature" in await pretender.answer()


@pytest.mark.parametrize(
    "answer", [{"iss": "https://evil.example.org"}, {"state": "other"}, {"error": "access_denied"}]
)
async def test_answers_that_are_not_taken(pretender: Pretender, answer: dict[str, str]) -> None:
    assert await pretender.answer(**answer) != ""


async def test_a_provider_that_promises_its_name_must_give_it(pretender: Pretender) -> None:
    """RFC 9207 §2.4: otherwise an attacker could leave it out (mix-up)."""
    pretender.metadata["authorization_response_iss_parameter_supported"] = True
    assert "another provider" in await pretender.answer()
    assert await pretender.answer(iss=HOSPITAL.issuer) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [("issuer", "https://evil.example.org"), ("token_endpoint", "http://idp.example.org/token"), ("jwks_uri", None)],
)
async def test_metadata_that_is_not_believed(pretender: Pretender, name: str, value: str | None) -> None:
    pretender.metadata[name] = value
    assert await pretender.answer() != ""


async def test_plain_http_is_never_fetched() -> None:
    with pytest.raises(FetchRefused, match="https"):
        await https_fetch()("http://localhost/", {}, None)

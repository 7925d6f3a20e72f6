"""How a sign-in with a directory outside begins: what the directory is asked for."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import orjson

from carekeep.identity.outside import Fetched, RelyingParty
from tests.identity.outside.test_relying_party import CALLBACK, HOSPITAL
from tests.identity.people import Office

METADATA = {
    "issuer": HOSPITAL.issuer,
    "authorization_endpoint": "https://idp.example.org/authorize",
    "token_endpoint": "https://idp.example.org/token",
    "jwks_uri": "https://idp.example.org/keys",
}


async def metadata(_url: str, _headers: Mapping[str, str], _body: bytes | None) -> Fetched:
    return Fetched(200, orjson.dumps(METADATA))


async def test_only_what_is_needed_is_asked_for(office: Office) -> None:
    """Who it is, and the claims that say under which name (OpenID Connect Core 5.4); no mail, no offline access."""
    begun = await RelyingParty((HOSPITAL,), office.keyring, metadata, CALLBACK).begin("hospital", "/account")
    asked = parse_qs(urlsplit(begun.location).query)
    assert asked["scope"] == ["openid profile"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked.keys() == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }


async def test_the_url_of_a_sign_in_is_short_whatever_comes_after_it(office: Office) -> None:
    """Where the person goes on is kept by the browser and not sent along: the URL stays short (ASVS 4.2.5)."""
    party = RelyingParty((HOSPITAL,), office.keyring, metadata, CALLBACK)
    short, long = [len((await party.begin("hospital", "/" + "x" * size)).location) for size in (1, 1000)]
    assert short == long
    assert long < 1000

"""How apps prove who they are: each claim counts, each statement is good once, and only registered keys sign."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from carekeep.identity.apps.assertions import ALGORITHMS, AssertionRefused, Assertions
from carekeep.identity.apps.client import CLIENT_CREDENTIALS, Client, ClientAuthentication, ClientState
from carekeep.identity.apps.key_sets import Fetched, KeySets, KeysUnavailable, lifetime_ms, read_key_set
from carekeep.identity.apps.public_keys import KeyRefused, read_public_key
from carekeep.identity.apps.replays import Replays
from carekeep.storage import Conflict
from tests.identity.apps.keys import Json, Key, b64, key_for, packed, public, signed, with_shared_secret
from tests.identity.people import Office

TOKEN_URL = "https://records.example.org/oauth/token"  # noqa: S105 - a URL
ISSUER = "https://auth.records.example.org"
KEYS_URI = "https://app.example.org/keys.json"
ID = "0123456789abcdef" * 2
NOW_S = 1_790_000_000


class KeyServer:
    """Where an app keeps its keys."""

    def __init__(self) -> None:
        self.keys: list[Json] = [public(key_for(each), kid=each) for each in ALGORITHMS]
        self.cache_control = "max-age=600"
        self.asked: list[str] = []
        self.is_down = False

    async def fetch(self, url: str) -> Fetched:
        self.asked.append(url)
        if self.is_down:
            raise KeysUnavailable("no answer")
        return Fetched(json.dumps({"keys": self.keys}).encode(), self.cache_control)


def key_set(*keys: Json) -> str:
    return json.dumps({"keys": keys})


def client_of(**more: Any) -> Client:
    facts: Json = {
        "id": ID,
        "name": "Nightly",
        "authentication": ClientAuthentication.PRIVATE_KEY_JWT,
        "created_ms": 0,
        "state": ClientState.APPROVED,
        "grant_types": (CLIENT_CREDENTIALS,),
        "keys": None if "keys_uri" in more else key_set(*KeyServer().keys),
    }
    return Client(**(facts | more))


def assertions_of(office: Office, server: KeyServer | None = None) -> Assertions:
    fetch = (server or KeyServer()).fetch
    replays = Replays(office.database, office.keyring, office.clock)
    return Assertions(replays, KeySets(fetch, office.clock), office.clock)


def claims_of(**changed: Any) -> Json:
    claims = {"iss": ID, "sub": ID, "aud": TOKEN_URL, "exp": NOW_S + 300, "jti": "first"} | changed
    return {name: value for name, value in claims.items() if value is not None}


def header_of(algorithm: str = "ES384", **changed: Any) -> Json:
    header = {"alg": algorithm, "kid": algorithm, "typ": "JWT"} | changed
    return {name: value for name, value in header.items() if value is not None}


def statement(header: Json | None = None, key: Key | None = None, **changed: Any) -> str:
    return signed(header or header_of(), claims_of(**changed), key or key_for("ES384"), "ES384")


async def reason(office: Office, assertion: str, client: Client | None = None, server: KeyServer | None = None) -> str:
    with pytest.raises(AssertionRefused, match=r"^The client did not prove who it is\.$") as refused:
        await assertions_of(office, server).verify(assertion, client or client_of(), TOKEN_URL, ISSUER)
    return refused.value.reason


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("audience", [TOKEN_URL, ISSUER, [TOKEN_URL]])
async def test_a_client_proves_who_it_is(office: Office, algorithm: str, audience: Any) -> None:
    made = signed(header_of(algorithm), claims_of(aud=audience), key_for(algorithm))
    assert (await assertions_of(office).verify(made, client_of(), TOKEN_URL, ISSUER)).steps


@on_sqlite
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"iss": None}, "it is not of the client about itself"),
        ({"iss": "f" * 32}, "it is not of the client about itself"),
        ({"sub": None}, "it is not of the client about itself"),
        ({"sub": "f" * 32}, "it is not of the client about itself"),
        ({"aud": None}, "it is for another server"),
        ({"aud": TOKEN_URL + "/"}, "it is for another server"),
        ({"aud": TOKEN_URL.upper()}, "it is for another server"),
        ({"aud": "https://evil.example.org/token"}, "it is for another server"),
        ({"aud": [TOKEN_URL, "https://evil.example.org/token"]}, "it is for another server"),
        ({"aud": []}, "it is for another server"),
        ({"aud": [[TOKEN_URL]]}, "it is for another server"),
        ({"exp": None}, "it is over, or does not say when it will be"),
        ({"exp": str(NOW_S + 60)}, "it is over, or does not say when it will be"),
        ({"exp": NOW_S - 11}, "it is over, or does not say when it will be"),
        ({"exp": NOW_S + 360}, "it is good for more than five minutes"),
        ({"exp": 1e18}, "it is good for more than five minutes"),
        ({"iat": NOW_S + 11}, "it is from the future"),
        ({"iat": "now"}, "it is from the future"),
        ({"nbf": NOW_S + 60}, "it is from the future"),
        ({"jti": None}, "it has no usable id"),
        ({"jti": ""}, "it has no usable id"),
        ({"jti": "x" * 257}, "it has no usable id"),
        ({"jti": ["a"]}, "it has no usable id"),
    ],
)
async def test_each_claim_counts(office: Office, changed: Json, expected: str) -> None:
    assert await reason(office, statement(**changed)) == expected


@on_sqlite
@pytest.mark.parametrize(
    ("end_s", "good"), [(300, True), (310, True), (311, False), (1, True), (0, True), (-9, True), (-10, False)]
)
async def test_clocks_may_differ_by_ten_seconds(office: Office, end_s: int, *, good: bool) -> None:
    made = statement(exp=NOW_S + end_s)
    if good:
        await assertions_of(office).verify(made, client_of(), TOKEN_URL)
    else:
        assert await reason(office, made)


@on_sqlite
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"alg": None}, "its algorithm is not allowed"),
        ({"alg": "none"}, "its algorithm is not allowed"),
        ({"alg": "HS384"}, "its algorithm is not allowed"),
        ({"alg": "RS256"}, "its algorithm is not allowed"),
        ({"alg": ["ES384"]}, "its algorithm is not allowed"),
        ({"alg": "RS384"}, "the signature is not the key's"),
        ({"typ": "dpop+jwt"}, "it is of another type"),
        ({"typ": "at+jwt"}, "it is of another type"),
        ({"kid": None}, "it does not name its key"),
        ({"kid": 1}, "it does not name its key"),
        ({"kid": "unknown"}, "no key of the client has this id"),
        ({"kid": "ES256"}, "the signature is not the key's"),
        ({"jku": KEYS_URI}, "it names another place for its keys than the registered one"),
        ({"crit": ["b64"], "b64": False}, "its header makes demands that are not understood"),
    ],
)
async def test_each_part_of_the_header_counts(office: Office, changed: Json, expected: str) -> None:
    assert await reason(office, statement(header_of(**changed))) == expected


@on_sqlite
async def test_a_public_key_is_no_shared_secret(office: Office) -> None:
    for name in ("HS256", "HS384"):
        for secret in (json.dumps(public(key_for("ES384"))).encode(), key_for("ES384").as_pem(private=False)):
            forged = with_shared_secret(header_of(alg=name), claims_of(), secret)
            assert await reason(office, forged) == "its algorithm is not allowed"
    unsigned = f"{packed(header_of(alg='none'))}.{packed(claims_of())}."
    assert await reason(office, unsigned) == "it is no signed object, or too long"


@on_sqlite
async def test_a_key_in_the_header_is_not_the_clients(office: Office) -> None:
    own = ECKey.generate_key("P-384")
    for offered in ({"jwk": public(own)}, {"x5c": [b64(b"certificate")]}, {"jwk": public(own, kid="ES384")}):
        assert await reason(office, statement(header_of(**offered), own)) == "the signature is not the key's"
    elsewhere = header_of(jku="https://evil.example.org/keys.json")
    assert "another place" in await reason(office, statement(elsewhere, own), client_of(keys_uri=KEYS_URI))


async def test_a_statement_is_good_once(office: Office) -> None:
    made = statement()
    used = [await assertions_of(office).verify(made, client_of(), TOKEN_URL) for _ in range(2)]
    await office.database.commit(used[0].steps)
    with pytest.raises(Conflict):
        await office.database.commit(used[1].steps)
    # Signed anew with the same id, it is the same one; of another client it is not.
    again = await assertions_of(office).verify(statement(exp=NOW_S + 200), client_of(), TOKEN_URL)
    with pytest.raises(Conflict):
        await office.database.commit(again.steps)
    other = "f" * 32
    theirs = await assertions_of(office).verify(statement(iss=other, sub=other), client_of(id=other), TOKEN_URL)
    await office.database.commit(theirs.steps)


@on_sqlite
async def test_keys_at_a_url_are_kept_and_a_new_one_is_found_at_once(office: Office) -> None:
    server, client = KeyServer(), client_of(keys_uri=KEYS_URI)
    assertions = assertions_of(office, server)
    for number in range(3):
        await assertions.verify(statement(header_of(jku=KEYS_URI), jti=str(number)), client, TOKEN_URL)
    assert server.asked == [KEYS_URI]
    office.now += 10_000
    new = ECKey.generate_key("P-384")
    server.keys = [public(new, kid="new")]
    await assertions.verify(statement(header_of(kid="new"), new), client, TOKEN_URL)
    assert len(server.asked) == 2
    with pytest.raises(AssertionRefused) as refused:
        await assertions.verify(statement(), client, TOKEN_URL)  # the old key went with that
    assert refused.value.reason == "no key of the client has this id"


@on_sqlite
async def test_a_key_that_was_taken_away_ends_with_the_answer_that_named_it(office: Office) -> None:
    server, client = KeyServer(), client_of(keys_uri=KEYS_URI)
    assertions = assertions_of(office, server)
    await assertions.verify(statement(), client, TOKEN_URL)
    server.keys = [public(key_for("ES256"), kid="ES256")]
    office.now += 599_000
    later = NOW_S + 599
    await assertions.verify(statement(exp=later + 60), client, TOKEN_URL)
    office.now += 1_000
    with pytest.raises(AssertionRefused):
        await assertions.verify(statement(exp=later + 60), client, TOKEN_URL)


@on_sqlite
async def test_unknown_keys_and_a_broken_server_are_no_flood(office: Office) -> None:
    server, client = KeyServer(), client_of(keys_uri=KEYS_URI)
    assertions = assertions_of(office, server)
    for number in range(50):
        with pytest.raises(AssertionRefused):
            await assertions.verify(statement(header_of(kid=f"guess-{number}")), client, TOKEN_URL)
    assert len(server.asked) == 1
    server.is_down = True
    office.now += 600_000
    for _ in range(50):
        with pytest.raises(AssertionRefused) as refused:
            await assertions.verify(statement(exp=NOW_S + 700), client, TOKEN_URL)
        assert refused.value.reason == "the keys could not be fetched: no answer"
    assert len(server.asked) == 2
    server.is_down = False
    office.now += 10_000
    await assertions.verify(statement(exp=NOW_S + 700), client, TOKEN_URL)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 60),
        ("public", 60),
        ("max-age=600", 600),
        ("Public, MAX-AGE=600", 600),
        ("max-age=0", 10),
        ("no-store", 10),
        ("no-cache, max-age=600", 10),
        ("max-age=999999999", 3600),
        ("max-age=99999999999999", 60),
        ("s-maxage=600", 60),
        ("max-age=600, max-age=20", 20),
    ],
)
def test_an_answer_is_kept_as_long_as_it_says_within_bounds(header: str, seconds: int) -> None:
    assert lifetime_ms(header) == seconds * 1000


def test_a_set_is_read_with_care() -> None:
    good = public(key_for("ES256"), kid="good")
    assert list(read_key_set(key_set(good, {"kty": "unheard-of", "kid": "x"}, public(key_for("ES256", 1))))) == ["good"]
    assert not read_key_set(key_set(good, public(key_for("ES256", 1), kid="good")))
    assert not read_key_set(key_set({**key_for("ES256").as_dict(private=True), "kid": "leaked"}))
    assert not read_key_set(key_set({**good, "use": "enc"}))
    for text in ("", "[]", "{}", '{"keys": []}', '{"keys": {}}', key_set(*[good] * 101), " " * 65_537):
        with pytest.raises(KeyRefused):
            read_key_set(text)


def test_weak_and_costly_keys_are_refused() -> None:
    rsa = public(key_for("RS384"))
    broken: list[Json] = [
        {**rsa, "n": rsa["n"][:171]},
        {**rsa, "n": "A" * 10_000},
        {**rsa, "e": "AQ"},
        {**rsa, "e": "A" * 300},
        {"kty": "EC", "crv": "P-521", "x": "A" * 88, "y": "A" * 88},
        {**public(key_for("ES256")), "x": "A" * 43},
        {**public(key_for("ES256")), "crv": "P-384"},
        {**public(key_for("ES256")), "crv": "Ed25519"},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "P-256", "x": "A" * 43},
        {"kty": "oct", "k": "AAAA"},
        {},
    ]
    for jwk in broken:
        with pytest.raises(KeyRefused):
            read_public_key(jwk)


VALUES = st.none() | st.integers() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.integers())


@given(
    st.sampled_from(["ES256", "EdDSA", "RS384"]),
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "key_ops"]), VALUES, min_size=1),
)
@example("ES256", {"key_ops": 5})
@example("ES256", {"key_ops": "verify"})
def test_whatever_stands_in_a_key_it_is_read_or_refused_and_nothing_worse(algorithm: str, strange: Json) -> None:
    good = public(key_for(algorithm))
    try:
        key = read_public_key(good | strange)
    except KeyRefused:
        return
    assert not strange.keys() & good.keys()
    assert key.fits(algorithm)


def test_the_thumbprint_of_a_key_is_the_standards() -> None:
    # RFC 8037, appendix A.3.
    key = read_public_key({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

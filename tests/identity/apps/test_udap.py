"""Who a trust community stands for: chains, terms, revocation, names; and what is signed counts once."""

import base64
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from carekeep.identity.apps.assertions import AssertionRefused, Assertions
from carekeep.identity.apps.business import Business, BusinessRefused, read_business
from carekeep.identity.apps.client import CLIENT_CREDENTIALS, Client, ClientAuthentication
from carekeep.identity.apps.key_sets import KeySets
from carekeep.identity.apps.public_keys import read_public_key
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.signed import read_header, take_apart
from carekeep.identity.apps.udap import StatementRefused, Udap
from carekeep.identity.apps.udap_settings import CommunityRefused, CommunitySettings
from carekeep.storage import Conflict
from tests.identity.apps.keys import Json
from tests.identity.apps.test_assertions import KeyServer
from tests.identity.apps.trust import BASE, DAY, NAME, Authority, Member, Trust, claims_of, ssl_pem
from tests.identity.people import Office

REGISTER = "https://records.example.org/oauth/register"
TOKEN_URL = "https://records.example.org/oauth/token"  # noqa: S105 - a URL
APP = "https://app.example.org"
ID = "0123456789abcdef" * 2
BUSINESS = {"hl7-b2b": {"version": "1", "organization_id": "urn:oid:1.2.3", "purpose_of_use": ["TREAT"]}}

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def trust(office: Office, tmp_path: Path) -> Trust:
    return Trust(tmp_path / "trust", office.now)


def udap_of(office: Office, trust: Trust) -> Udap:
    replays = Replays(office.database, office.keyring, office.clock)
    return Udap.open(trust.settings, BASE, replays, office.clock)


def statement(office: Office, **changed: Any) -> Json:
    now = office.now // 1000
    claims = {"iss": APP, "sub": APP, "aud": REGISTER, "iat": now, "exp": now + 300, "jti": "one"} | changed
    return {name: value for name, value in claims.items() if value is not None}


def refused(office: Office, trust: Trust, text: str) -> tuple[str, bool]:
    with pytest.raises(StatementRefused) as error:
        udap_of(office, trust).verify_registration(text, REGISTER)
    return str(error.value), error.value.is_untrusted


async def test_a_member_signs_once(office: Office, trust: Trust) -> None:
    made = trust.authority.member("urn:other", APP).sign(statement(office))
    first, second = [udap_of(office, trust).verify_registration(made, REGISTER) for _ in range(2)]
    assert (first.value.uri, first.value.claims["sub"]) == (APP, APP)
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(second.steps)


@on_sqlite
async def test_a_certificate_directly_below_the_anchor_will_do(office: Office, trust: Trust) -> None:
    made = trust.anchor.member(APP).sign(statement(office))
    assert udap_of(office, trust).verify_registration(made, REGISTER).value.uri == APP


@on_sqlite
async def test_certificates_that_nobody_should_trust(office: Office, trust: Trust) -> None:
    stranger = Authority(trust.anchor.now, "Anchor")
    good = trust.authority.member(APP)
    rootless = Member(good.key, good.certificate, good.chain[:1])
    stolen = Member(stranger.member(APP).key, good.certificate, good.chain)
    chained = "its certificate: it does not chain to an anchor of the community, or is not in force"
    cases = [
        (stranger.member(APP), chained),
        (Authority(trust.anchor.now, "Authority", stranger).member(APP), chained),
        (rootless, chained),
        (trust.authority.member(APP, ends=-DAY / 2), chained),
        (trust.authority.member(APP, is_authority=True), chained),
        (trust.authority.member("https://other.example.org"), "the certificate does not name the issuer"),
        (trust.authority.member(APP + "/"), "the certificate does not name the issuer"),
    ]
    for member, reason in cases:
        assert refused(office, trust, member.sign(statement(office))) == (reason, True)
    assert refused(office, trust, stolen.sign(statement(office))) == ("the signature is not the key's", False)


@on_sqlite
async def test_a_certificate_of_a_member_makes_no_members(office: Office, trust: Trust) -> None:
    good = trust.authority.member(APP)
    below = Authority(trust.anchor.now, "Member", trust.authority, key=good.key)
    made = below.member(APP)
    forged = Member(made.key, made.certificate, (made.chain[0], *good.chain))
    assert refused(office, trust, forged.sign(statement(office)))[1]


@on_sqlite
async def test_what_was_revoked_is_not_trusted_from_then_on(office: Office, trust: Trust) -> None:
    good, other = trust.authority.member(APP), trust.authority.member(APP)
    udap = udap_of(office, trust)
    udap.verify_registration(good.sign(statement(office)), REGISTER)
    trust.revoke(good.certificate)
    with pytest.raises(StatementRefused, match="it was revoked"):
        udap.verify_registration(good.sign(statement(office)), REGISTER)
    udap.verify_registration(other.sign(statement(office)), REGISTER)


@on_sqlite
async def test_without_a_current_list_nothing_is_trusted(office: Office, trust: Trust) -> None:
    made = trust.authority.member(APP).sign(statement(office))
    missing = "its certificate: there is no current list of what its issuer revoked"
    trust.revoke(ends=-DAY / 2)
    assert refused(office, trust, made) == (missing, True)
    revoked = trust.folder / "revoked.pem"
    forged = Authority(trust.anchor.now, "Authority").revocations()  # by another key under the same name
    for lists in (b"", trust.anchor.revocations(), trust.anchor.revocations() + forged):
        revoked.write_bytes(lists)
        assert refused(office, trust, made) == (missing, True)


@on_sqlite
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": None}, "the certificate does not name the issuer"),
        ({"iss": [APP]}, "the certificate does not name the issuer"),
        ({"sub": "https://other.example.org"}, "it is not of the client about itself"),
        ({"aud": TOKEN_URL}, "it is for another server"),
        ({"exp": 0}, "it is over, or does not say when it will be"),
        ({"exp": 1_790_000_000 + 360}, "it is good for more than five minutes"),
        ({"jti": None}, "it has no usable id"),
    ],
)
async def test_each_claim_counts(office: Office, trust: Trust, changed: Json, reason: str) -> None:
    made = trust.authority.member(APP).sign(statement(office, **changed))
    assert refused(office, trust, made)[0] == reason


@on_sqlite
@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"alg": "none"}, "its algorithm is not allowed"),
        ({"alg": "HS256"}, "its algorithm is not allowed"),
        ({"alg": "RS256"}, "the signature is not the key's"),
        ({"x5c": None}, "it comes without its certificates"),
        ({"x5c": []}, "it comes without its certificates"),
        ({"x5c": ["AAAA"] * 7}, "it comes without its certificates"),
        ({"x5c": [1]}, "its certificates cannot be read"),
        ({"x5c": ["é"]}, "its certificates cannot be read"),
        ({"x5c": ["AAAA"]}, "its certificate: it does not chain to an anchor of the community, or is not in force"),
        ({"crit": ["x5c"]}, "its header makes demands that are not understood"),
    ],
)
async def test_each_part_of_the_header_counts(office: Office, trust: Trust, header: Json, reason: str) -> None:
    made = trust.authority.member(APP).sign(statement(office), **header)
    assert refused(office, trust, made)[0] == reason


def assertions_of(office: Office, udap: Udap | None) -> Assertions:
    replays = Replays(office.database, office.keyring, office.clock)
    return Assertions(replays, KeySets(KeyServer().fetch, office.clock), office.clock, udap)


def client_of() -> Client:
    return Client(
        id=ID,
        name="Exchange",
        authentication=ClientAuthentication.PRIVATE_KEY_JWT,
        created_ms=0,
        grant_types=(CLIENT_CREDENTIALS,),
        organization=APP,
    )


@on_sqlite
async def test_a_member_proves_who_it_is_and_says_on_whose_behalf(office: Office, trust: Trust) -> None:
    own = statement(office, iss=ID, sub=ID, aud=TOKEN_URL, extensions=BUSINESS)
    assertions = assertions_of(office, udap_of(office, trust))
    proven = await assertions.verify(trust.authority.member(APP).sign(own), client_of(), TOKEN_URL)
    assert proven.value == Business("urn:oid:1.2.3", ("TREAT",))
    await office.database.commit(proven.steps)
    assert await assertions.is_replay(proven)
    bare = statement(office, iss=ID, sub=ID, aud=TOKEN_URL, jti="two")
    assert (await assertions.verify(trust.authority.member(APP).sign(bare), client_of(), TOKEN_URL)).value is None


@on_sqlite
async def test_another_member_is_not_this_one(office: Office, trust: Trust) -> None:
    own = statement(office, iss=ID, sub=ID, aud=TOKEN_URL)
    other = trust.authority.member("https://other.example.org")
    with pytest.raises(AssertionRefused) as error:
        await assertions_of(office, udap_of(office, trust)).verify(other.sign(own), client_of(), TOKEN_URL)
    assert error.value.reason == "the certificate does not name the client"
    with pytest.raises(AssertionRefused):
        await assertions_of(office, None).verify(trust.authority.member(APP).sign(own), client_of(), TOKEN_URL)


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        (None, None),
        ({"purpose_of_use": ["urn:oid:2.16.840.1.113883.5.8#HPAYMT", "TREAT"]}, ("HPAYMT", "TREAT")),
        ({"version": "2"}, BusinessRefused),
        ({"organization_id": None}, BusinessRefused),
        ({"organization_id": "line\nbreak"}, BusinessRefused),
        ({"organization_id": "x" * 257}, BusinessRefused),
        ({"purpose_of_use": []}, BusinessRefused),
        ({"purpose_of_use": "TREAT"}, BusinessRefused),
        ({"purpose_of_use": [1]}, BusinessRefused),
        ({"purpose_of_use": ["TREAT"] * 11}, BusinessRefused),
    ],
)
def test_the_extension_is_read_with_care(extension: Json | None, expected: Any) -> None:
    claims = {} if extension is None else {"extensions": {"hl7-b2b": BUSINESS["hl7-b2b"] | extension}}
    if expected is BusinessRefused:
        with pytest.raises(BusinessRefused):
            read_business(claims)
        return
    found = read_business(claims)
    assert (found.purposes if found else None) == expected


@on_sqlite
async def test_what_the_server_says_of_itself_is_signed_with_its_certificate(office: Office, trust: Trust) -> None:
    made = udap_of(office, trust).signed_metadata({"token_endpoint": TOKEN_URL})
    parts = take_apart(made, 8_192)
    chain = read_header(parts.header)["x5c"]
    pem = (trust.folder / "server.pem").read_bytes()
    assert b"".join(ssl_pem(base64.b64decode(each)) for each in chain) == pem
    key = ECKey.import_key((trust.folder / "server.key").read_bytes())
    assert parts.is_signed_by(read_public_key(key.as_dict(private=False)), "ES256")
    claims = claims_of(made)
    assert (claims["iss"], claims["sub"], claims["token_endpoint"]) == (BASE, BASE, TOKEN_URL)
    assert claims["exp"] - claims["iat"] == 86_400


@on_sqlite
async def test_settings_that_cannot_be_used_are_said(office: Office, trust: Trust) -> None:
    replays = Replays(office.database, office.keyring, office.clock)
    with pytest.raises(CommunityRefused, match="does not name https://other"):
        Udap.open(trust.settings, "https://other.example.org/fhir", replays)
    (trust.folder / "anchors.pem").write_text("no certificate")
    with pytest.raises(CommunityRefused, match="cannot be used"):
        Udap.open(trust.settings, BASE, replays)


def test_the_table_of_the_settings(tmp_path: Path) -> None:
    table = {"community": NAME, "anchors": "a", "revoked": "r", "certificate": "c", "key": "k"}
    settings = CommunitySettings.read(table, tmp_path)
    assert settings
    assert settings.table() == table
    assert settings.path("anchors") == tmp_path / "a"
    assert not CommunitySettings()
    for broken in ({}, table | {"more": "x"}, table | {"key": ""}, table | {"key": 1}):
        with pytest.raises(CommunityRefused):
            CommunitySettings.read(broken, tmp_path)

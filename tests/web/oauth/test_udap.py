"""Apps of a trust community: found, registered, approved, and what they say they ask for is in the ledger."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carekeep.identity.apps.assertions import Assertions
from carekeep.identity.apps.client import CLIENT_CREDENTIALS, Client, ClientState
from carekeep.identity.apps.key_sets import Fetched, KeySets
from carekeep.identity.apps.udap import Udap
from carekeep.web import WebApplication
from tests.identity.apps.keys import Json
from tests.identity.apps.trust import BASE, NAME, Member, Trust, claims_of
from tests.web.clinic import Answer, Clinic, on_sqlite
from tests.web.oauth.desk import JWT_BEARER, TOKEN_URL

REGISTER = "https://records.example.org/oauth/register"
APP = "https://app.example.org"
FORM = "application/x-www-form-urlencoded"


async def nothing(_url: str) -> Fetched:
    raise AssertionError


class Exchange:
    """A clinic in a trust community, and an app of that community."""

    def __init__(self, clinic: Clinic, trust: Trust) -> None:
        services = clinic.system.services
        udap = Udap.open(trust.settings, BASE, services.replays, clinic.time)
        assertions = Assertions(services.replays, KeySets(nothing, clinic.time), clinic.time, udap)
        self.clinic, self.trust, self.made = clinic, trust, 0
        self.services = replace(services, udap=udap, assertions=assertions)
        clinic.client._transport.app = WebApplication(self.services)  # type: ignore[attr-defined]  # noqa: SLF001

    def claims(self, issuer: str, audience: str, **more: Any) -> Json:
        self.made += 1
        now = self.clinic.time() // 1000
        claims = {"iss": issuer, "sub": issuer, "aud": audience, "iat": now, "exp": now + 60, "jti": str(self.made)}
        return claims | more

    def metadata(self, **changed: Any) -> Json:
        described = {
            "client_name": "Exchange",
            "contacts": ["mailto:it@app.example.org"],
            "grant_types": ["client_credentials"],
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": "system/Patient.rs",
        }
        return self.claims(APP, REGISTER) | described | changed

    async def register(self, statement: str) -> Answer:
        body = {"udap": "1", "software_statement": statement, "certifications": []}
        headers = {"content-type": "application/json"}
        return await self.clinic.ask("POST", "/oauth/register", body, who=None, headers=headers)

    async def approved(self, client_id: str) -> Client:
        """An administrator approves the app, and gives it an account of its own."""
        clients = self.services.apps.clients
        client = await clients.get(client_id)
        assert client is not None
        account = self.clinic.accounts["engine"].id.hex()
        changed = clients.prepare_change(replace(client, state=ClientState.APPROVED, account=account))
        await self.clinic.record("an app was approved", changed)
        return changed.value

    async def token(self, member: Member, client: Client, **claims: Any) -> Answer:
        assertion = member.sign(self.claims(client.id, TOKEN_URL, **claims))
        body = (
            f"grant_type={CLIENT_CREDENTIALS}&scope=system/Patient.rs&udap=1"
            f"&client_assertion_type={JWT_BEARER}&client_assertion={assertion}"
        )
        return await self.clinic.ask("POST", "/oauth/token", body.encode(), who=None, headers={"content-type": FORM})


def business(*purposes: str) -> Json:
    organization = {"version": "1", "organization_id": "https://clinic.example.org", "purpose_of_use": list(purposes)}
    return {"hl7-b2b": organization}


@pytest.fixture
def exchange(clinic: Clinic, tmp_path: Path) -> Exchange:
    return Exchange(clinic, Trust(tmp_path / "trust", clinic.time()))


@on_sqlite
async def test_without_a_community_there_is_nothing(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", ".well-known/udap", who=None)).status == 404
    headers = {"content-type": "application/json"}
    body = {"udap": "1", "software_statement": "a.b.c"}
    answer = await clinic.ask("POST", "/oauth/register", body, who=None, headers=headers)
    assert (answer.status, answer.json["error"]) == (400, "unapproved_software_statement")


@on_sqlite
async def test_the_endpoints_are_found_and_signed_for(exchange: Exchange) -> None:
    answer = await exchange.clinic.ask("GET", ".well-known/udap", who=None)
    assert answer.status == 200
    assert answer.json["udap_versions_supported"] == ["1"]
    signed = claims_of(answer.json["signed_metadata"])
    assert signed["iss"] == BASE
    for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
        assert signed[name] == answer.json[name]
    assert (await exchange.clinic.ask("POST", ".well-known/udap", b"", who=None)).status == 405


async def test_an_app_registers_and_its_purpose_is_in_the_ledger(exchange: Exchange) -> None:
    member = exchange.trust.authority.member(APP)
    answer = await exchange.register(member.sign(exchange.metadata()))
    assert (answer.status, answer.json["status"]) == (201, "pending")
    assert answer.entry is not None
    assert APP in answer.entry.reason
    client = await exchange.services.apps.clients.get(answer.json["client_id"])
    assert client is not None
    assert (await exchange.token(member, client, extensions=business("HPAYMT"))).json["error"] == "invalid_client"
    client = await exchange.approved(client.id)
    # Another certificate of the same member is as good; what it asks for counts.
    newer = exchange.trust.authority.member(APP)
    given = await exchange.token(newer, client, extensions=business("HPAYMT", "TREAT"))
    assert given.status == 200, given.body
    token = given.json["access_token"]

    async def read(**headers: str) -> Answer:
        sent = {"authorization": f"Bearer {token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await exchange.clinic.ask("GET", "Patient/ada", who=None, headers=sent)

    answers = [await read(), await read(x_purpose_of_use="TREAT"), await read(x_purpose_of_use="HRESCH")]
    entries = [each.entry for each in answers if each.entry is not None]
    assert [entry.purpose for entry in entries[:2]] == ["HPAYMT", "TREAT"]
    assert {entry.agent.on_behalf_of for entry in entries} == {"https://clinic.example.org"}
    assert (answers[2].status, entries[2].outcome) == (403, "failed")


@on_sqlite
async def test_a_machine_says_what_it_asks_for(exchange: Exchange) -> None:
    member = exchange.trust.authority.member(APP)
    registered = await exchange.register(member.sign(exchange.metadata()))
    client = await exchange.approved(registered.json["client_id"])
    attempts: list[tuple[Json, str, str]] = [
        ({}, "invalid_grant", "no hl7-b2b"),
        ({"extensions": business("CURIOSITY")}, "invalid_grant", "purpose of use"),
        ({"extensions": {"hl7-b2b": {"version": "1"}}}, "invalid_client", "which organization"),
    ]
    for claims, error, reason in attempts:
        answer = await exchange.token(member, client, **claims)
        assert (answer.status, answer.json["error"]) == (400, error)
        assert answer.entry is not None
        assert (answer.entry.outcome, reason in answer.entry.reason) == ("denied", True)
    exchange.trust.revoke(member.certificate)
    answer = await exchange.token(member, client, extensions=business("TREAT"))
    assert answer.json["error"] == "invalid_client"
    assert answer.entry is not None
    assert "revoked" in answer.entry.reason


SECRET = {"token_endpoint_auth_method": "client_secret_basic"}
Broken = Callable[[Exchange], str]
REFUSED: dict[str, tuple[Broken, str]] = {
    "another community": (
        lambda of: Trust(of.trust.folder / "b", of.clinic.time()).authority.member(APP).sign(of.metadata()),
        "unapproved_software_statement",
    ),
    "another name": (
        lambda of: of.trust.authority.member(NAME).sign(of.metadata()),
        "unapproved_software_statement",
    ),
    "not signed": (lambda _: "e30.e30.", "invalid_software_statement"),
    "no client name": (
        lambda of: of.trust.authority.member(APP).sign(of.metadata(client_name=None)),
        "invalid_client_metadata",
    ),
    "a secret instead of a key": (
        lambda of: of.trust.authority.member(APP).sign(of.metadata(**SECRET)),
        "invalid_client_metadata",
    ),
    "a grant that is not given": (
        lambda of: of.trust.authority.member(APP).sign(of.metadata(grant_types=["implicit"])),
        "invalid_client_metadata",
    ),
    "a redirect over http": (
        lambda of: of.trust.authority.member(APP).sign(
            of.metadata(
                grant_types=["authorization_code"], response_types=["code"], redirect_uris=["http://app.example.org/"]
            )
        ),
        "invalid_redirect_uri",
    ),
    "scopes that are none": (
        lambda of: of.trust.authority.member(APP).sign(of.metadata(scope="system/Patient.everything")),
        "invalid_client_metadata",
    ),
}


@on_sqlite
@pytest.mark.parametrize("case", REFUSED)
async def test_other_registrations_are_refused(exchange: Exchange, case: str) -> None:
    make, error = REFUSED[case]
    answer = await exchange.register(make(exchange))
    assert (answer.status, answer.json["error"]) == (400, error)
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"
    assert not [client async for client in exchange.services.apps.clients.all()]


async def test_a_registration_is_changed_and_ended_by_the_same_member_only_and_once(exchange: Exchange) -> None:
    member = exchange.trust.authority.member(APP)
    made = member.sign(exchange.metadata())
    first = await exchange.register(made)
    again = await exchange.register(made)
    assert (again.status, again.json["error"]) == (400, "invalid_software_statement")
    client = await exchange.approved(first.json["client_id"])
    token = (await exchange.token(member, client, extensions=business("TREAT"))).json["access_token"]
    changed = await exchange.register(member.sign(exchange.metadata(client_name="Renamed")))
    assert (changed.status, changed.json["client_id"], changed.json["status"]) == (200, client.id, "pending")
    sent = {"authorization": f"Bearer {token}"}
    assert (await exchange.clinic.ask("GET", "Patient/ada", who=None, headers=sent)).status == 401
    ended = await exchange.register(member.sign(exchange.metadata(grant_types=[])))
    assert (ended.status, ended.json["grant_types"]) == (200, [])
    kept = await exchange.services.apps.clients.get(client.id)
    assert kept is not None
    assert kept.state is ClientState.DISABLED
    other = exchange.trust.authority.member("https://other.example.org")
    claims = exchange.metadata(grant_types=[], iss="https://other.example.org", sub="https://other.example.org")
    assert (await exchange.register(other.sign(claims))).json["error"] == "invalid_client_metadata"

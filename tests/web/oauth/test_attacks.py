"""What attackers try, each refused and in the ledger. What they hold besides is good: the attack is the only fault."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from carekeep.access import Action
from carekeep.identity.apps.client import Client, ClientState
from carekeep.identity.apps.grant import Context
from carekeep.web.oauth import AuthorizationRefused, Authorizing
from tests.web.clinic import MINUTE_MS, Json, on_sqlite
from tests.web.oauth.desk import CHALLENGE, FHIR, ISSUER, REDIRECT, VERIFIER, Desk, TokenAnswer, answered
from tests.web.oauth.test_flow import exchange_form


def assert_refused(answer: TokenAnswer, error: str, reason: str) -> None:
    assert answer.error == error
    assert answer.status == 400
    assert not {"access_token", "refresh_token", "id_token"} & answer.body.keys()
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"
    assert reason in answer.entry.reason


# --------------------------------------------------------------------------------------- the authorization request


@dataclass(frozen=True, slots=True)
class Bad:
    """What is wrong with a request. ``error`` is told to the app; None: nobody is sent anywhere."""

    given: Mapping[str, str | None]
    error: str | None


REQUESTS: Mapping[str, Bad] = {
    "no client": Bad({"client_id": None}, None),
    "unknown client": Bad({"client_id": "0" * 32}, None),
    "a client id that is none": Bad({"client_id": "' OR 1=1 --"}, None),
    "no redirect": Bad({"redirect_uri": None}, None),
    "redirect elsewhere": Bad({"redirect_uri": "https://evil.example.org/callback"}, None),
    "redirect with a longer path": Bad({"redirect_uri": REDIRECT.replace("callback", "callback/../evil")}, None),
    "redirect with another query": Bad({"redirect_uri": f"{REDIRECT}&next=https://evil.example.org"}, None),
    "redirect with a fragment": Bad({"redirect_uri": f"{REDIRECT}#x"}, None),
    "redirect in another case": Bad({"redirect_uri": REDIRECT.replace("callback", "Callback")}, None),
    "redirect of the client's host, by http": Bad({"redirect_uri": REDIRECT.replace("https:", "http:")}, None),
    "redirect with a user": Bad({"redirect_uri": REDIRECT.replace("://", "://app.example.org@evil.")}, None),
    "a token in the browser": Bad({"response_type": "token"}, "unsupported_response_type"),
    "a code and a token": Bad({"response_type": "code id_token"}, "unsupported_response_type"),
    "a form that posts itself": Bad({"response_mode": "form_post"}, "invalid_request"),
    "no PKCE": Bad({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "PKCE without a method, which means plain": Bad({"code_challenge_method": None}, "invalid_request"),
    "plain PKCE": Bad({"code_challenge_method": "plain", "code_challenge": VERIFIER}, "invalid_request"),
    "an empty challenge": Bad({"code_challenge": ""}, "invalid_request"),
    "a short challenge": Bad({"code_challenge": "x" * 42}, "invalid_request"),
    "no audience": Bad({"aud": None}, "invalid_request"),
    "another server's audience": Bad({"aud": "https://evil.example.org/fhir"}, "invalid_target"),
    "another server's resource": Bad({"resource": "https://evil.example.org/fhir"}, "invalid_target"),
    "only scopes that the client may not have": Bad(
        {"scope": "user/Observation.rs user/Patient.cud system/*.rs"}, "invalid_scope"
    ),
    "scopes that are none": Bad({"scope": "admin ../../x"}, "invalid_scope"),
    "endless scopes": Bad({"scope": "patient/Observation.rs " * 1000}, "invalid_scope"),
    "a launch that is none": Bad({"launch": "x" * 43}, "invalid_request"),
    "a signed request": Bad({"request": "e30.e30."}, "request_not_supported"),
    "a request fetched from elsewhere": Bad({"request_uri": "https://evil.example.org/request"}, None),
    "prompt none and login": Bad({"prompt": "none login"}, "invalid_request"),
    "an age that is no number": Bad({"max_age": "-1"}, "invalid_request"),
    "a key that is none": Bad({"dpop_jkt": "x"}, "invalid_request"),
    "a state of many lines": Bad({"state": "a\r\nSet-Cookie: x=y"}, "invalid_request"),
}


@on_sqlite
@pytest.mark.parametrize("what", REQUESTS)
async def test_a_bad_request_is_refused_where_it_is_safe_to_say_so(desk: Desk, what: str) -> None:
    bad = REQUESTS[what]
    client = await desk.client()
    authorizing = Authorizing(desk.clinic.system.services)
    with pytest.raises(AuthorizationRefused) as caught:
        await authorizing.read_authorization(desk.asking(client, **bad.given))
    if bad.error is None:
        assert caught.value.location is None
        return
    assert caught.value.location is not None
    assert caught.value.location.startswith(f"{REDIRECT}&error=")
    assert "\n" not in caught.value.location
    answer = answered(caught.value.location)
    assert answer["error"] == bad.error
    assert answer["iss"] == ISSUER  # RFC 9207: an app that talks to two issuers knows which one it was
    assert answer["state"] == bad.given.get("state", "the app's own")


@on_sqlite
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "code_challenge"])
async def test_a_parameter_that_stands_twice_is_not_chosen_from(desk: Desk, name: str) -> None:
    pairs = desk.asking(await desk.client())
    with pytest.raises(AuthorizationRefused) as caught:
        await Authorizing(desk.clinic.system.services).read_authorization([*pairs, (name, "https://evil.example.org")])
    assert caught.value.location is None


@on_sqlite
@pytest.mark.parametrize("state", [ClientState.PENDING, ClientState.DISABLED])
async def test_a_client_that_is_not_approved_gets_nothing(desk: Desk, state: ClientState) -> None:
    client = await desk.client()
    code = await desk.code(client)
    await desk.clinic.record("x", desk.clinic.system.services.apps.clients.prepare_change(replace(client, state=state)))
    with pytest.raises(AuthorizationRefused):
        await Authorizing(desk.clinic.system.services).read_authorization(desk.asking(client))
    assert_refused(await desk.exchange(client, code), "invalid_client", f"is {state}")


async def test_a_first_party_app_must_push_its_requests(desk: Desk) -> None:
    client = await desk.confidential(first_party=True)
    with pytest.raises(AuthorizationRefused, match="push"):
        await Authorizing(desk.clinic.system.services).read_authorization(desk.asking(client))


async def test_a_pushed_request_of_another_client_is_not_there(desk: Desk) -> None:
    client, thief = await desk.client(), await desk.client()
    pushed = await desk.post("par", dict(desk.asking(client)))
    named = [("client_id", thief.id), ("request_uri", pushed.body["request_uri"])]
    with pytest.raises(AuthorizationRefused) as caught:
        await Authorizing(desk.clinic.system.services).read_authorization(named)
    assert caught.value.location is None


@on_sqlite
async def test_a_pushed_request_is_checked_as_the_page_would(desk: Desk) -> None:
    client = await desk.client()
    bad: list[tuple[dict[str, str | None], str]] = [
        ({"redirect_uri": "https://evil.example.org/"}, "invalid_request"),
        ({"aud": "https://x/"}, "invalid_target"),
        ({"request_uri": "urn:x"}, "invalid_request"),
    ]
    for given, error in bad:
        assert_refused(await desk.post("par", dict(desk.asking(client, **given))), error, "")


async def test_a_launch_of_another_app_or_person_is_refused(desk: Desk) -> None:
    client, other = await desk.client(), await desk.client()
    launches = desk.clinic.system.services.apps.launches
    started = launches.prepare_start(client.id, desk.clinic.accounts["physician"].id.hex(), Context("ada"))
    await desk.clinic.record("started", started)
    launch, scope = started.value.reveal_text(), "launch patient/Observation.rs"
    with pytest.raises(AuthorizationRefused):
        await desk.allow(other, "physician", launch=launch, scope=scope)
    with pytest.raises(AuthorizationRefused):
        await desk.allow(client, "emergency", launch=launch, scope=scope)
    await desk.allow(client, "physician", launch=launch, scope=scope)
    with pytest.raises(AuthorizationRefused):
        await desk.allow(client, "physician", launch=launch, scope=scope)  # once


async def test_a_launch_is_over_after_five_minutes(desk: Desk) -> None:
    client = await desk.client()
    launches = desk.clinic.system.services.apps.launches
    started = launches.prepare_start(client.id, desk.clinic.accounts["physician"].id.hex(), Context("ada"))
    await desk.clinic.record("started", started)
    desk.clinic.time.now_ms += 5 * MINUTE_MS
    with pytest.raises(AuthorizationRefused):
        await desk.allow(client, "physician", launch=started.value.reveal_text(), scope="launch openid")


@pytest.mark.parametrize(
    ("who", "patient", "status"),
    [("physician", "bob", 403), ("ada", "ada", 403), ("engine", "ada", 403), (None, "ada", 401)],
)
@on_sqlite
async def test_only_who_may_read_the_chart_starts_an_app_on_it(
    desk: Desk, who: str | None, patient: str, status: int
) -> None:
    client = await desk.client(launch_uri="https://app.example.org/launch")
    answer = await desk.clinic.ask("POST", "/oauth/launch", {"client_id": client.id, "patient": patient}, who=who)
    assert answer.status == status
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"


async def test_an_app_cannot_start_another_one(desk: Desk) -> None:
    client = await desk.client(launch_uri="https://app.example.org/launch")
    desk.clinic.tokens["app's"] = (await desk.tokens(client, "physician", chosen=Context("ada")))["access_token"]
    start = {"client_id": client.id, "patient": "ada"}
    assert (await desk.clinic.ask("POST", "/oauth/launch", start, who="app's")).status == 403


@on_sqlite
@pytest.mark.parametrize(
    "start",
    [
        {},
        {"client_id": 1, "patient": "ada"},
        {"client_id": "x", "patient": "../x"},
        {"client_id": "x", "patient": "ada", "encounter": {}},
        {"client_id": "x", "patient": "ada", "fhirContext": ["https://evil.example.org"]},
    ],
)
async def test_a_launch_that_cannot_be_read_is_refused(desk: Desk, start: Json) -> None:
    assert (await desk.clinic.ask("POST", "/oauth/launch", start, who="physician")).status == 400


# ------------------------------------------------------------------------------------------------ the code

CODES: Mapping[str, tuple[Mapping[str, str | None], str, str]] = {
    "no code": ({"code": None}, "invalid_request", "code is missing"),
    "a code that is none": ({"code": "x" * 43}, "invalid_grant", "no such code"),
    "a code of another form": ({"code": "../../etc/passwd"}, "invalid_grant", "no such code"),
    "another redirect": ({"redirect_uri": "https://evil.example.org/"}, "invalid_grant", "another redirect URI"),
    "no redirect": ({"redirect_uri": None}, "invalid_request", "redirect_uri is missing"),
    "no verifier": ({"code_verifier": None}, "invalid_request", "code_verifier"),
    "a wrong verifier": ({"code_verifier": "w" * 43}, "invalid_grant", "verifier"),
    "the challenge as verifier (plain)": ({"code_verifier": CHALLENGE}, "invalid_grant", "verifier"),
    "a short verifier": ({"code_verifier": "w" * 42}, "invalid_request", "code_verifier"),
    "another server's resource": ({"resource": "https://evil.example.org/fhir"}, "invalid_target", "good for"),
    "a client secret": ({"client_secret": "guess"}, "invalid_client", "secret"),
    "no client": ({"client_id": None}, "invalid_client", "no client"),
    "a client that is none": ({"client_id": "0" * 32}, "invalid_client", "no such client"),
    "no grant type": ({"grant_type": None}, "invalid_request", "grant_type"),
    "a password": ({"grant_type": "password"}, "unsupported_grant_type", "grant_type"),
    "a way that is not the client's": ({"grant_type": "client_credentials"}, "unauthorized_client", "may not use"),
    "an assertion of a client without a key": ({"client_assertion": "e30.e30.e30"}, "invalid_client", "assertion"),
}


@on_sqlite
@pytest.mark.parametrize("what", CODES)
async def test_a_code_is_not_exchanged(desk: Desk, what: str) -> None:
    given, error, reason = CODES[what]
    client = await desk.client()
    code = await desk.code(client)
    others = {name: value for name, value in given.items() if name != "code"}
    assert_refused(await desk.exchange(client, given.get("code", code), **others), error, reason)
    assert (await desk.exchange(client, code)).status == 200  # which the attack did not use up


async def test_a_stolen_code_is_worth_nothing_to_another_client(desk: Desk) -> None:
    client, thief = await desk.client(), await desk.client()
    assert_refused(await desk.exchange(thief, await desk.code(client)), "invalid_grant", f"of the client {client.id}")


async def test_a_code_that_is_used_again_ends_what_it_was_used_for(desk: Desk) -> None:
    client = await desk.client()
    code = await desk.code(client)
    first = (await desk.exchange(client, code)).body
    assert await desk.works(first["access_token"], "Observation/ada-pulse") == 200
    again = await desk.exchange(client, code)
    assert_refused(again, "invalid_grant", "used again")
    assert again.entry is not None
    assert again.entry.action == Action.GRANT_END
    assert await desk.works(first["access_token"], "Observation/ada-pulse") == 401
    assert (await desk.refresh(client, first["refresh_token"])).error == "invalid_grant"
    assert_refused(await desk.exchange(client, code), "invalid_grant", "used again")


async def test_a_code_is_over_after_a_minute(desk: Desk) -> None:
    client = await desk.client()
    code = await desk.code(client)
    desk.clinic.time.now_ms += MINUTE_MS
    assert_refused(await desk.exchange(client, code), "invalid_grant", "over")


async def test_of_ten_exchanges_at_once_one_wins_at_most_and_then_all_of_it_ends(desk: Desk) -> None:
    client = await desk.client()
    code = await desk.code(client)
    answers = await asyncio.gather(*(desk.exchange(client, code) for _ in range(10)))
    won = [answer.body for answer in answers if answer.status == 200]
    assert len(won) == 1
    assert await desk.works(won[0]["access_token"], "Observation/ada-pulse") == 401


async def test_the_code_of_a_disabled_account_is_worth_nothing(desk: Desk) -> None:
    client = await desk.client()
    code = await desk.code(client)
    accounts = desk.clinic.system.services.accounts
    changed = accounts.prepare_change(replace(desk.clinic.accounts["ada"], disabled=True))
    await desk.clinic.record("disabled", changed)
    assert_refused(await desk.exchange(client, code), "invalid_grant", "disabled")


# ------------------------------------------------------------------------------------------- refresh tokens


async def test_a_refresh_token_that_is_used_again_kills_the_family(desk: Desk) -> None:
    client = await desk.client()
    first = await desk.tokens(client)
    second = (await desk.refresh(client, first["refresh_token"])).body
    third = (await desk.refresh(client, second["refresh_token"])).body
    again = await desk.refresh(client, first["refresh_token"])
    assert_refused(again, "invalid_grant", "used again")
    for body in (first, second, third):
        assert await desk.works(body["access_token"], "Observation/ada-pulse") == 401
    assert (await desk.refresh(client, third["refresh_token"])).error == "invalid_grant"


async def test_of_ten_refreshes_at_once_one_wins_at_most_and_the_family_ends(desk: Desk) -> None:
    client = await desk.client()
    token = (await desk.tokens(client, scope="patient/Observation.rs offline_access"))["refresh_token"]
    answers = await asyncio.gather(*(desk.refresh(client, token) for _ in range(10)))
    won = [answer.body for answer in answers if answer.status == 200]
    assert len(won) <= 1
    for body in won:
        assert await desk.works(body["access_token"], "Observation/ada-pulse") == 401
        assert (await desk.refresh(client, body["refresh_token"])).error == "invalid_grant"


async def test_a_family_cannot_be_ended_by_guessing(desk: Desk) -> None:
    """Who knows the id of a grant (it stands in ledger entries) has no token of it."""
    client = await desk.client()
    token = (await desk.tokens(client))["refresh_token"]
    grant = (await desk.clinic.system.services.apps.grants.of_client(client.id))[0]
    for forged in ("cr_" + "A" * 86, "cr_" + grant.id.hex() + "A" * 22, token[:-43] + "é" * 43):
        assert (await desk.refresh(client, forged)).error == "invalid_grant"
    assert (await desk.refresh(client, token)).status == 200


async def test_a_refresh_token_of_another_client_is_refused(desk: Desk) -> None:
    client, thief = await desk.client(), await desk.client()
    token = (await desk.tokens(client))["refresh_token"]
    assert_refused(await desk.refresh(thief, token), "invalid_grant", f"of the client {client.id}")
    assert (await desk.post("revoke", {"token": token, "client_id": thief.id})).status == 200
    assert (await desk.refresh(client, token)).status == 200  # it was not the thief's to give back


# ---------------------------------------------------------------------------------------------- widening


@on_sqlite
@pytest.mark.parametrize("scope", ["patient/Observation.cruds", "patient/*.rs", "user/Patient.rs", "patient/Patient.r"])
async def test_scopes_do_not_grow_at_a_refresh_or_an_exchange(desk: Desk, scope: str) -> None:
    client = await desk.confidential(scopes="patient/*.cruds user/*.cruds openid offline_access launch/patient")
    body = await desk.tokens(client, scope="patient/Observation.rs offline_access launch/patient")
    form = exchange_form(body["access_token"], scope=scope)
    assert_refused(await desk.post("token", form | desk.proving(client)), "invalid_scope", "More was asked")
    assert_refused(await desk.refresh(client, body["refresh_token"], scope=scope), "invalid_scope", "More was asked")


async def test_scopes_shrink_with_the_clients(desk: Desk) -> None:
    client = await desk.client()
    body = await desk.tokens(client)
    clients = desk.clinic.system.services.apps.clients
    await desk.clinic.record("x", clients.prepare_change(replace(client, scopes="openid offline_access")))
    assert (await desk.refresh(client, body["refresh_token"])).body["scope"] == "offline_access openid"


@on_sqlite
async def test_a_service_gets_no_scope_that_is_not_its_own(desk: Desk) -> None:
    client = await desk.backend()
    for scope in ("system/Condition.rs", "patient/Patient.rs", "openid", "system/Patient.cud"):
        form = {"grant_type": "client_credentials", "scope": scope, **desk.proving(client)}
        assert_refused(await desk.post("token", form), "invalid_scope", "None of these")


TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - a name
EXCHANGES: Mapping[str, tuple[Mapping[str, str], str]] = {
    "another audience": ({"audience": "https://evil.example.org/fhir"}, "invalid_target"),
    "another resource": ({"resource": "https://evil.example.org/fhir"}, "invalid_target"),
    "another kind of token": ({"subject_token_type": f"{TOKEN_TYPE}id_token"}, "invalid_request"),
    "for a refresh token": ({"requested_token_type": f"{TOKEN_TYPE}refresh_token"}, "invalid_request"),
    "for somebody else": ({"actor_token": "ck_x"}, "invalid_request"),
    "of no token": ({"subject_token": "ck_" + "a" * 43}, "invalid_grant"),
}


@on_sqlite
@pytest.mark.parametrize("what", EXCHANGES)
async def test_a_token_is_not_exchanged(desk: Desk, what: str) -> None:
    given, error = EXCHANGES[what]
    client = await desk.confidential()
    token = (await desk.tokens(client))["access_token"]
    assert_refused(await desk.post("token", exchange_form(token) | dict(given) | desk.proving(client)), error, "")


@on_sqlite
async def test_a_token_of_somebody_else_is_not_exchanged(desk: Desk) -> None:
    client, public = await desk.confidential(), await desk.client()
    stolen = (await desk.tokens(public))["access_token"]
    for token in (stolen, desk.clinic.tokens["physician"]):
        form = exchange_form(token) | desk.proving(client)
        assert_refused(await desk.post("token", form), "invalid_grant", "not of this client")
    form = exchange_form(stolen) | desk.proving(public)
    assert_refused(await desk.post("token", form), "unauthorized_client", "may not use")


# ------------------------------------------------------------------------------------ clients that prove themselves

PROOFS: Mapping[str, Callable[[Desk, Client], Json]] = {
    "nothing": lambda _, client: {"client_id": client.id},
    "a secret": lambda _, client: {"client_id": client.id, "client_secret": "guess"},
    "an assertion for another server": lambda desk, client: desk.proving(client, aud="https://evil.example.org/token"),
    "an assertion that is over": lambda desk, client: desk.proving(client, exp=desk.clinic.time() // 1000 - 60),
    "an assertion for an hour": lambda desk, client: desk.proving(client, exp=desk.clinic.time() // 1000 + 3600),
    "an assertion of somebody else": lambda desk, client: desk.proving(client, iss="0" * 32),
    "an assertion of another type": lambda desk, client: desk.proving(client) | {"client_assertion_type": "saml"},
    "another client beside it": lambda desk, client: desk.proving(client) | {"client_id": "0" * 32},
}


@on_sqlite
@pytest.mark.parametrize("what", PROOFS)
async def test_a_client_that_does_not_prove_itself_gets_one_answer(desk: Desk, what: str) -> None:
    client = await desk.backend()
    form = {"grant_type": "client_credentials", "scope": "system/Patient.rs"}
    refused = await desk.post("token", form | PROOFS[what](desk, client))
    assert_refused(refused, "invalid_client", "")
    unknown = await desk.post("token", form | {"client_id": "0" * 32})
    assert (refused.status, refused.body) == (unknown.status, unknown.body)


async def test_an_assertion_is_good_once(desk: Desk) -> None:
    client = await desk.backend()
    form: dict[str, Any] = {"grant_type": "client_credentials", "scope": "system/Patient.rs", **desk.proving(client)}
    assert (await desk.post("token", form)).status == 200
    assert_refused(await desk.post("token", form), "invalid_client", "used before")
    again = {"token": "ck_" + "a" * 43, **{name: form[name] for name in ("client_assertion", "client_assertion_type")}}
    assert_refused(await desk.post("introspect", again), "invalid_client", "used before")


@on_sqlite
async def test_forms_that_are_none_are_refused(desk: Desk) -> None:
    client = desk.clinic.client
    twice = "grant_type=authorization_code&client_id=a&client_id=b"
    form = "application/x-www-form-urlencoded"
    for content, type_ in (
        (b"{}", "application/json"),
        (b"\xff", "text/plain"),
        (b"a=%ff", form),
        (b"a=\xff", form),
        (twice.encode(), form),
        (b"a=b&" * 300, form),
    ):
        response = await client.post("/oauth/token", content=content, headers={"content-type": type_})
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    response = await client.post("/oauth/token", content=b"a=" + b"b" * 70_000, headers={"content-type": form})
    assert response.json()["error"] == "invalid_request"
    assert (await client.get("/oauth/token")).status_code == 405
    assert (await client.get("/oauth/nothing")).status_code == 404
    assert FHIR not in response.text

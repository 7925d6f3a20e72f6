"""Signing in and out over HTTP, and what the ledger says of it."""

import json
from typing import Any

import pytest

from carekeep.encryption import Secret, new_totp_key
from carekeep.encryption.totp import totp_code
from tests.web.clinic import Answer, Clinic, on_sqlite

PASSWORD = "correct horse battery"  # noqa: S105 - of nobody
WRONG = "incorrect horse battery"


async def with_password(clinic: Clinic, login: str, totp_key: Secret | None = None) -> None:
    services = clinic.system.services
    account = clinic.accounts[login]
    if totp_key is not None:
        changed = services.accounts.prepare_totp(account, totp_key)
        await clinic.record("a code key was set", changed)
        account = changed.value
    changed = await services.accounts.prepare_password(account, Secret(PASSWORD))
    await clinic.record("a password was set", changed)
    clinic.accounts[login] = changed.value


async def sign_in(clinic: Clinic, **given: Any) -> Answer:
    body = json.dumps(given).encode()
    return await clinic.ask("POST", "/auth/sign-in", body, who=None, headers={"content-type": "application/json"})


async def test_a_password_gives_a_token_that_works(clinic: Clinic) -> None:
    await with_password(clinic, "physician")
    answer = await sign_in(clinic, login="Physician", password=PASSWORD)
    assert answer.status == 200
    assert answer.json["token_type"] == "Bearer"  # noqa: S105 - a type
    assert answer.json["expires_in"] == 12 * 3600
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("identity:session:open", "permitted")
    assert answer.entry.agent.who == "Practitioner/physician"
    clinic.tokens["new"] = answer.json["access_token"]
    assert (await clinic.ask("GET", "Patient/ada", who="new")).status == 200
    session = await clinic.ask("GET", "/auth/session", who="new")
    assert session.json["fhirUser"] == "Practitioner/physician"
    assert session.json["assurance"] == 1


async def test_the_token_is_not_in_the_ledger(clinic: Clinic) -> None:
    await with_password(clinic, "physician")
    answer = await sign_in(clinic, login="physician", password=PASSWORD)
    assert answer.json["access_token"] not in repr(answer.entry)
    assert PASSWORD not in repr(answer.entry)


async def test_a_code_is_asked_for_and_good_once(clinic: Clinic) -> None:
    key = new_totp_key()
    await with_password(clinic, "physician", key)
    assert (await sign_in(clinic, login="physician", password=PASSWORD)).status == 401
    code = totp_code(key, clinic.time())
    first = await sign_in(clinic, login="physician", password=PASSWORD, totp=code)
    assert first.status == 200
    clinic.tokens["new"] = first.json["access_token"]
    assert (await clinic.ask("GET", "/auth/session", who="new")).json["assurance"] == 2
    again = await sign_in(clinic, login="physician", password=PASSWORD, totp=code)
    assert again.status == 401
    assert again.entry is not None
    assert again.entry.reason == "wrong or used code"


async def test_every_refusal_looks_the_same_and_the_ledger_knows_why(clinic: Clinic) -> None:
    await with_password(clinic, "physician")
    wrong = await sign_in(clinic, login="physician", password=WRONG)
    unknown = await sign_in(clinic, login="nobody", password=WRONG)
    without = await sign_in(clinic, login="ada", password=WRONG)
    assert {(each.status, each.body) for each in (wrong, unknown, without)} == {(401, wrong.body)}
    entries = [each.entry for each in (wrong, unknown, without)]
    assert [entry.reason for entry in entries if entry] == [
        "wrong password",
        "no account has this login",
        "the account has no password",
    ]
    assert [entry.agent.account for entry in entries if entry] == [
        clinic.accounts["physician"].id.hex(),
        "",
        clinic.accounts["ada"].id.hex(),
    ]


async def test_signing_out_ends_the_session_and_no_other(clinic: Clinic) -> None:
    clinic.tokens["other"] = await clinic.issue_token("physician")
    answer = await clinic.ask("POST", "/auth/sign-out", who="physician")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.entry is not None
    assert answer.entry.action == "identity:session:close"
    refused = await clinic.ask("GET", "Patient/ada", who="physician")
    assert (refused.status, refused.json["issue"][0]["code"]) == (401, "login")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert refused.entry is not None
    assert (refused.entry.outcome, refused.entry.reason) == ("denied", "unknown or revoked token")
    assert (await clinic.ask("GET", "Patient/ada", who="other")).status == 200


@on_sqlite
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer \u00e9", "bearer", "Bearer " + "x" * 5000],
)
async def test_what_is_no_token_is_refused_and_recorded(clinic: Clinic, authorization: str) -> None:
    response = await clinic.client.get(
        "/fhir/Patient/ada", headers=[(b"authorization", authorization.encode("latin-1"))]
    )
    assert response.status_code == 401
    entry = await clinic.entry(response.headers["x-ledger-entry"])
    assert (entry.action, entry.outcome, entry.agent.role) == ("fhir:record:read", "denied", "unknown")


@on_sqlite
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"login": "x"}', b'{"login": 1, "password": 2}', b"\xff", b'"x"', b"null", b"[" * 5000]
)
async def test_bad_credentials_are_refused_without_echo(clinic: Clinic, body: bytes) -> None:
    answer = await clinic.ask("POST", "/auth/sign-in", body, who=None)
    assert answer.status == 400
    assert answer.json["resourceType"] == "OperationOutcome"


async def test_a_large_sign_in_is_refused(clinic: Clinic) -> None:
    assert (await sign_in(clinic, login="x", password="y" * 10_000)).status == 413


async def test_an_expired_token_is_refused(clinic: Clinic) -> None:
    clinic.time.now_ms += 12 * 3600 * 1000 + 1
    answer = await clinic.ask("GET", "Patient/ada", who="physician")
    assert answer.status == 401
    assert answer.entry is not None
    assert answer.entry.reason == "expired token"


@on_sqlite
@pytest.mark.parametrize(("method", "path"), [("GET", "/auth/sign-in"), ("POST", "/auth/nothing"), ("GET", "/auth")])
async def test_nothing_else_is_there(clinic: Clinic, method: str, path: str) -> None:
    assert (await clinic.ask(method, path)).status in {404, 405}


@pytest.mark.parametrize("login", ["physician", "nobody"])
async def test_haste_is_throttled_whoever_it_is(clinic: Clinic, login: str) -> None:
    await with_password(clinic, "physician")
    answers = [await sign_in(clinic, login=login, password=WRONG) for _ in range(6)]
    assert [answer.status for answer in answers] == [401] * 5 + [429]
    assert answers[5].headers["retry-after"] == "2"
    assert answers[5].json["issue"][0]["code"] == "throttled"
    assert answers[5].entry is not None
    assert answers[5].entry.reason == "throttled: too soon after wrong passwords"
    assert (await sign_in(clinic, login=login, password=PASSWORD)).status == 429

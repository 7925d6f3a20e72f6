"""What works: an app is allowed something, gets tokens for it, renews them, and gives them back."""

import base64
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from carekeep.access import Scopes
from carekeep.cli.integrity import checks
from carekeep.identity.apps.client import CLIENT_CREDENTIALS
from carekeep.identity.apps.grant import Context
from carekeep.identity.assurance import ACR
from carekeep.storage import Finding
from carekeep.web.oauth import Authorizing
from tests.web.clinic import MINUTE_MS, on_sqlite
from tests.web.oauth.desk import FHIR, HOUR_MS, ISSUER, Desk, answered, scopes

DAY_MS = 24 * HOUR_MS


async def test_a_patient_gives_an_app_a_token_that_reads_their_records(desk: Desk) -> None:
    client = await desk.client()
    url = await desk.allow(client)
    assert url.startswith("https://app.example.org/callback?from=carekeep&code=")
    assert answered(url)["state"] == "the app's own"
    assert answered(url)["iss"] == ISSUER
    answer = await desk.exchange(client, answered(url)["code"])
    assert answer.status == 200
    assert answer.body["token_type"] == "Bearer"  # noqa: S105 - a type
    assert answer.body["expires_in"] == 600
    assert answer.body["patient"] == "ada"
    assert answer.body["need_patient_banner"] is True
    asked = "openid fhirUser launch/patient patient/Observation.rs offline_access"
    assert scopes(answer.body["scope"]) == scopes(asked)
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("identity:token:issue", "permitted")
    assert (answer.entry.agent.app, answer.entry.agent.who) == ("Growth Charts", "Patient/ada")
    assert client.id in answer.entry.reason
    assert await desk.works(answer.body["access_token"], "Observation/ada-pulse") == 200
    assert await desk.works(answer.body["access_token"], "Observation/bob-pulse") == 403
    assert await desk.works(answer.body["access_token"], "Condition/ada-asthma") == 403  # theirs, but not asked for


async def test_no_token_stands_in_the_ledger(desk: Desk) -> None:
    client = await desk.client()
    answer = await desk.exchange(client, await desk.code(client))
    for name in ("access_token", "refresh_token", "id_token"):
        assert answer.body[name] not in repr(answer.entry)


@on_sqlite
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_the_id_token_says_who_signed_in_how_and_when(desk: Desk, algorithm: str) -> None:
    client = await desk.client(id_token_algorithm=algorithm)
    code = await desk.code(client)
    signed_in = desk.clinic.time() // 1000
    body = (await desk.exchange(client, code)).body
    found = (await desk.clinic.client.get("/oauth/jwks")).json()
    token = jwt.decode(body["id_token"], KeySet.import_key_set(found), [algorithm])
    assert token.header["kid"] in {key["kid"] for key in found["keys"]}
    assert token.claims == {
        "iss": ISSUER,
        "sub": desk.clinic.accounts["ada"].id.hex(),
        "aud": client.id,
        "iat": signed_in,
        "exp": signed_in + 600,
        "auth_time": signed_in,
        "nonce": "n-1",
        "acr": ACR[2],
        "amr": ["pwd", "otp", "mfa"],
        "fhirUser": f"{FHIR}/Patient/ada",
    }


async def test_a_refresh_token_is_good_once_and_brings_the_next(desk: Desk) -> None:
    client = await desk.client()
    first = await desk.tokens(client)
    second = await desk.refresh(client, first["refresh_token"])
    assert second.status == 200
    assert second.body["patient"] == "ada"
    assert second.body["refresh_token"] != first["refresh_token"]
    assert await desk.works(second.body["access_token"], "Observation/ada-pulse") == 200
    third = await desk.refresh(client, second.body["refresh_token"], scope="openid patient/Observation.r")
    assert scopes(third.body["scope"]) == scopes("openid patient/Observation.r")
    fourth = await desk.refresh(client, third.body["refresh_token"])
    assert scopes(fourth.body["scope"]) == scopes(first["scope"])  # what was narrowed once is not lost


async def test_offline_access_ends_after_thirty_days_unused_and_ninety_days_in_all(desk: Desk) -> None:
    client = await desk.client()
    token = (await desk.tokens(client))["refresh_token"]
    for _ in range(4):
        desk.clinic.time.now_ms += 21 * DAY_MS
        answer = await desk.refresh(client, token)
        assert answer.status == 200
        token = answer.body["refresh_token"]
    desk.clinic.time.now_ms += 7 * DAY_MS
    assert (await desk.refresh(client, token)).error == "invalid_grant"
    unused = (await desk.tokens(client))["refresh_token"]
    desk.clinic.time.now_ms += 30 * DAY_MS + 1
    assert (await desk.refresh(client, unused)).error == "invalid_grant"


async def test_online_access_ends_with_the_browsers_session(desk: Desk) -> None:
    client = await desk.client()
    body = await desk.tokens(client, scope="launch/patient patient/Observation.rs online_access")
    desk.clinic.time.now_ms += 7 * HOUR_MS
    answer = await desk.refresh(client, body["refresh_token"])
    assert answer.status == 200
    desk.clinic.time.now_ms += HOUR_MS + 1
    assert (await desk.refresh(client, answer.body["refresh_token"])).error == "invalid_grant"


async def test_without_staying_there_is_no_refresh_token(desk: Desk) -> None:
    client = await desk.client()
    assert "refresh_token" not in await desk.tokens(client, scope="launch/patient patient/Observation.rs")


async def test_the_token_of_a_public_app_lasts_ten_minutes_and_that_of_another_fifteen(desk: Desk) -> None:
    confidential = await desk.confidential()
    body = await desk.tokens(confidential)
    assert body["expires_in"] == 900
    desk.clinic.time.now_ms += 15 * MINUTE_MS
    assert await desk.works(body["access_token"], "Observation/ada-pulse") == 401


async def test_a_clinician_chooses_the_patient(desk: Desk) -> None:
    client = await desk.client()
    authorizing = Authorizing(desk.clinic.system.services)
    request = await authorizing.read_authorization(desk.asking(client))
    assert request.needs_patient(desk.clinic.accounts["physician"])
    assert not request.needs_patient(desk.clinic.accounts["ada"])
    body = await desk.tokens(client, "physician", chosen=Context("ada"))
    assert body["patient"] == "ada"
    assert await desk.works(body["access_token"], "Observation/ada-pulse") == 200


async def test_without_a_chosen_patient_nothing_at_the_patients_level_is_granted(desk: Desk) -> None:
    client = await desk.client()
    body = await desk.tokens(client, "physician")
    assert "patient" not in body
    assert scopes(body["scope"]) == scopes("openid fhirUser offline_access")


async def test_a_patient_cannot_choose_another_patient(desk: Desk) -> None:
    assert (await desk.tokens(await desk.client(), chosen=Context("bob")))["patient"] == "ada"


async def test_an_app_is_started_from_the_chart(desk: Desk) -> None:
    client = await desk.client(launch_uri="https://app.example.org/launch")
    start = {"client_id": client.id, "patient": "ada", "encounter": "e-1", "fhirContext": ["ImagingStudy/i-1"]}
    answer = await desk.clinic.ask("POST", "/oauth/launch", start, who="physician")
    assert answer.status == 201
    assert answered(answer.json["url"]) == {"iss": FHIR, "launch": answer.json["launch"]}
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.patients) == ("identity:grant:launch", ("ada",))
    body = await desk.tokens(
        client, "physician", launch=answer.json["launch"], scope="launch patient/Observation.rs openid"
    )
    assert (body["patient"], body["encounter"]) == ("ada", "e-1")
    assert body["fhirContext"] == [{"reference": "ImagingStudy/i-1"}]


async def test_a_service_gets_a_token_of_its_own(desk: Desk) -> None:
    client = await desk.backend()
    form = {"grant_type": CLIENT_CREDENTIALS, "scope": "system/Patient.rs system/Observation.r", **desk.proving(client)}
    answer = await desk.post("token", form)
    assert answer.status == 200
    assert answer.body["expires_in"] == 300
    assert "refresh_token" not in answer.body
    assert scopes(answer.body["scope"]) == scopes("system/Patient.rs system/Observation.r")
    assert await desk.works(answer.body["access_token"]) == 200
    assert await desk.works(answer.body["access_token"], "Condition/ada-asthma") == 403


async def test_a_request_that_was_pushed_is_good_once(desk: Desk) -> None:
    client = await desk.confidential(first_party=True)
    pushed = await desk.post("par", dict(desk.asking(client, client_id=None)) | desk.proving(client))
    assert pushed.status == 201
    assert pushed.body["expires_in"] == 600
    authorizing = Authorizing(desk.clinic.system.services)
    named = [("client_id", client.id), ("request_uri", pushed.body["request_uri"]), ("scope", "user/*.cruds")]
    request = await authorizing.read_authorization(named)
    assert request.scopes == scopes("openid fhirUser launch/patient patient/Observation.rs offline_access")
    prepared = authorizing.prepare_code(request, desk.session("ada"), request.scopes)
    await desk.clinic.record("allowed", prepared)
    answer = await desk.exchange(client, answered(prepared.value)["code"])
    assert answer.status == 200
    assert answer.body["expires_in"] == 900
    with pytest.raises(Exception, match="not there any more"):
        await authorizing.read_authorization(named)


async def test_a_token_is_exchanged_for_a_narrower_one(desk: Desk) -> None:
    client = await desk.confidential()
    body = await desk.tokens(client)
    desk.clinic.time.now_ms += 10 * MINUTE_MS
    form = exchange_form(body["access_token"], scope="patient/Observation.r")
    answer = await desk.post("token", form | desk.proving(client))
    assert answer.status == 200, answer.body
    assert answer.body["expires_in"] == 300  # no longer than the one that it came from
    assert answer.body["issued_token_type"] == form["subject_token_type"]
    assert scopes(answer.body["scope"]) == scopes("patient/Observation.r")
    assert await desk.works(answer.body["access_token"], "Observation/ada-pulse") == 200
    await desk.post("revoke", {"token": body["refresh_token"], **desk.proving(client)})
    assert await desk.works(answer.body["access_token"], "Observation/ada-pulse") == 401


def exchange_form(token: str, **given: str) -> dict[str, Any]:
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        **given,
    }


async def test_introspection_tells_an_apps_own_tokens_and_no_others(desk: Desk) -> None:
    client, public = await desk.confidential(), await desk.client()
    body = await desk.tokens(client)
    found = await desk.post("introspect", {"token": body["access_token"], **desk.proving(client)})
    assert found.body == {
        "active": True,
        "token_type": "Bearer",
        "exp": desk.clinic.time() // 1000 + 900,
        "sub": desk.clinic.accounts["ada"].id.hex(),
        "iss": ISSUER,
        "aud": FHIR,
        "client_id": client.id,
        "scope": body["scope"],
        "patient": "ada",
        "fhirUser": f"{FHIR}/Patient/ada",
    }
    assert found.entry is not None
    assert found.entry.action == "identity:token:inspect"
    other = await desk.tokens(public)
    for token in (other["access_token"], "ck_" + "a" * 43, "nonsense", body["refresh_token"]):
        answer = await desk.post("introspect", {"token": token, **desk.proving(client)})
        assert answer.body == {"active": False}
    first_party = await desk.confidential(first_party=True)
    seen = await desk.post("introspect", {"token": other["access_token"], **desk.proving(first_party)})
    assert seen.body["client_id"] == public.id
    assert (await desk.post("introspect", {"token": "x", "client_id": public.id})).error == "invalid_client"


async def test_what_is_given_back_is_over_at_once(desk: Desk) -> None:
    client = await desk.client()
    body = await desk.tokens(client)
    assert await desk.works(body["access_token"], "Observation/ada-pulse") == 200
    answer = await desk.post("revoke", {"token": body["access_token"], "client_id": client.id})
    assert answer.status == 200
    assert await desk.works(body["access_token"], "Observation/ada-pulse") == 401
    renewed = await desk.refresh(client, body["refresh_token"])
    assert renewed.status == 200
    await desk.post("revoke", {"token": renewed.body["refresh_token"], "client_id": client.id})
    assert await desk.works(renewed.body["access_token"], "Observation/ada-pulse") == 401
    assert (await desk.refresh(client, renewed.body["refresh_token"])).error == "invalid_grant"
    nothing = await desk.post("revoke", {"token": "no token at all", "client_id": client.id})
    assert (nothing.status, nothing.body) == (200, {})


async def test_userinfo_tells_what_the_scopes_give(desk: Desk) -> None:
    client = await desk.client()
    desk.clinic.tokens["with"] = (await desk.tokens(client, scope="openid fhirUser profile"))["access_token"]
    desk.clinic.tokens["without"] = (await desk.tokens(client, scope="patient/Observation.rs"))["access_token"]
    told = await desk.clinic.ask("GET", "/oauth/userinfo", who="with")
    sub = desk.clinic.accounts["ada"].id.hex()
    assert told.json == {"sub": sub, "name": "The ada", "fhirUser": f"{FHIR}/Patient/ada"}
    assert told.entry is not None
    assert told.entry.action == "identity:account:profile"
    for who, status in (("without", 403), ("ada", 403), (None, 401)):
        assert (await desk.clinic.ask("POST", "/oauth/userinfo", who=who)).status == status


async def test_the_keys_of_id_tokens_rotate_and_the_old_ones_stay_for_a_day(desk: Desk) -> None:
    keys = desk.clinic.system.services.apps.signing_keys
    client = await desk.client()
    await desk.tokens(client)
    before = {key["kid"] for key in (await desk.clinic.client.get("/oauth/jwks")).json()["keys"]}
    await desk.clinic.record("rotated", await keys.prepare_rotate())
    after = {key["kid"] for key in (await desk.clinic.client.get("/oauth/jwks")).json()["keys"]}
    assert before < after
    header = (await desk.tokens(client))["id_token"].split(".")[0]
    assert not any(kid in base64.urlsafe_b64decode(header + "==").decode() for kid in before)
    desk.clinic.time.now_ms += DAY_MS
    assert {key.id for key in await keys.published()} == after - before
    assert [finding async for finding in keys.verify()] == []


async def test_a_session_that_is_too_weak_or_old_gives_nothing(desk: Desk) -> None:
    client = await desk.client()
    authorizing = Authorizing(desk.clinic.system.services)
    request = await authorizing.read_authorization(desk.asking(client, acr_values=f"{ACR[3]} {ACR[2]}", max_age="60"))
    assert request.assurance == 2
    now = desk.clinic.time()
    assert request.is_met_by(desk.session("ada"), now)
    assert not request.is_met_by(desk.session("ada", assurance=1), now)
    assert not request.is_met_by(desk.session("ada", authenticated_ms=now - 60_001), now)
    with pytest.raises(Exception, match="not allowed"):
        authorizing.prepare_code(request, desk.session("ada", assurance=1), request.scopes)


async def test_a_person_may_leave_some_of_it_out(desk: Desk) -> None:
    client = await desk.client()
    authorizing = Authorizing(desk.clinic.system.services)
    request = await authorizing.read_authorization(desk.asking(client))
    some = Scopes.parse("openid patient/*.cruds user/*.cruds system/*.cruds")
    prepared = authorizing.prepare_code(request, desk.session("ada"), some)
    await desk.clinic.record("allowed", prepared)
    body = (await desk.exchange(client, answered(prepared.value)["code"])).body
    assert scopes(body["scope"]) == scopes("openid patient/Observation.rs")
    assert "refresh_token" not in body


async def test_the_ledger_speaks_of_every_row_and_finds_one_that_was_put_in(desk: Desk) -> None:
    client = await desk.client()
    body = await desk.tokens(client)
    renewed = await desk.refresh(client, body["refresh_token"])
    await desk.post("revoke", {"token": renewed.body["refresh_token"], "client_id": client.id})
    await desk.tokens(client)
    await desk.clinic.integrate()
    assert await findings(desk) == []
    grants = desk.clinic.system.services.apps.grants
    kept = (await grants.of_client(client.id))[0]
    await desk.clinic.system.database.commit(grants.prepare_give(kept, refreshable=True).steps)
    assert any("the ledger knows nothing of it" in finding.what for finding in await findings(desk))


async def findings(desk: Desk) -> list[Finding]:
    found = [step for check in checks(desk.clinic.system, None) async for step in check.run()]
    return [step for step in found if isinstance(step, Finding)]


async def test_a_public_app_need_not_name_itself_at_a_refresh(desk: Desk) -> None:
    """SMART's own JavaScript client does not (App Launch 2.2.0 lists no ``client_id`` there)."""
    token = (await desk.tokens(await desk.client()))["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    assert (await desk.post("token", form)).status == 200
    again = await desk.post("token", form)  # by whoever has a copy: the family ends as it does with a name
    assert (again.error, again.entry is not None and again.entry.outcome) == ("invalid_grant", "denied")
    token = (await desk.tokens(await desk.confidential()))["refresh_token"]
    unproven = await desk.post("token", form | {"refresh_token": token})
    assert unproven.error == "invalid_client"
    assert (await desk.post("token", form | {"refresh_token": "ck"})).error == "invalid_client"

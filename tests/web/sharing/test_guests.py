"""Guests: who invites, what they prove, what they see, what the ledger says of it, and how it ends."""

import asyncio
import datetime
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from carekeep.encryption.certificates import make_local_authority
from carekeep.web import WebApplication
from carekeep.web.outgoing.mailing import MailSecurity, SmtpRelay
from tests.web.admins import sign_in
from tests.web.clinic import Answer, Clinic, Json, on_sqlite
from tests.web.sharing.relay import Relay, running_relay

DAY_S = 86_400
WANG: Json = {
    "patient": "ada",
    "name": "Dr. L. Wang",
    "address": "l.wang@riverside.example.org",
    "organization": "Riverside Clinic",
    "types": ["Observation", "Condition"],
}
RECIPIENT = "Dr. L. Wang, Riverside Clinic <l.wang@riverside.example.org>"


async def post(clinic: Clinic, body: Json, who: str = "physician") -> Answer:
    return await clinic.ask("POST", "/guests", body, who=who)


async def answered(clinic: Clinic, who: str = "physician", **more: Any) -> Answer:
    """Somebody is invited, and the questions are answered with yes."""
    body = WANG | more
    answer = await post(clinic, body, who)
    if answer.status != 428:
        return answer
    return await post(clinic, body | {"confirmation": answer.json["confirmation"]}, who)


async def invite(clinic: Clinic, who: str = "physician", **more: Any) -> Json:
    answer = await answered(clinic, who, **more)
    assert answer.status == 201, answer.body
    return answer.json


async def prove(clinic: Clinic, invitation: str, code: str) -> Answer:
    return await clinic.ask("POST", "/guests/prove", {"invitation": invitation, "code": code}, who=None)


async def let_in(clinic: Clinic, invited: Json) -> Json:
    answer = await prove(clinic, invited["invitation"], invited["code"])
    assert answer.status == 200, answer.body
    clinic.tokens["guest"] = answer.json["access_token"]
    return answer.json


async def test_a_guest_reads_what_they_were_invited_to_and_each_read_is_a_disclosure(clinic: Clinic) -> None:
    invited = await invite(clinic)
    token = await let_in(clinic, invited)
    assert (token["patient"], token["expires_in"]) == ("ada", 7 * DAY_S)
    read = await clinic.ask("GET", "Observation/ada-pulse", who="guest")
    assert (read.status, read.entry is not None and read.entry.recipient) == (
        200,
        f"{RECIPIENT} (address not verified)",
    )
    assert read.entry is not None
    assert (read.entry.agent.role, read.entry.agent.account, read.entry.purpose) == ("guest", invited["id"], "TREAT")
    found = await clinic.ask("GET", "Observation?code=8867-4", who="guest")
    assert found.json["total"] == 2
    assert found.entry is not None
    assert (found.entry.patients, found.entry.recipient) == (("ada",), read.entry.recipient)
    summary = await clinic.ask("GET", "Patient/ada/$summary", who="guest")
    assert (summary.status, b"Asthma" in summary.body) == (200, True)
    assert summary.entry is not None
    assert summary.entry.recipient == read.entry.recipient


NOT_FOR_GUESTS = (
    ("GET", "Observation/bob-pulse"),
    ("GET", "CareTeam/ada-team"),
    ("GET", "Observation/ada-pulse/_history"),
    ("GET", "Practitioner/physician"),
    ("PUT", "Observation/ada-pulse"),
    ("DELETE", "Observation/ada-pulse"),
    ("POST", "Observation"),
    ("POST", "Patient/ada/$break-glass"),
    ("GET", "$export"),
    ("GET", "/guests?patient=ada"),
    ("POST", "/guests"),
    ("GET", "/links?patient=ada"),
    ("POST", "/devices"),
    ("GET", "/admin/accounts"),
    ("GET", "/scim/v2/Users"),
)


@on_sqlite
async def test_a_guest_does_nothing_else(clinic: Clinic) -> None:
    await let_in(clinic, await invite(clinic))
    body = {"resourceType": "Observation", "id": "ada-pulse"} | WANG
    for method, path in NOT_FOR_GUESTS:
        answer = await clinic.ask(method, path, body if method in {"PUT", "POST"} else None, who="guest")
        assert answer.status in {400, 401, 403, 404, 422}, (method, path, answer.status, answer.body)
        assert answer.entry is None or answer.entry.outcome != "permitted", (method, path)
    everybody = await clinic.ask("GET", "Observation", who="guest")
    assert {entry["resource"]["id"] for entry in everybody.json["entry"]} == {"ada-pulse", "ada-pulse-2"}
    stated = {"x-purpose-of-use": "ETREAT"}
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="guest", headers=stated)).status == 403


async def test_the_code_is_guessed_five_times_and_no_more(clinic: Clinic) -> None:
    invited = await invite(clinic)
    wrong = f"{(int(invited['code']) + 1) % 1_000_000:06}"
    answers = await asyncio.gather(*(prove(clinic, invited["invitation"], wrong) for _ in range(8)))
    assert [answer.status for answer in answers] == [401] * 8
    right = await prove(clinic, invited["invitation"], invited["code"])
    assert (right.status, right.body) == (401, answers[0].body)
    tried = [answer.entry.reason for answer in answers if answer.entry is not None]
    assert tried.count("wrong code") == 5
    listed = (await clinic.ask("GET", "/guests?patient=ada", who="physician")).json["guests"]
    assert listed[0]["state"] == "ended by wrong codes"


async def test_an_invitation_is_taken_up_once(clinic: Clinic) -> None:
    invited = await invite(clinic)
    answers = await asyncio.gather(*(prove(clinic, invited["invitation"], invited["code"]) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401]
    assert (await prove(clinic, invited["invitation"], invited["code"])).status == 401


@on_sqlite
async def test_signing_out_ends_a_guest(clinic: Clinic) -> None:
    await let_in(clinic, await invite(clinic))
    assert (await clinic.ask("POST", "/auth/sign-out", who="guest")).status == 204
    assert (await clinic.ask("GET", "Patient/ada", who="guest")).status == 401


@on_sqlite
async def test_invitation_and_access_end_by_themselves(clinic: Clinic) -> None:
    late, invited = await invite(clinic), await invite(clinic, exp=clinic.time() // 1000 + 5 * DAY_S)
    await let_in(clinic, invited)
    clinic.time.now_ms += 72 * 3600 * 1000
    assert (await prove(clinic, late["invitation"], late["code"])).status == 401
    assert (await clinic.ask("GET", "Patient/ada", who="guest")).status == 200
    clinic.time.now_ms += 2 * DAY_S * 1000
    ended = await clinic.ask("GET", "Patient/ada", who="guest")
    assert (ended.status, ended.entry is not None and ended.entry.reason) == (401, "expired guest")


ENDS = (
    ("physician", None, 204),
    ("ada", None, 204),
    ("administrator", None, 204),
    ("emergency", None, 404),
    ("bob", None, 404),
    ("auditor", None, 404),
    ("engine", None, 404),
    ("physician", "inactive", 204),  # no longer on the care team, but it was their invitation
)


@on_sqlite
async def test_who_ends_it_ends_it_at_once(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    for who, team, status in ENDS:
        invited = await invite(clinic)
        await let_in(clinic, invited)
        if team is not None:
            record = (await clinic.ask("GET", "CareTeam/ada-team")).json
            await clinic.put(record | {"status": team})
        ended = await clinic.ask("DELETE", f"/guests/{invited['id']}", who=who)
        assert ended.status == status, (who, ended.body)
        left = await clinic.ask("GET", "Patient/ada", who="guest")
        assert left.status == (401 if status == 204 else 200), who


@on_sqlite
async def test_who_may_not_invite(clinic: Clinic) -> None:
    for who in ("emergency", "bob", "administrator", "auditor", "engine", "app"):
        assert (await post(clinic, WANG, who)).status == 403, who
    assert (await invite(clinic, who="ada"))["state"] == "invited"


REFUSED: tuple[tuple[str, Json], ...] = (
    ("no address", {"address": "l.wang"}),
    ("two addresses", {"address": "a@example.org, b@example.org"}),
    ("a line in the address", {"address": "a@example.org\nBcc: b@example.org"}),
    ("a name in the address", {"address": "Wang <a@example.org>"}),
    ("no name", {"name": ""}),
    ("a line in the name", {"name": "a\nb"}),
    ("an address in the name", {"name": "a <b@example.org>"}),
    ("a type that is none", {"types": ["Observations"]}),
    ("longer than 30 days", {"exp": 1_793_880_000 + 31 * DAY_S}),
    ("over already", {"exp": 1}),
)


@on_sqlite
async def test_what_is_no_invitation(clinic: Clinic) -> None:
    for title, more in REFUSED:
        assert (await post(clinic, WANG | more)).status == 422, title
    named = await post(clinic, WANG | {"message": "About Mr. MOREAU"})
    assert (named.status, "patient's name" in named.said) == (422, True)


@on_sqlite
async def test_what_is_asked_before_anybody_is_invited(clinic: Clinic) -> None:
    bob = {"system": "email", "value": "L.Wang@riverside.example.org"}
    await clinic.put(
        {
            "resourceType": "RelatedPerson",
            "id": "near-bob",
            "patient": {"reference": "Patient/bob"},
            "telecom": [bob],
        }
    )
    team = (await clinic.ask("GET", "CareTeam/ada-team")).json
    await clinic.put(team | {"id": "bob-team", "subject": {"reference": "Patient/bob"}})
    body = WANG | {"types": [], "sensitive": True, "patient_name": "Robin Lindqvist"}
    asked = await post(clinic, body)
    assert asked.status == 428
    codes = [each["code"] for each in asked.json["questions"]]
    assert codes == ["other-name", "near-another-patient", "new-domain", "whole-record", "sensitive"]
    assert "Robin Lindqvist" in asked.json["questions"][1]["text"]
    assert asked.entry is not None
    assert (asked.entry.outcome, set(asked.entry.patients)) == ("failed", {"ada", "bob"})
    assert (await post(clinic, body | {"confirmation": "yes"})).status == 428
    yes = {"confirmation": asked.json["confirmation"]}
    assert (await post(clinic, body | yes | {"address": "l.wang@riverside.example.com"})).status == 428
    assert (await post(clinic, body | yes, who="ada")).status == 428
    done = await post(clinic, body | yes)
    assert (done.status, "confirmed" in str(done.entry and done.entry.query)) == (201, True)
    other = WANG | {"address": "other@riversid.example.org"}
    assert [each["code"] for each in (await post(clinic, other)).json["questions"]] == ["new-domain"]
    await let_in(clinic, done.json)  # only what was proven is known
    assert [each["code"] for each in (await post(clinic, other)).json["questions"]] == ["like-known-domain"]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    folder = tmp_path / "relay"
    folder.mkdir()
    async with running_relay(folder) as running:
        yield running


async def with_mail(clinic: Clinic, relay: Relay, security: MailSecurity = MailSecurity.TLS) -> Clinic:
    """The same clinic, with a mail relay."""
    post_ = SmtpRelay("localhost", relay.port, "records@example.org", security, authority=relay.folder / "ca.pem")
    services = replace(clinic.system.services, post=post_)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(WebApplication(services)), base_url=clinic.client.base_url)
    return replace(clinic, client=client, system=replace(clinic.system, services=services))


@on_sqlite
async def test_the_invitation_goes_to_the_address_and_the_code_does_not(clinic: Clinic, relay: Relay) -> None:
    clinic = await with_mail(clinic, relay)
    invited = await invite(clinic, message="As discussed by telephone.")
    assert "invitation" not in invited
    ((to, letter),) = relay.letters
    text = letter.get_content()
    assert (to, letter["To"], letter["From"]) == ([WANG["address"]], WANG["address"], "records@example.org")
    assert "As discussed by telephone." in text
    assert not any(word in text for word in (invited["code"], "Moreau", "Robin", "ada"))
    (secret,) = re.findall(r"ckv_[A-Za-z0-9_-]{43}", text)
    await let_in(clinic, invited | {"invitation": secret})
    read = await clinic.ask("GET", "Patient/ada", who="guest")
    assert read.entry is not None
    assert read.entry.recipient == RECIPIENT
    assert (await clinic.ask("GET", "/guests?patient=ada", who="ada")).json["guests"][0]["address_verified"] is True


@on_sqlite
async def test_a_letter_that_is_not_taken_invites_nobody(clinic: Clinic, relay: Relay) -> None:
    relay.refuses = "550 no such person as l.wang"
    for broken in (relay, Relay(relay.folder, port=1)):
        answer = await answered(await with_mail(clinic, broken))
        assert (answer.status, b"no such person" in answer.body) == (502, False)
    listed = (await clinic.ask("GET", "/guests?patient=ada", who="ada")).json["guests"]
    assert listed == []


@on_sqlite
async def test_a_relay_with_another_certificate_gets_nothing(clinic: Clinic, relay: Relay, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    make_local_authority(other, ["localhost"], datetime.datetime.now(datetime.UTC))
    answer = await answered(await with_mail(clinic, Relay(other, relay.port)))
    assert (answer.status, relay.letters) == (502, [])


@on_sqlite
async def test_starttls_is_spoken_when_it_is_set(clinic: Clinic, tmp_path: Path) -> None:
    folder = tmp_path / "starttls"
    folder.mkdir()
    async with running_relay(folder, starttls=True) as relay:
        await invite(await with_mail(clinic, relay, MailSecurity.STARTTLS))
        assert len(relay.letters) == 1


@on_sqlite
async def test_the_patients_no_holds_for_guests_too(clinic: Clinic) -> None:
    await let_in(clinic, await invite(clinic))
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    consent = {
        "resourceType": "Consent",
        "id": "ada-no",
        "status": "active",
        "scope": {"coding": [scope]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": "Patient/ada"},
        "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]},
        "provision": {"type": "deny"},
    }
    assert (await clinic.put(consent)).status == 201
    read = await clinic.ask("GET", "Observation/ada-pulse", who="guest")
    assert (read.status, read.entry is not None and read.entry.recipient) == (403, None)


@on_sqlite
async def test_it_is_forgotten_with_the_patient(clinic: Clinic) -> None:
    await let_in(clinic, await invite(clinic))
    services = clinic.system.services
    await clinic.record("forgotten", await services.keyring.prepare_destroy(services.keyring.scope_of("ada")))
    assert (await clinic.ask("GET", "Patient/ada", who="guest")).status == 401
    assert [finding async for finding in services.sharing.guests.verify()] == []

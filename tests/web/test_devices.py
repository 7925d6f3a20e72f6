"""Devices over HTTP: enrolled with their own key, believed by it alone, and cut off when they are lost."""

import json
from pathlib import Path

import pytest

from carekeep.encryption import Secret
from carekeep.identity import Binding, BindingKind, Kind
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.web.http import CERTIFICATE, Receive, Scope, Send
from tests.identity.apps.keys import Prover, key_for
from tests.web.admins import ask, new_account, sign_in, two_administrators
from tests.web.clinic import Answer, Clinic, Json, on_sqlite, open_clinic

BASE = "https://records.example.org"
HEALTHY: Json = {"disk_encrypted": True, "screen_lock": True, "os": "debian", "os_version": "12.4"}
NAMED: Json = {"name": "Laptop of ward 3", "platform": "linux"}


def prover(clinic: Clinic, number: int = 0) -> Prover:
    return Prover(key_for("ES256", number), nonce=clinic.system.services.proofs.nonce())


async def send(clinic: Clinic, by: Prover, path: str, body: Json) -> Answer:
    """A request with nothing but the proof of a key."""
    proof = by.proof("POST", BASE + path, clinic.time(), None)
    return await ask(clinic, "POST", path, body, who=None, headers={"dpop": proof})


async def code_for(clinic: Clinic, login: str) -> str:
    body = {"account": clinic.accounts[login].id.hex()}
    answer = await ask(clinic, "POST", "/admin/devices/codes", body)
    assert answer.status == 201, answer.body
    code: str = answer.json["code"]
    return code


async def enrolled(clinic: Clinic, login: str = "physician", number: int = 0) -> tuple[Prover, Json]:
    await sign_in(clinic, "administrator")
    by = prover(clinic, number)
    answer = await send(clinic, by, "/devices/enrol", {**NAMED, "code": await code_for(clinic, login)})
    assert answer.status == 201, answer.body
    return by, answer.json


async def bound(clinic: Clinic, by: Prover, login: str = "physician") -> str:
    """A token on the device, as the token endpoint issues it."""
    binding = Binding(BindingKind.DPOP, by.thumbprint)
    device = await clinic.system.services.devices.of_binding(binding)
    return await sign_in(clinic, login, binding=binding, device=device.id.hex() if device else None)


async def read(clinic: Clinic, by: Prover, token: str) -> Answer:
    proof = by.proof("GET", f"{BASE}/fhir/Patient/ada", clinic.time(), token)
    return await clinic.ask("GET", "Patient/ada", who=None, headers={"authorization": f"DPoP {token}", "dpop": proof})


async def test_a_device_is_enrolled_by_a_code_and_reports(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    assert (device["state"], device["managed"], device["posture"]) == ("enrolled", False, None)
    assert device["key"] == {"jkt": by.thumbprint}
    answer = await send(clinic, by, f"/devices/{device['id']}/report", HEALTHY)
    assert (answer.status, answer.json["failing"]) == (200, [])
    assert answer.json["healthy_until_ms"] == clinic.time() + 24 * 3600 * 1000
    assert answer.entry is not None
    assert (answer.entry.agent.role, answer.entry.agent.device) == ("device", device["id"])
    notices = await clinic.system.services.notices.of(clinic.accounts["physician"].id)
    assert [(notice.kind, notice.facts) for notice in notices] == [("device.enrolled", {"device": NAMED["name"]})]


async def test_a_code_is_good_once_and_for_a_day(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    code = await code_for(clinic, "physician")
    assert (await send(clinic, prover(clinic), "/devices/enrol", {**NAMED, "code": code})).status == 201
    again = await send(clinic, prover(clinic, 1), "/devices/enrol", {**NAMED, "code": code})
    assert again.status == 403
    assert again.entry is not None
    assert (again.entry.outcome, again.entry.reason) == ("denied", "no such enrolment code, or it was used")
    late = await code_for(clinic, "physician")
    clinic.time.now_ms += 24 * 3600 * 1000
    assert (await send(clinic, prover(clinic, 1), "/devices/enrol", {**NAMED, "code": late})).status == 403


async def test_a_code_for_a_device_is_no_invitation_and_the_other_way_round(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    invitations = clinic.system.services.invitations
    code = await code_for(clinic, "physician")
    assert await invitations.find(code) is None
    issued = await invitations.prepare_create(clinic.accounts["physician"], "operator")
    await clinic.record("an invitation", issued)
    body = {**NAMED, "code": issued.value.secret.reveal_text()}
    assert (await send(clinic, prover(clinic), "/devices/enrol", body)).status == 403


async def test_the_key_of_ones_own_token_becomes_a_device(clinic: Clinic) -> None:
    by = prover(clinic)
    token = await sign_in(clinic, "physician", binding=Binding(BindingKind.DPOP, by.thumbprint))
    proof = by.proof("POST", f"{BASE}/devices", clinic.time(), token)
    headers = {"authorization": f"DPoP {token}", "dpop": proof}
    answer = await ask(clinic, "POST", "/devices", NAMED, who=None, headers=headers)
    assert answer.status == 201, answer.body
    assert answer.json["account"] == clinic.accounts["physician"].id.hex()
    headers["dpop"] = by.proof("POST", f"{BASE}/devices", clinic.time(), token)
    twice = await ask(clinic, "POST", "/devices", NAMED, who=None, headers=headers)
    assert (twice.status, twice.entry and twice.entry.outcome) == (422, "failed")
    await sign_in(clinic, "physician")
    unbound = await ask(clinic, "POST", "/devices", NAMED, who="physician")
    assert unbound.status == 422
    assert "bound to no key" in unbound.said


async def test_nobody_reports_for_another_device(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    thief, other = await enrolled(clinic, number=1)
    path = f"/devices/{device['id']}/report"
    for attempt in (thief, prover(clinic, 2)):
        answer = await send(clinic, attempt, path, HEALTHY)
        assert answer.status == 403
        assert answer.entry is not None
        assert answer.entry.outcome == "denied"
    without = await ask(clinic, "POST", path, HEALTHY, who=None)
    assert (without.status, without.headers["dpop-nonce"]) == (401, by.nonce)
    elsewhere = by.proof("POST", f"{BASE}/devices/{other['id']}/report", clinic.time(), None)
    assert (await ask(clinic, "POST", path, HEALTHY, who=None, headers={"dpop": elsewhere})).status == 401
    with_a_token = await ask(clinic, "POST", path, HEALTHY, who="physician")
    assert with_a_token.status == 401


async def test_a_report_is_not_replayed(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    path = f"/devices/{device['id']}/report"
    headers = {"dpop": by.proof("POST", BASE + path, clinic.time(), None)}
    assert (await ask(clinic, "POST", path, HEALTHY, who=None, headers=headers)).status == 200
    again = await ask(clinic, "POST", path, HEALTHY, who=None, headers=headers)
    assert again.status == 401
    assert again.entry is not None
    assert again.entry.reason == "the proof was used before"


async def test_a_device_cannot_say_that_it_is_managed(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    claim = {**HEALTHY, "managed": True, "serial": "SN-1", "state": "enrolled"}
    answer = await send(clinic, by, f"/devices/{device['id']}/report", claim)
    assert (answer.status, answer.json["managed"], answer.json["serial"]) == (200, False, "")


async def test_a_failing_device_gets_less_on_the_next_request_and_can_be_repaired(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    token, path = await bound(clinic, by), f"/devices/{device['id']}/report"
    assert (await read(clinic, by, token)).status == 200
    failing = await send(clinic, by, path, {**HEALTHY, "disk_encrypted": False})
    assert failing.json["failing"] == ["The disk is not encrypted."]
    denied = await read(clinic, by, token)
    assert denied.status == 403
    assert "device.failing" in denied.said
    assert (await send(clinic, by, path, HEALTHY)).status == 200
    assert (await read(clinic, by, token)).status == 200


async def test_what_was_signed_in_on_a_lost_device_ends_at_once_here_and_elsewhere(
    clinic: Clinic, tmp_path: Path, furnished: tuple[object, str]
) -> None:
    by, device = await enrolled(clinic)
    token = await bound(clinic, by)
    clinic.tokens["unbound"] = await sign_in(clinic, "physician")  # perhaps in a browser of the same machine
    async with open_clinic(tmp_path / "home", furnished[1]) as elsewhere:
        elsewhere.time.now_ms = clinic.time()
        await elsewhere.system.generations.poll()
        elsewhere.tokens["unbound"] = clinic.tokens["unbound"]
        assert (await read(elsewhere, by, token)).status == 200
        assert (await elsewhere.ask("GET", "Patient/ada", who="unbound")).status == 200
        lost = await ask(clinic, "POST", f"/admin/devices/{device['id']}/lost")
        assert (lost.status, lost.json["state"]) == (200, "lost")
        await elsewhere.system.generations.poll()  # which a worker does four times a second
        for process in (clinic, elsewhere):
            assert (await read(process, by, token)).status == 401
            assert (await process.ask("GET", "Patient/ada", who="unbound")).status == 401
    assert (await send(clinic, by, f"/devices/{device['id']}/report", HEALTHY)).status == 403
    code = await code_for(clinic, "physician")
    again = await send(clinic, by, "/devices/enrol", {**NAMED, "code": code})
    assert again.status == 422  # the key of a lost device does not come back
    assert (await ask(clinic, "POST", f"/admin/devices/{device['id']}/manage", {"managed": True})).status == 422


async def test_a_token_that_is_issued_while_its_device_is_lost_is_refused(clinic: Clinic) -> None:
    by, device = await enrolled(clinic)
    services = clinic.system.services
    binding = Binding(BindingKind.DPOP, by.thumbprint)
    late = services.tokens.prepare_issue(clinic.accounts["physician"], 1, binding=binding, device=device["id"])
    assert (await ask(clinic, "POST", f"/admin/devices/{device['id']}/lost")).status == 200
    await clinic.record("a token was issued", late)
    answer = await read(clinic, by, late.value.secret.reveal_text())
    assert answer.status == 401
    assert answer.entry is not None
    assert answer.entry.reason == "its device is lost, retired or unknown"


async def test_management_speaks_of_many_devices_at_once(clinic: Clinic) -> None:
    (one, first), (_, second) = await enrolled(clinic), await enrolled(clinic, number=1)
    await new_account(clinic, "mdm", Kind.APP, grants=frozenset({"mdm"}))
    await sign_in(clinic, "mdm", 1)
    serial = {"managed": False, "serial": "SN-2"}
    assert (await ask(clinic, "POST", f"/admin/devices/{second['id']}/manage", serial)).status == 200
    report = [
        {"key": one.thumbprint, "managed": True, **HEALTHY},
        {"serial": "SN-2", "managed": True},
        {"serial": "SN-3", "managed": True},
        {"id": "00" * 16, "managed": True},
    ]
    answer = await ask(clinic, "POST", "/devices/mdm", {"devices": report}, who="mdm")
    assert (answer.status, answer.json) == (200, {"reported": 2, "unknown": [2, 3]})
    kept = {each["id"]: each for each in (await ask(clinic, "GET", "/admin/devices")).json["devices"]}
    assert (kept[first["id"]]["managed"], kept[first["id"]]["failing"]) == (True, [])
    assert (kept[second["id"]]["managed"], kept[second["id"]]["posture"]) == (True, None)


@on_sqlite
@pytest.mark.parametrize("who", ["app", "engine", "physician", "ada", "administrator"])
async def test_only_management_speaks_of_others_devices(clinic: Clinic, who: str) -> None:
    await sign_in(clinic, "administrator")
    answer = await ask(clinic, "POST", "/devices/mdm", {"devices": []}, who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [{}, {"devices": {}}, {"devices": [1]}, {"devices": [{}] * 501}, {"devices": [{"id": "x"}]}, {"devices": [{}]}],
)
async def test_bad_reports_of_management_change_nothing(clinic: Clinic, body: Json) -> None:
    await new_account(clinic, "mdm", Kind.APP, grants=frozenset({"mdm"}))
    await sign_in(clinic, "mdm", 1)
    answer = await ask(clinic, "POST", "/devices/mdm", body, who="mdm")
    assert (answer.status, answer.entry and answer.entry.outcome) == (400, "failed")


@on_sqlite
async def test_a_machine_is_enrolled_by_its_certificate(clinic: Clinic) -> None:
    der = b"the DER of a certificate"
    application = clinic.application

    async def behind_a_front(scope: Scope, receive: Receive, send_: Send) -> None:
        scope[CERTIFICATE] = der
        await application(scope, receive, send_)

    await sign_in(clinic, "administrator")
    code = await code_for(clinic, "engine")
    clinic.client._transport.app = behind_a_front  # type: ignore[attr-defined]  # noqa: SLF001
    answer = await ask(clinic, "POST", "/devices/enrol", {**NAMED, "code": code}, who=None)
    assert answer.status == 201, answer.body
    assert answer.json["key"] == {"x5t#S256": thumbprint_of(der)}
    path = f"/devices/{answer.json['id']}/report"
    assert (await ask(clinic, "POST", path, HEALTHY, who=None)).status == 200


async def test_losing_one_machine_of_an_app_leaves_the_others_alone(clinic: Clinic) -> None:
    by, device = await enrolled(clinic, "engine")
    token = await bound(clinic, by, "engine")
    clinic.tokens["rest"] = await sign_in(clinic, "engine", 1)
    await two_administrators(clinic)
    assert (await ask(clinic, "POST", f"/admin/devices/{device['id']}/lost")).status == 200
    assert (await read(clinic, by, token)).status == 401
    assert (await clinic.ask("GET", "Patient/ada", who="rest")).status == 200


async def test_no_name_and_no_code_stands_in_the_database_or_the_ledger(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    code = Secret(await code_for(clinic, "physician"))
    database = clinic.system.database
    by, _ = await enrolled(clinic)
    for table in ("device", "invitation", "notice"):
        rows = await database.fetch(f"SELECT * FROM {table}")  # noqa: S608
        held = b"".join(value for row in rows for value in row if isinstance(value, bytes))
        for mark in (b"ward 3", code.reveal()[4:], by.thumbprint.encode()):
            assert mark not in held
    entries = [clinic.system.services.ledger.open(each.leaf) async for each in clinic.system.services.ledger.waiting()]
    assert code.reveal_text() not in repr(entries)
    assert json.dumps(NAMED["name"])[1:-1] not in repr(entries)

"""What administrators do over HTTP, what takes two of them, and what nobody else can do."""

from pathlib import Path

import pytest

from carekeep.encryption import Secret
from carekeep.identity import Kind
from carekeep.identity.apps.client import CLIENT_CREDENTIALS, Client, ClientAuthentication
from carekeep.storage import Conflict
from tests.web.admins import ask, new_account, sign_in, two_administrators
from tests.web.clinic import Answer, Clinic, Json, on_sqlite, open_clinic

REASON = "lost telephone and printed codes, recognized in person"
DAY_MS = 24 * 3600 * 1000


async def recovery_of(clinic: Clinic, login: str, who: str = "administrator") -> Answer:
    body: Json = {"account": clinic.accounts[login].id.hex(), "reason": REASON}
    return await ask(clinic, "POST", "/admin/recoveries", body, who=who)


async def approve(clinic: Clinic, opened: Answer, who: str) -> Answer:
    return await ask(clinic, "POST", f"/admin/recoveries/{opened.json['id']}/approve", who=who)


def denied(answer: Answer, status: int = 422) -> None:
    assert answer.status == status, answer.body
    assert answer.entry is not None
    assert answer.entry.outcome in {"denied", "failed"}


async def test_an_account_is_made_with_an_invitation_that_only_this_answer_holds(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    body: Json = {"kind": "practitioner", "name": "M. Wong", "login": "mwong", "fhir_user": "Practitioner/mwong"}
    made = await ask(clinic, "POST", "/admin/accounts", body)
    assert made.status == 201, made.body
    link: str = made.json["invitation"]
    assert link.startswith("https://auth.records.example.org/invitation#cki_")
    assert made.entry is not None
    assert made.json["account"]["id"] in (made.entry.query or "")
    assert link.partition("#")[2] not in repr(made.entry)
    found = await clinic.system.services.invitations.find(link.partition("#")[2])
    assert found is not None
    assert found.account.hex() == made.json["account"]["id"]
    shown = await ask(clinic, "GET", f"/admin/accounts/{found.account.hex()}")
    assert (shown.json["login"], "cki_" in str(shown.json)) == ("mwong", False)
    again = await ask(clinic, "POST", f"/admin/accounts/{found.account.hex()}/invite")
    assert again.status == 201
    assert await clinic.system.services.invitations.find(link.partition("#")[2]) is None  # the newer one replaced it


@pytest.mark.parametrize("who", ["physician", "ada", "auditor", "engine", "app", None])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/accounts"),
        ("POST", "/admin/accounts"),
        ("POST", f"/admin/accounts/{'0' * 32}/disable"),
        ("GET", "/admin/devices"),
        ("POST", "/admin/devices/codes"),
        ("POST", f"/admin/devices/{'0' * 32}/lost"),
        ("GET", "/admin/recoveries"),
        ("POST", "/admin/recoveries"),
        ("POST", f"/admin/recoveries/{'0' * 32}/approve"),
        ("GET", "/admin/clients"),
        ("POST", f"/admin/clients/{'0' * 32}/approve"),
    ],
)
@on_sqlite
async def test_nobody_else_administers(clinic: Clinic, who: str | None, method: str, path: str) -> None:
    denied(await ask(clinic, method, path, who=who), 401 if who is None else 403)


@on_sqlite
async def test_a_password_alone_administers_nothing(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator", 1)
    answer = await ask(clinic, "GET", "/admin/accounts")
    denied(answer, 401)  # with what would be enough, RFC 9470
    assert "insufficient_user_authentication" in answer.headers["www-authenticate"]


async def test_a_recovery_takes_two_administrators(clinic: Clinic) -> None:
    await two_administrators(clinic)
    opened = await recovery_of(clinic, "physician")
    assert (opened.status, opened.json["state"]) == (201, "open")
    denied(await approve(clinic, opened, "administrator"))
    denied(await recovery_of(clinic, "physician", "deputy"))  # there is one already
    approved = await approve(clinic, opened, "deputy")
    assert approved.status == 200, approved.body
    token = approved.json["invitation"].partition("#")[2]
    invitation = await clinic.system.services.invitations.find(token)
    assert invitation is not None
    assert (invitation.recovery, invitation.by) == (opened.json["id"], clinic.accounts["deputy"].id.hex())
    denied(await approve(clinic, opened, "deputy"))  # once
    told = await clinic.system.services.notices.of(clinic.accounts["physician"].id)
    assert [notice.kind for notice in told] == ["recovery.approved", "recovery.opened"]
    assert approved.entry is not None
    assert (approved.entry.action, approved.entry.outcome) == ("identity:account:recover", "permitted")


async def test_nobody_takes_part_in_their_own_recovery(clinic: Clinic) -> None:
    await two_administrators(clinic)
    await new_account(clinic, "third", Kind.ADMINISTRATOR)
    await sign_in(clinic, "third")
    denied(await recovery_of(clinic, "deputy", "deputy"))
    opened = await recovery_of(clinic, "deputy")
    denied(await approve(clinic, opened, "deputy"))
    assert (await approve(clinic, opened, "third")).status == 200


async def test_a_recovery_is_over_after_a_day_or_when_it_is_rejected(clinic: Clinic) -> None:
    await two_administrators(clinic)
    opened = await recovery_of(clinic, "physician")
    rejected = await ask(clinic, "POST", f"/admin/recoveries/{opened.json['id']}/reject", who="deputy")
    assert (rejected.status, rejected.json["state"]) == (200, "rejected")
    denied(await approve(clinic, opened, "deputy"))
    late = await recovery_of(clinic, "physician")
    clinic.time.now_ms += DAY_MS
    await sign_in(clinic, "deputy")
    denied(await approve(clinic, late, "deputy"))


async def test_who_is_no_administrator_any_more_recovers_nobody(clinic: Clinic) -> None:
    """A stolen administrator's session opens recoveries; once the theft is noticed, none of them is worth a thing."""
    await two_administrators(clinic)
    opened = await recovery_of(clinic, "physician", "deputy")
    gone = await ask(clinic, "POST", f"/admin/accounts/{clinic.accounts['deputy'].id.hex()}/disable")
    assert gone.status == 200
    await new_account(clinic, "third", Kind.ADMINISTRATOR)
    await sign_in(clinic, "third")
    denied(await approve(clinic, opened, "third"))


async def test_two_approvals_at_once_make_one_invitation(clinic: Clinic) -> None:
    await two_administrators(clinic)
    opened = await recovery_of(clinic, "physician")
    services = clinic.system.services
    recovery = await services.recoveries.get(bytes.fromhex(opened.json["id"]))
    assert recovery is not None
    twin = await services.recoveries.prepare_approve(recovery, clinic.accounts["deputy"])
    assert (await approve(clinic, opened, "deputy")).status == 200
    with pytest.raises(Conflict):
        await clinic.record("the other one", twin)


async def test_an_invitation_is_for_those_who_have_no_way_to_sign_in(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    services, account = clinic.system.services, clinic.accounts["physician"]
    secret = Secret("a long password for tests")
    await clinic.record("a password", await services.accounts.prepare_password(account, secret))
    denied(await ask(clinic, "POST", f"/admin/accounts/{account.id.hex()}/invite"))


async def test_who_leaves_is_gone_everywhere_within_one_poll(
    clinic: Clinic, tmp_path: Path, furnished: tuple[object, str]
) -> None:
    await sign_in(clinic, "administrator")
    await sign_in(clinic, "physician", 1)
    async with open_clinic(tmp_path / "home", furnished[1]) as elsewhere:
        elsewhere.tokens.update(clinic.tokens)
        await elsewhere.system.generations.poll()
        for process in (clinic, elsewhere):
            assert (await process.ask("GET", "Patient/ada", who="physician")).status == 200
        left = await ask(clinic, "POST", f"/admin/accounts/{clinic.accounts['physician'].id.hex()}/leave")
        assert (left.status, left.json["disabled"]) == (200, True)
        await elsewhere.system.generations.poll()  # which a worker does four times a second
        for process in (clinic, elsewhere):
            assert (await process.ask("GET", "Patient/ada", who="physician")).status == 401
    denied(await ask(clinic, "POST", f"/admin/accounts/{clinic.accounts['physician'].id.hex()}/enable"))


async def test_nothing_comes_back_by_itself_when_an_account_is_enabled_again(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    path = f"/admin/accounts/{clinic.accounts['physician'].id.hex()}"
    assert (await ask(clinic, "POST", f"{path}/disable")).status == 200
    assert (await ask(clinic, "POST", f"{path}/enable")).status == 200
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 401
    await sign_in(clinic, "physician", 1)
    assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 200


async def test_nobody_locks_themself_out_or_makes_a_system(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    own = clinic.accounts["administrator"].id.hex()
    for change in ("disable", "leave"):
        denied(await ask(clinic, "POST", f"/admin/accounts/{own}/{change}"))
    body: Json = {"kind": "app", "name": "Mine", "login": "mine", "grants": ["system"]}
    denied(await ask(clinic, "POST", "/admin/accounts", body))
    made = await ask(clinic, "POST", "/admin/accounts", {**body, "grants": ["mdm"]})
    assert (made.status, made.json["account"]["grants"]) == (201, ["mdm"])


async def test_an_app_is_approved_and_disabled(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    clients = clinic.system.services.apps.clients
    client = Client(
        id=clients.new_id(),
        name="Charts",
        authentication=ClientAuthentication.NONE,
        created_ms=clients.now(),
        redirect_uris=("https://charts.example.org/cb",),
    )
    await clinic.record("registered", clients.prepare_create(client))
    assert [each["state"] for each in (await ask(clinic, "GET", "/admin/clients")).json["clients"]] == ["pending"]
    approved = await ask(clinic, "POST", f"/admin/clients/{client.id}/approve")
    assert (approved.status, approved.json["state"]) == (200, "approved")
    disabled = await ask(clinic, "POST", f"/admin/clients/{client.id}/disable")
    assert (disabled.status, disabled.json["state"]) == (200, "disabled")
    assert disabled.entry is not None
    assert disabled.entry.policies == ("devices.manage",)


async def test_an_app_that_acts_for_itself_is_approved_with_an_account_only(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    clients = clinic.system.services.apps.clients
    client = Client(
        id=clients.new_id(),
        name="Feed",
        authentication=ClientAuthentication.PRIVATE_KEY_JWT,
        created_ms=clients.now(),
        grant_types=(CLIENT_CREDENTIALS,),
        scopes="system/Device.rs",
        keys_uri="https://feed.example.org/keys",
    )
    await clinic.record("registered", clients.prepare_create(client))
    approve = f"/admin/clients/{client.id}/approve"
    without = await ask(clinic, "POST", approve)
    denied(without)
    assert "client_credentials" in without.said
    denied(await ask(clinic, "POST", approve, {"account": clinic.accounts["physician"].id.hex()}))
    denied(await ask(clinic, "POST", approve, {"account": "0" * 32}), 404)
    denied(await ask(clinic, "POST", approve, {"account": 1}), 400)
    # Who sees no record would else approve an app of their own that sees all of them.
    denied(await ask(clinic, "POST", approve, {"account": clinic.accounts["engine"].id.hex()}), 403)
    found = await clients.get(client.id)
    assert found is not None
    assert not found.is_approved
    account = await new_account(clinic, "feed", Kind.APP)
    approved = await ask(clinic, "POST", approve, {"account": account.id.hex()})
    assert (approved.status, approved.json["account"]) == (200, account.id.hex())
    assert approved.entry is not None
    assert account.id.hex() in (approved.entry.query or "")


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "robot", "name": "x", "login": "x"},
        {"kind": "auditor", "name": 1, "login": "x"},
        {"kind": "auditor", "name": "x" * 201, "login": "x"},
        {"kind": "app", "name": "x", "login": "x", "grants": "mdm"},
        {"kind": "app", "name": "x", "login": "x", "grants": [1]},
    ],
)
async def test_bad_accounts_are_refused_without_echo(clinic: Clinic, body: Json) -> None:
    await sign_in(clinic, "administrator")
    answer = await ask(clinic, "POST", "/admin/accounts", body)
    denied(answer, 400)
    assert "x" * 201 not in answer.said


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin"),
        ("GET", "/admin/nothing"),
        ("DELETE", "/admin/accounts"),
        ("POST", "/admin/accounts/x/disable"),
        ("POST", f"/admin/accounts/{'0' * 32}/disable"),
        ("POST", f"/admin/accounts/{'0' * 32}/approve"),
        ("GET", f"/admin/accounts/{'A' * 32}"),
        ("POST", f"/admin/devices/{'0' * 32}/retire"),
        ("POST", f"/admin/recoveries/{'0' * 32}/approve"),
        ("POST", f"/admin/clients/{'0' * 32}/disable"),
    ],
)
async def test_what_is_not_there(clinic: Clinic, method: str, path: str) -> None:
    await sign_in(clinic, "administrator")
    assert (await ask(clinic, method, path)).status == 404

"""Grants, clients and signing keys as they lie in the database: found, changed once, and never behind our back."""

import asyncio
from dataclasses import replace

import pytest

from carekeep.identity import Account, Binding, BindingKind, Delegation
from carekeep.identity.apps.app_access import AppAccess
from carekeep.identity.apps.client import Client, ClientAuthentication, ClientState
from carekeep.identity.apps.ending import prepare_end_client, prepare_end_session
from carekeep.identity.apps.grant import Context, Grant
from carekeep.identity.apps.grants import LONGEST_MS
from carekeep.storage import Change, Conflict, Prepared
from tests.identity.people import Office


@pytest.fixture
def apps(office: Office) -> AppAccess:
    return AppAccess.over(office.database, office.keyring, office.clock)


async def commit(office: Office, *prepared: Prepared[object]) -> None:
    await office.database.commit([step for each in prepared for step in each.steps])


async def new_client(office: Office, apps: AppAccess) -> Client:
    client = Client(
        id=apps.clients.new_id(),
        name="Growth Charts",
        authentication=ClientAuthentication.NONE,
        created_ms=apps.clients.now(),
        redirect_uris=("https://app.example.org/",),
    )
    await commit(office, apps.clients.prepare_create(client))
    return client


def facts(account: Account, client: Client, office: Office) -> Grant:
    return Grant(
        id=b"",
        account=account.id,
        client=client.id,
        scopes="patient/*.rs offline_access",
        context=Context("ada", "e-1", ("ImagingStudy/i",)),
        assurance=2,
        authenticated_ms=office.now,
        methods=("pwd", "otp"),
        given_ms=office.now,
        last_used_ms=office.now,
        ends_ms=office.now + LONGEST_MS,
        expires_ms=office.now + 1000,
        device="d" * 32,
        session=b"s" * 16,
        binding=Binding(BindingKind.DPOP, "x" * 43),
    )


async def test_what_was_given_is_found_again(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    granted = apps.grants.prepare_give(facts(account, client, office), refreshable=True)
    await commit(office, granted)
    assert granted.value.refresh_token is not None
    presented = await apps.grants.present(granted.value.refresh_token.reveal_text())
    assert presented is not None
    assert presented.is_current
    assert presented.grant == granted.value.grant
    assert await apps.grants.of_account(account.id) == await apps.grants.of_client(client.id) == (presented.grant,)
    assert await apps.grants.of_session(account.id, b"s" * 16) == (presented.grant,)
    assert await apps.grants.of_session(account.id, b"t" * 16) == ()
    assert await apps.clients.get(client.id) == client


async def test_of_two_who_renew_at_once_one_meets_a_conflict(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    granted = apps.grants.prepare_give(facts(account, client, office), refreshable=True)
    await commit(office, granted)
    assert granted.value.refresh_token is not None
    presented = await apps.grants.present(granted.value.refresh_token.reveal_text())
    assert presented is not None
    both = [apps.grants.prepare_rotate(presented), apps.grants.prepare_rotate(presented)]
    results = await asyncio.gather(*(commit(office, each) for each in both), return_exceptions=True)
    assert sorted(isinstance(result, Conflict) for result in results) == [False, True]
    stale = await apps.grants.present(granted.value.refresh_token.reveal_text())
    assert stale is not None
    assert not stale.is_current


async def test_an_end_misses_no_token_that_is_issued_meanwhile(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    granted = apps.grants.prepare_give(facts(account, client, office), refreshable=True)
    await commit(office, granted)
    ended = await prepare_end_session(apps.grants, office.tokens, account.id, b"s" * 16)
    used = apps.grants.prepare_use(granted.value.grant)
    issued = office.tokens.prepare_issue(account, 2, 60_000, parent=granted.value.grant.id)
    await commit(office, used, issued)
    with pytest.raises(Conflict):
        await commit(office, ended)
    again = await prepare_end_session(apps.grants, office.tokens, account.id, b"s" * 16)
    await commit(office, again)
    assert await office.tokens.inspect(issued.value.secret.reveal_text()) is None
    assert await apps.grants.of_account(account.id) == ()


async def test_a_client_that_ends_takes_everything_with_it(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    granted = apps.grants.prepare_give(facts(account, client, office), refreshable=True)
    delegation = Delegation(client.id, client.name, "patient/*.rs")
    of_person = office.tokens.prepare_issue(account, 2, 60_000, parent=granted.value.grant.id, delegation=delegation)
    own = office.tokens.prepare_issue(account, 1, 60_000, parent=bytes.fromhex(client.id), delegation=delegation)
    beside = office.tokens.prepare_issue(account, 1, 60_000)
    await commit(office, granted, of_person, own, beside)
    unchanged = apps.clients.prepare_unchanged(client)
    await commit(office, apps.clients.prepare_change(replace(client, state=ClientState.DISABLED)))
    with pytest.raises(Conflict):
        await commit(office, unchanged)
    await commit(office, await prepare_end_client(apps.grants, office.tokens, client.id))
    for issued, is_left in ((of_person, False), (own, False), (beside, True)):
        assert (await office.tokens.inspect(issued.value.secret.reveal_text()) is not None) is is_left


async def test_what_is_over_is_purged(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    await commit(office, apps.grants.prepare_give(facts(account, client, office), refreshable=False))
    assert (await apps.grants.prepare_purge(office.now)).value == 0
    purged = await apps.grants.prepare_purge(office.now + 1001)
    assert purged.value == 1
    await commit(office, purged)
    assert await apps.grants.of_client(client.id) == ()


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("UPDATE app_client SET revision = revision + 1", "app_client"),
        ("UPDATE app_grant SET expires_ms = expires_ms + 1", "app_grant"),
        ("UPDATE app_grant SET revision = revision + 1", "app_grant"),
        ("UPDATE signing_key SET created_ms = created_ms + 1", "signing_key"),
    ],
)
async def test_a_row_that_was_changed_is_found(office: Office, apps: AppAccess, sql: str, where: str) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    await commit(office, apps.grants.prepare_give(facts(account, client, office), refreshable=True))
    await commit(office, await apps.signing_keys.prepare_rotate())
    keys = apps.signing_keys
    verify = {"app_client": apps.clients.verify, "app_grant": apps.grants.verify, "signing_key": keys.verify}
    for each in verify.values():
        assert [finding async for finding in each()] == []
    for pinned_rows in (apps.clients.pinned_rows, apps.grants.pinned_rows, keys.pinned_rows):
        assert [row async for row in pinned_rows()]
    await office.database.commit([Change(sql, [()])])
    assert [finding.where.split("/")[0] async for finding in verify[where]()] in ([where], [where] * 2)


async def test_a_grant_of_nobody_is_found(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    await commit(office, apps.grants.prepare_give(facts(account, client, office), refreshable=True))
    await office.database.commit([Change("DELETE FROM account", [()])])
    assert ["does not exist" in finding.what async for finding in apps.grants.verify()] == [True]


async def test_what_is_in_the_rows_cannot_be_read(office: Office, apps: AppAccess) -> None:
    account, client = await office.practitioner(), await new_client(office, apps)
    granted = apps.grants.prepare_give(facts(account, client, office), refreshable=True)
    await commit(office, granted)
    rows = await office.database.fetch("SELECT sealed FROM app_grant UNION ALL SELECT sealed FROM app_client")
    for (sealed,) in rows:
        for text in (b"ada", b"Growth", b"example.org", b"patient/"):
            assert text not in sealed
    assert "ada" not in repr(granted.value)

"""Invitations: good once, for a time, for one thing, and kept as their hash."""

from dataclasses import replace

import pytest

from carekeep.identity import Account, Kind
from carekeep.identity.invitations import (
    HOUR_MS,
    InvitationKind,
    InvitationRefused,
    Invitations,
    IssuedInvitation,
    invitation_link,
)
from carekeep.storage import Conflict
from tests.identity.people import Office


@pytest.fixture
def invitations(office: Office) -> Invitations:
    return Invitations(office.database, office.keyring, office.clock)


async def newcomer(office: Office, login: str = "new") -> Account:
    made = await office.accounts.prepare_create(Kind.AUDITOR, name="New", login=login)
    await office.database.commit(made.steps)
    return made.value


async def invite(office: Office, invitations: Invitations, account: Account) -> IssuedInvitation:
    issued = await invitations.prepare_create(account, "operator")
    await office.database.commit(issued.steps)
    return issued.value


async def test_an_invitation_is_good_for_three_days_and_once(office: Office, invitations: Invitations) -> None:
    issued = await invite(office, invitations, await newcomer(office))
    token = issued.secret.reveal_text()
    office.now += 72 * HOUR_MS - 1
    found = await invitations.find(token)
    assert found == issued.invitation
    twins = [invitations.prepare_use(found) for _ in range(2)]
    await office.database.commit(twins[0].steps)
    with pytest.raises(Conflict):
        await office.database.commit(twins[1].steps)
    assert await invitations.find(token) is None
    late = (await invite(office, invitations, await newcomer(office, "late"))).secret.reveal_text()
    office.now += 72 * HOUR_MS
    assert await invitations.find(late) is None


async def test_a_newer_one_replaces_it_but_not_one_of_another_kind(office: Office, invitations: Invitations) -> None:
    account = await newcomer(office)
    first = await invite(office, invitations, account)
    code = await invitations.prepare_device_code(account, "operator")
    await office.database.commit(code.steps)
    second = await invite(office, invitations, account)
    assert await invitations.find(first.secret.reveal_text()) is None
    assert await invitations.find(second.secret.reveal_text()) == second.invitation
    assert await invitations.find(code.value.secret.reveal_text(), InvitationKind.DEVICE) == code.value.invitation
    withdrawn = await invitations.prepare_withdraw(account.id)
    assert withdrawn.value == 2
    await office.database.commit(withdrawn.steps)
    assert await office.database.fetch("SELECT 1 FROM invitation") == []


async def test_who_is_not_invited(office: Office, invitations: Invitations) -> None:
    account = await newcomer(office)
    for refused in (await office.practitioner(), await office.app(), replace(account, disabled=True)):
        with pytest.raises(InvitationRefused):
            await invitations.prepare_create(refused, "operator")


@pytest.mark.parametrize("token", ["", "cki_", "cki_" + "A" * 42, "ckd_" + "A" * 43, "cki_" + "A" * 43, "x" * 100_000])
async def test_what_is_no_invitation(office: Office, invitations: Invitations, token: str) -> None:
    await invite(office, invitations, await newcomer(office))
    assert await invitations.find(token) is None


async def test_only_the_hash_is_kept_and_nothing_is_shown(office: Office, invitations: Invitations) -> None:
    issued = await invite(office, invitations, await newcomer(office))
    token = issued.secret.reveal_text()
    [row] = await office.database.fetch("SELECT * FROM invitation")
    assert token[4:].encode() not in b"".join(value for value in row if isinstance(value, bytes))
    assert token not in f"{issued!r} {issued}"
    assert (
        invitation_link("https://auth.example.org", issued).reveal_text()
        == f"https://auth.example.org/invitation#{token}"
    )
    assert [finding async for finding in invitations.verify()] == []

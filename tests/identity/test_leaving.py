"""Everything ends in one commit; and of a device that is retired only what was on it."""

import pytest

from carekeep.identity import Account, BrowserSession, SignedIn
from carekeep.identity.apps.grant import Context, Grant
from carekeep.identity.apps.grants import Grants
from carekeep.identity.device_rows import Device
from carekeep.identity.devices import Devices
from carekeep.identity.invitations import Invitations
from carekeep.identity.leaving import Leaving
from carekeep.identity.outside import Links
from carekeep.identity.posture import Minimums
from carekeep.identity.principal import Binding, BindingKind
from carekeep.storage import Conflict
from tests.identity.people import Office

KEY = Binding(BindingKind.DPOP, "k" * 43)
TABLES = ("access_token", "browser_session", "app_grant", "invitation")


ISSUER, SUBJECT = "https://idp.example.org", "s"


class House:
    """An account with something of every sort, on a device and elsewhere."""

    def __init__(self, office: Office) -> None:
        database, keyring, clock = office.database, office.keyring, office.clock
        self.office = office
        self.devices = Devices(database, keyring, Minimums(), clock)
        self.invitations = Invitations(database, keyring, clock)
        self.grants = Grants(database, keyring, clock)
        self.links = Links(database, keyring)
        self.leaving = Leaving(
            office.accounts,
            tokens=office.tokens,
            devices=self.devices,
            invitations=self.invitations,
            browser_sessions=office.browser_sessions,
            grants=self.grants,
            links=self.links,
        )

    async def fill(self) -> tuple[Account, Device]:
        account = await self.office.practitioner()
        enrolled = await self.devices.prepare_enrol(account.id, KEY, name="Laptop", platform="linux")
        code = await self.invitations.prepare_device_code(account, "operator")
        linked = self.links.prepare_add(ISSUER, SUBJECT, account)
        await self.office.database.commit((*enrolled.steps, *code.steps, *linked.steps))
        device = enrolled.value
        for on in (device.id.hex(), None):
            browser = await self.sign_in(account, on)
            parent = bytes.fromhex(browser.id)
            grant = await self.allow(account, browser, on)
            await self.token(account, on, parent)
            await self.token(account, on, grant.id)
        await self.token(account, None, None)
        return account, device

    async def sign_in(self, account: Account, device: str | None) -> BrowserSession:
        started = self.office.browser_sessions.prepare_start(
            SignedIn(account, 1, ("pwd",)), address=None, device=device
        )
        await self.office.database.commit(started.steps)
        return started.value.session

    async def allow(self, account: Account, browser: BrowserSession, device: str | None) -> Grant:
        now = self.office.now
        facts = Grant(
            id=b"",
            account=account.id,
            client="c1" * 16,
            scopes="patient/Patient.r",
            context=Context(),
            assurance=1,
            authenticated_ms=now,
            methods=(),
            given_ms=now,
            last_used_ms=now,
            ends_ms=now + 1_000_000,
            expires_ms=now + 1_000_000,
            device=device,
            session=bytes.fromhex(browser.id),
        )
        given = self.grants.prepare_give(facts, refreshable=True)
        await self.office.database.commit(given.steps)
        return given.value.grant

    async def token(self, account: Account, device: str | None, parent: bytes | None) -> None:
        issued = self.office.tokens.prepare_issue(account, 1, 60_000, device=device, parent=parent)
        await self.office.database.commit(issued.steps)

    async def counts(self) -> dict[str, int]:
        found = {}
        for table in TABLES:
            row = await self.office.database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608
            assert row is not None
            found[table] = int(row[0])
        return found


@pytest.fixture
def house(office: Office) -> House:
    return House(office)


async def test_nothing_is_left_of_who_leaves(house: House) -> None:
    account, device = await house.fill()
    assert await house.counts() == {"access_token": 5, "browser_session": 2, "app_grant": 2, "invitation": 1}
    left, twin = await house.leaving.prepare_leaving(account), await house.leaving.prepare_leaving(account)
    await house.office.database.commit(left.steps)
    assert await house.counts() == dict.fromkeys(TABLES, 0)
    assert {pin.table for pin in left.pins} == {*TABLES, "account", "device", "identity_link"}
    assert await house.links.account_of(ISSUER, SUBJECT) is None
    kept = await house.office.accounts.get(account.id)
    assert kept is not None
    assert kept.disabled
    assert await house.devices.of_binding(device.key) is None
    with pytest.raises(Conflict):
        await house.office.database.commit(twin.steps)


async def test_a_lost_device_ends_all_that_a_person_had(house: House) -> None:
    account, device = await house.fill()
    await house.office.database.commit((await house.leaving.prepare_lost(device, account)).steps)
    assert await house.counts() == {"access_token": 0, "browser_session": 0, "app_grant": 0, "invitation": 1}


async def test_a_retired_device_ends_what_was_on_it_and_no_more(house: House) -> None:
    _, device = await house.fill()
    await house.office.database.commit((await house.leaving.prepare_retired(device)).steps)
    assert await house.counts() == {"access_token": 3, "browser_session": 1, "app_grant": 1, "invitation": 1}

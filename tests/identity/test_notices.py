"""Notices: ordered, bounded, read up to a mark, and not readable in the database."""

import pytest

from carekeep.identity.notices import KEPT, Notices
from carekeep.storage import Conflict
from tests.identity.people import Office


@pytest.fixture
def notices(office: Office) -> Notices:
    return Notices(office.database, office.keyring, office.clock)


async def add(office: Office, notices: Notices, account: bytes, kind: str) -> int:
    prepared = await notices.prepare_add(account, kind, {"device": "Laptop of Amélie"})
    await office.database.commit(prepared.steps)
    return prepared.value.number


async def test_the_newest_come_first_and_only_those_are_kept(office: Office, notices: Notices) -> None:
    account = (await office.practitioner()).id
    other = (await office.practitioner("bruno")).id
    await add(office, notices, other, "stays")
    for number in range(KEPT + 3):
        office.now += number % 2  # also several at one moment
        await add(office, notices, account, f"kind-{number}")
    kept = await notices.of(account)
    assert [notice.kind for notice in kept] == [f"kind-{number}" for number in range(KEPT + 2, 2, -1)]
    assert [notice.kind for notice in await notices.of(other)] == ["stays"]
    assert await office.database.fetch_one("SELECT count(*) FROM notice WHERE account = $1", (account,)) == (KEPT,)


async def test_what_is_dropped_is_said_to_be_gone(office: Office, notices: Notices) -> None:
    account = (await office.practitioner()).id
    first = await add(office, notices, account, "first")
    for _ in range(KEPT - 1):
        await add(office, notices, account, "more")
    last = await notices.prepare_add(account, "last", {})
    assert [(pin.key, pin.digest == b"") for pin in last.pins] == [
        (f"{account.hex()}/{last.value.number}", False),
        (f"{account.hex()}/{first}", True),
    ]


async def test_reading_marks_those_that_were_shown(office: Office, notices: Notices) -> None:
    account = (await office.practitioner()).id
    one = await add(office, notices, account, "one")
    await office.database.commit((await notices.prepare_read(account, one)).steps)
    two = await add(office, notices, account, "two")
    assert [(notice.kind, notice.is_read) for notice in await notices.of(account)] == [("two", False), ("one", True)]
    twins = [await notices.prepare_read(account, two) for _ in range(2)]
    await office.database.commit(twins[0].steps)
    with pytest.raises(Conflict):
        await office.database.commit(twins[1].steps)
    assert all(notice.is_read for notice in await notices.of(account))
    assert (await notices.prepare_read(account, one)).steps == ()
    assert [finding async for finding in notices.verify()] == []


async def test_facts_are_bounded_and_hidden(office: Office, notices: Notices) -> None:
    account = (await office.practitioner()).id
    prepared = await notices.prepare_add(account, "kind", {str(number): "x" * 1000 for number in range(50)})
    assert {len(text) for text in prepared.value.facts.values()} == {300}
    assert len(prepared.value.facts) == 10
    await add(office, notices, account, "kind")
    rows = await office.database.fetch("SELECT sealed FROM notice")
    assert not any(b"Laptop" in sealed for (sealed,) in rows)
    assert "Laptop" not in repr(await notices.of(account))

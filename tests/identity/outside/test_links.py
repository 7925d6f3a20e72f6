"""Persons outside and accounts here."""

import pytest

from carekeep.identity.outside import Links
from carekeep.storage import Change, Conflict
from tests.identity.people import Office

ISSUER = "https://idp.example.org"


async def test_a_person_is_one_account(office: Office) -> None:
    links = Links(office.database, office.keyring)
    first, second = await office.practitioner(), await office.practitioner(login="other")
    assert await links.account_of(ISSUER, "s") is None
    await office.database.commit(links.prepare_add(ISSUER, "s", first).steps)
    assert await links.account_of(ISSUER, "s") == first.id
    assert await links.account_of("https://other.example.org", "s") is None
    with pytest.raises(Conflict):
        await office.database.commit(links.prepare_add(ISSUER, "s", second).steps)
    await office.database.commit((await links.prepare_remove_all(first)).steps)
    assert await links.account_of(ISSUER, "s") is None


async def test_a_link_that_was_turned_to_another_account_is_found(office: Office) -> None:
    links = Links(office.database, office.keyring)
    first, second = await office.practitioner(), await office.practitioner(login="other")
    await office.database.commit(links.prepare_add(ISSUER, "s", first).steps)
    assert [finding async for finding in links.verify()] == []
    await office.database.commit([Change("UPDATE identity_link SET account = $1", [(second.id,)])])
    assert [finding.where.partition("/")[0] async for finding in links.verify()] == ["identity_link"]

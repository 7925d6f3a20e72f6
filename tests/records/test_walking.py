"""Walks over the store as it was at one moment."""

import pytest

from carekeep.encryption import Keyring
from carekeep.records import Pointer, Vault, Walker
from carekeep.storage import Change, Database
from tests.records.conftest import Commit, observation, patient

LATER = 10**14


@pytest.fixture
def walker(database: Database, keyring: Keyring) -> Walker:
    return Walker(database, keyring)


async def keep(vault: Vault, commit: Commit, *ids: str) -> None:
    draft = vault.draft()
    for id_ in ids:
        await draft.create(observation("ada"), id_)
    await commit(draft)


async def test_a_walk_goes_on_where_it_stopped(vault: Vault, commit: Commit, walker: Walker) -> None:
    await keep(vault, commit, *"abcde")
    seen, after, ended = [], 0, False
    while not ended:
        stretch = await walker.everything(after, LATER, 2)
        seen += [found.stored.id for found in stretch.found if found.stored]
        after, ended = stretch.last, stretch.ended
    assert seen == list("abcde")


async def test_versions_open_behind_their_pointers_in_order(vault: Vault, commit: Commit, walker: Walker) -> None:
    await keep(vault, commit, *"abc")
    pointers = [found.pointer for found in (await walker.everything(0, LATER, 10)).found]
    opened = await walker.open(pointers[::-1])
    assert [pointer for pointer, _ in opened] == pointers[::-1]
    assert [stored.id for _, stored in opened] == ["c", "b", "a"]
    assert await walker.open([]) == []
    assert await walker.open([Pointer(1, 2, 3)]) == []


async def test_a_patient_who_was_forgotten_is_not_met(
    vault: Vault, commit: Commit, walker: Walker, database: Database, keyring: Keyring
) -> None:
    await keep(vault, commit, "a")
    pointers = [found.pointer for found in (await walker.everything(0, LATER, 10)).found]
    assert await walker.next_patients(0, 10) == [keyring.scope_of("ada")]
    await database.commit((await vault.prepare_forget("ada")).steps)
    assert (await walker.everything(0, LATER, 10)).found == ()
    assert (await walker.of_patient(keyring.scope_of("ada"), 0, LATER, 10)).found == ()
    assert await walker.next_patients(0, 10) == []
    assert await walker.open(pointers) == []


async def test_a_row_that_does_not_open_is_met_and_told(
    vault: Vault, commit: Commit, walker: Walker, database: Database
) -> None:
    draft = vault.draft()
    await draft.create(patient("ada"), "ada")
    await draft.create(patient("bob"), "bob")
    await commit(draft)
    await database.commit([Change("UPDATE record_version SET sealed = $1", [(b"\x01" + bytes(60),)], expect=2)])
    assert [found.stored for found in (await walker.everything(0, LATER, 10)).found] == [None, None]

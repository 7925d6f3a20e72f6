"""Counters of conditions: who looked before somebody else created is told at commit."""

import asyncio
from collections.abc import Sequence

import pytest

from carekeep.encryption import Keyring
from carekeep.records import Vault
from carekeep.records.guarding import BUCKETS, read_guards
from carekeep.storage import Conflict, Database

ONE, OTHER = "Patient?identifier=urn:mrn|1", "Patient?identifier=urn:mrn|2"


async def create(vault: Vault, database: Database, *conditions: str) -> None:
    guards = await vault.guards(conditions)
    await database.commit(guards.prepared(conditions).steps)


@pytest.mark.parametrize("already", [0, 1, 3])
async def test_of_those_who_looked_at_once_one_creates(vault: Vault, database: Database, already: int) -> None:
    for _ in range(already):
        await create(vault, database, ONE)
    seen = [await vault.guards([ONE]) for _ in range(5)]
    results = await asyncio.gather(
        *(database.commit(guards.prepared([ONE]).steps) for guards in seen), return_exceptions=True
    )
    assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 4 + ["NoneType"]
    await create(vault, database, ONE)


async def test_other_conditions_do_not_conflict(vault: Vault, database: Database) -> None:
    one, other = await vault.guards([ONE]), await vault.guards([OTHER])
    await database.commit(one.prepared([ONE]).steps)
    await database.commit(other.prepared([OTHER]).steps)


async def test_looking_alone_conflicts_with_nobody(vault: Vault, database: Database) -> None:
    first = await vault.guards([ONE, OTHER])
    await create(vault, database, OTHER)
    await database.commit(first.prepared([ONE]).steps)
    assert first.prepared([]).steps == ()


@pytest.mark.parametrize("together", [(ONE, OTHER), (OTHER, ONE), (ONE, ONE)])
async def test_one_of_several_is_enough_for_a_conflict(
    vault: Vault, database: Database, together: Sequence[str]
) -> None:
    before = await vault.guards(together)
    await create(vault, database, ONE)
    with pytest.raises(Conflict):
        await database.commit(before.prepared(together).steps)
    await create(vault, database, *together)


async def test_many_conditions_at_once(vault: Vault, database: Database) -> None:
    many = [f"Patient?identifier=urn:mrn|{number}" for number in range(1200)]
    await create(vault, database, *many)
    await create(vault, database, *many)


async def test_the_table_says_nothing_and_stays_bounded(database: Database, keyring: Keyring) -> None:
    guards = await read_guards(database, keyring.index, [ONE, OTHER])
    assert all(0 <= bucket < BUCKETS for bucket in guards.buckets.values())
    assert len(set(guards.buckets.values())) == 2

"""Verification knows where the versions of a record stand that moved from patient to patient."""

import pytest

from carekeep.encryption import Keyring
from carekeep.records import Vault, verify_records
from carekeep.storage import Change, Database, Finding
from tests.records.conftest import Commit, observation

# The patients of the versions of one record: moved away, moved and back, never moved.
PATHS = {
    "away": ("p1", "p1", "p2"),
    "back": ("p1", "p2", "p2", "p1"),
    "twice": ("p1", "p2", "p3"),
    "stays": ("p1", "p1"),
}


@pytest.fixture
async def moved(vault: Vault, commit: Commit) -> None:
    for id_, (first, *others) in PATHS.items():
        draft = vault.draft()
        await draft.create(observation(first), id_)
        await commit(draft)
        for patient in others:
            draft = vault.draft()
            current, place = await vault.locate("Observation", id_)
            await draft.update(observation(patient), current, place)
            await commit(draft)


async def findings(database: Database, keyring: Keyring) -> list[Finding]:
    return [step async for step in verify_records(database, keyring) if isinstance(step, Finding)]


@pytest.mark.usefixtures("moved")
async def test_moves_are_sound(database: Database, keyring: Keyring) -> None:
    row = await database.fetch_one("SELECT count(*) FROM record_home")
    assert row == (5,)
    assert await findings(database, keyring) == []


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("number", range(5))
async def test_a_home_that_is_missing_is_found(database: Database, keyring: Keyring, number: int) -> None:
    homes = await database.fetch("SELECT seq, until_version FROM record_home ORDER BY seq, until_version")
    step = Change("DELETE FROM record_home WHERE seq = $1 AND until_version = $2", [homes[number]], expect=1)
    await database.commit([step])
    assert [finding.where for finding in await findings(database, keyring)] == [f"record_home {homes[number][0]}"]


@pytest.mark.usefixtures("moved")
@pytest.mark.parametrize("change", ["seq = seq + 1", "until_version = until_version + 7", "scope = scope + 1"])
async def test_a_home_that_was_changed_is_found(database: Database, keyring: Keyring, change: str) -> None:
    one = "until_version = 2 AND seq = (SELECT max(seq) FROM record_home WHERE until_version = 2)"
    step = Change(f"UPDATE record_home SET {change} WHERE {one}", [()], expect=1)  # noqa: S608
    await database.commit([step])
    assert any(finding.where.startswith("record_home ") for finding in await findings(database, keyring))

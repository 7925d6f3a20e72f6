"""The thief with write access to the database: whatever is changed behind our back is found, and named."""

from collections.abc import Sequence

import pytest

from carekeep.encryption import Keyring
from carekeep.records import Vault, verify_records
from carekeep.storage import Change, Database, Finding
from tests.records.conftest import Commit, observation, patient


async def fill(vault: Vault, commit: Commit) -> None:
    draft = vault.draft()
    await draft.create(patient("p1"), "p1")
    await draft.create(observation("p1"), "o1")
    await draft.create({"resourceType": "Organization", "name": "North Clinic"}, "org1")
    await commit(draft)
    moved = vault.draft()
    await moved.update(observation("p2"), *await vault.locate("Observation", "o1"))
    await commit(moved)


async def findings(database: Database, keyring: Keyring) -> list[Finding]:
    return [step async for step in verify_records(database, keyring) if isinstance(step, Finding)]


async def test_an_untouched_store_has_no_findings(
    vault: Vault, commit: Commit, database: Database, keyring: Keyring
) -> None:
    await fill(vault, commit)
    assert await findings(database, keyring) == []
    await database.commit((await vault.prepare_forget("p1")).steps)
    keyring.forget_cached()
    assert await findings(database, keyring) == []


CHANGES: Sequence[tuple[str, str]] = (
    ("a version is moved to another scope", "UPDATE record_version SET scope = scope + 1"),
    ("a version gets another number", "UPDATE record_version SET version = version + 5"),
    ("a version gets another time", "UPDATE record_version SET written = written + 1"),
    ("a version is removed", "DELETE FROM record_version WHERE version = 2"),
    ("the newest version is disowned", "UPDATE record SET version = 1 WHERE version = 2"),
    ("a record gets another number", "UPDATE record SET seq = seq + 1000 WHERE version = 2"),
    ("a record gets another scope", "UPDATE record SET scope = scope + 1 WHERE version = 2"),
    ("a record is removed", "DELETE FROM record WHERE version = 2"),
    ("a tag is removed", "DELETE FROM tag WHERE tag = (SELECT max(tag) FROM tag)"),
    ("a tag is changed", "UPDATE tag SET tag = tag - 1 WHERE tag = (SELECT max(tag) FROM tag)"),
    ("a tag points elsewhere", "UPDATE tag SET seq = seq + 1 WHERE tag = (SELECT max(tag) FROM tag)"),
    ("an earlier home is changed", "UPDATE record_home SET scope = scope + 1"),
    ("an earlier home is given another version", "UPDATE record_home SET until_version = until_version + 1"),
)


@pytest.mark.parametrize(("name", "sql"), CHANGES, ids=[name for name, _ in CHANGES])
async def test_a_change_is_found(
    vault: Vault, commit: Commit, database: Database, keyring: Keyring, name: str, sql: str
) -> None:
    await fill(vault, commit)
    await database.commit([Change(sql, [()])])
    assert await findings(database, keyring), name

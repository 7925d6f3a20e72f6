"""Writing and reading records: versions, history, moves, forgetting."""

from typing import Any

import pytest

from carekeep.encryption import KeyDestroyed, Keyring, Tampered
from carekeep.records import Forgotten, NotFound, Stored, Vault
from carekeep.storage import Change, Conflict, Database
from tests.records.conftest import Commit, observation, patient


async def add(vault: Vault, commit: Commit, resource: dict[str, Any], id_: str) -> Stored:
    draft = vault.draft()
    stored = await draft.create(resource, id_)
    await commit(draft)
    return stored


async def change(vault: Vault, commit: Commit, resource: dict[str, Any], id_: str) -> Stored:
    draft = vault.draft()
    current, place = await vault.locate(resource["resourceType"], id_)
    stored = await draft.update(resource, current, place)
    await commit(draft)
    return stored


async def test_what_was_created_is_read_with_the_servers_meta(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, observation("p1"), "o1")
    stored = await vault.read("Observation", "o1")
    assert (stored.version, stored.patients, stored.deleted) == (1, ("p1",), False)
    assert stored.resource["id"] == "o1"
    assert stored.resource["meta"]["versionId"] == "1"
    assert stored.resource["valueQuantity"]["value"] == 72.0


async def test_unknown_records_and_versions_are_not_found(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, patient("p1"), "p1")
    with pytest.raises(NotFound):
        await vault.read("Patient", "p2")
    with pytest.raises(NotFound):
        await vault.read("Observation", "p1")
    with pytest.raises(NotFound):
        await vault.read_version("Patient", "p1", 2)


async def test_every_version_stays_readable(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, patient("p1", "Old"), "p1")
    await change(vault, commit, patient("p1", "New"), "p1")
    assert (await vault.read("Patient", "p1")).resource["name"][0]["family"] == "New"
    assert (await vault.read_version("Patient", "p1", 1)).resource["name"][0]["family"] == "Old"
    assert [stored.version for stored in await vault.history("Patient", "p1", count=10)] == [2, 1]
    assert [stored.version for stored in await vault.history("Patient", "p1", before=2, count=10)] == [1]


async def test_a_deleted_record_is_a_version_and_can_come_back(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, observation("p1"), "o1")
    draft = vault.draft()
    await draft.delete(*await vault.locate("Observation", "o1"))
    await commit(draft)
    gone = await vault.read("Observation", "o1")
    assert (gone.deleted, gone.version, gone.patients) == (True, 2, ("p1",))
    await change(vault, commit, observation("p1"), "o1")
    assert (await vault.read("Observation", "o1")).version == 3


async def test_the_second_of_two_writers_conflicts(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, patient("p1"), "p1")
    first, second = vault.draft(), vault.draft()
    current, place = await vault.locate("Patient", "p1")
    await first.update(patient("p1", "First"), current, place)
    await second.update(patient("p1", "Second"), current, place)
    await commit(first)
    with pytest.raises(Conflict):
        await commit(second)
    assert (await vault.read("Patient", "p1")).resource["name"][0]["family"] == "First"


async def test_a_record_that_moves_to_another_patient_keeps_its_history(vault: Vault, commit: Commit) -> None:
    await add(vault, commit, observation("p1"), "o1")
    await change(vault, commit, observation("p2"), "o1")
    await change(vault, commit, observation("p3"), "o1")
    assert (await vault.read("Observation", "o1")).patients == ("p3",)
    assert (await vault.read_version("Observation", "o1", 1)).patients == ("p1",)
    assert [stored.patients for stored in await vault.history("Observation", "o1", count=9)] == [
        ("p3",),
        ("p2",),
        ("p1",),
    ]


async def test_two_drafts_that_make_the_same_patients_key_conflict(vault: Vault, commit: Commit) -> None:
    first, second = vault.draft(), vault.draft()
    await first.create(observation("p1"), "o1")
    await second.create(observation("p1"), "o2")
    await commit(first)
    with pytest.raises(Conflict):
        await commit(second)
    again = vault.draft()
    await again.create(observation("p1"), "o2")
    await commit(again)
    assert (await vault.read("Observation", "o2")).patients == ("p1",)


async def test_a_forgotten_patient_is_gone_everywhere(
    vault: Vault, commit: Commit, database: Database, keyring: Keyring
) -> None:
    await add(vault, commit, patient("p1"), "p1")
    await add(vault, commit, observation("p1"), "o1")
    await add(vault, commit, observation("p2"), "o2")
    await database.commit((await vault.prepare_forget("p1")).steps)
    keyring.forget_cached()
    for type_, id_ in (("Patient", "p1"), ("Observation", "o1")):
        with pytest.raises(Forgotten):
            await vault.read(type_, id_)
    with pytest.raises(KeyDestroyed):
        await vault.draft().create(observation("p1"), "o3")
    assert (await vault.read("Observation", "o2")).patients == ("p2",)
    left = await database.fetch("SELECT count(*) FROM tag WHERE scope = $1", (keyring.scope_of("p1"),))
    assert left == [(0,)]


async def test_a_row_does_not_open_in_another_place(vault: Vault, commit: Commit, database: Database) -> None:
    """The thief with write access: swap two of a patient's ciphertexts."""
    await add(vault, commit, observation("p1", value=60.0), "o1")
    await add(vault, commit, observation("p1", value=180.0), "o2")
    rows = await database.fetch("SELECT seq, sealed FROM record_version ORDER BY seq")
    (first, one), (second, two) = rows
    swap = Change("UPDATE record_version SET sealed = $1 WHERE seq = $2", [(two, first), (one, second)])
    await database.commit([swap])
    with pytest.raises(Tampered):
        await vault.read("Observation", "o1")

"""Search where there is much: what is fetched, opened and asked for stays near to what is wanted; nothing is lost."""

from typing import Any

import pytest

from carekeep.encryption import Cipher, Keyring, Tagger
from carekeep.fhir import parse_query
from carekeep.records import Place, Position, Stored, Vault, verify_records
from carekeep.records.envelope import unseal
from carekeep.storage import Database
from tests.records.conftest import Commit, observation, patient

MANY = 270  # more patients than are asked for at once


def without_value(person: str) -> dict[str, Any]:
    return {key: value for key, value in observation(person).items() if key != "valueQuantity"}


async def ids(vault: Vault, type_: str, pairs: list[tuple[str, str]], patients: list[str] | None) -> list[str]:
    query = parse_query(type_, pairs, lenient=False)
    found: list[str] = []
    after: Position | None = None
    while True:
        page = await vault.search(query, patients, after=after, limit=1)
        found += [stored.id for stored in page.matches]
        if page.next is None:
            return found
        after = page.next


async def test_of_the_patients_in_sight_only_the_namesakes_are_opened(
    vault: Vault, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"p{number}" for number in range(40)]
    draft = vault.draft()
    for person in people:
        await draft.create(patient(person, "Moreau" if person in {"p7", "p9"} else "Okafor"), person)
    await draft.create(patient("unseen", "Moreau"), "unseen")
    await commit(draft)
    opened: list[str] = []

    def counting(sealed: bytes, place: Place, cipher: Cipher) -> Stored:
        stored = unseal(sealed, place, cipher)
        opened.append(stored.id)
        return stored

    monkeypatch.setattr("carekeep.records.searching.unseal", counting)
    query = parse_query("Patient", [("family", "moreau")], lenient=False)
    page = await vault.search(query, people, limit=20)
    assert sorted(stored.id for stored in page.matches) == sorted(opened) == ["p7", "p9"]


@pytest.mark.parametrize("patients", [1, 3])
async def test_a_match_is_found_behind_many_that_the_index_takes_for_one(
    vault: Vault, commit: Commit, patients: int
) -> None:
    draft = vault.draft()
    for number in range(patients):
        await draft.create(without_value(f"p{number}"), f"wanted{number}")
    await commit(draft)
    newer = vault.draft()
    for number in range(patients * 230):  # of each more than one statement fetches at most
        await newer.create(observation(f"p{number % patients}"), f"other{number}")
    await commit(newer)
    found = await ids(vault, "Observation", [("value-quantity:missing", "true")], None)
    assert sorted(found) == [f"wanted{number}" for number in range(patients)]
    assert len(await ids(vault, "Observation", [("value-quantity:missing", "false")], ["p0"])) == 230


async def test_everybodys_records_are_found_however_many_patients_there_are(
    vault: Vault, commit: Commit, keyring: Keyring
) -> None:
    people = sorted((f"p{number}" for number in range(MANY)), key=keyring.scope_of)
    wanted = {people[0], people[-1]}
    draft = vault.draft()
    for person in people:
        await draft.create(observation(person, code="2-2" if person in wanted else "1-1"), f"of-{person}")
    await commit(draft)
    assert set(await ids(vault, "Observation", [("code", "2-2")], None)) == {f"of-{person}" for person in wanted}


async def test_what_an_update_takes_away_takes_no_tag_from_what_stays(
    vault: Vault, commit: Commit, database: Database, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags are 64 bits of a hash, so two facts of one record may have the same."""
    monkeypatch.setattr(Tagger, "tag", lambda *_: 7)
    draft = vault.draft()
    await draft.create(observation("p1"), "o1")
    await commit(draft)
    current, place = await vault.locate("Observation", "o1")
    draft = vault.draft()
    await draft.update(without_value("p1"), current, place)
    await commit(draft)
    assert await ids(vault, "Observation", [("code", "8867-4")], None) == ["o1"]
    assert [each async for each in verify_records(database, keyring) if not isinstance(each, int)] == []


async def test_an_update_that_changes_nothing_that_is_searched_writes_no_tags(vault: Vault, commit: Commit) -> None:
    draft = vault.draft()
    await draft.create(observation("p1"), "o1")
    await commit(draft)
    current, place = await vault.locate("Observation", "o1")
    draft = vault.draft()
    await draft.update({**observation("p1"), "note": [{"text": "after rest"}]}, current, place)
    assert {getattr(step, "table", "record") for step in draft.prepared().steps} == {"record", "record_version"}

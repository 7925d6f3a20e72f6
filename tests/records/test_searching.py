"""Search over encrypted records: exact, bounded to who may be seen, paged without gaps or repeats."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.fhir import parse_query
from carekeep.records import Position, Vault
from carekeep.storage import Database
from tests.records.conftest import Commit, observation, patient


async def fill(vault: Vault, commit: Commit) -> None:
    draft = vault.draft()
    await draft.create(patient("p1", "Moreau"), "p1")
    await draft.create(patient("p2", "Moreno"), "p2")
    for number in range(5):
        await draft.create(observation("p1", value=60.0 + number, day=f"2026-03-0{number + 1}"), f"a{number}")
    for number in range(3):
        await draft.create(observation("p2", code="8310-5", day=f"2026-04-0{number + 1}"), f"b{number}")
    await draft.create({"resourceType": "Organization", "name": "North Clinic"}, "org1")
    await commit(draft)


async def ids(vault: Vault, type_: str, pairs: list[tuple[str, str]], patients: list[str] | None) -> list[str]:
    query = parse_query(type_, pairs, lenient=False)
    return [stored.id async for stored in vault.search_all(query, patients)]


async def test_a_patients_records_are_found_by_code_and_date(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    pairs = [("patient", "p1"), ("code", "http://loinc.org|8867-4"), ("date", "ge2026-03-04")]
    assert await ids(vault, "Observation", pairs, ["p1"]) == ["a4", "a3"]


async def test_search_stays_within_the_patients_that_may_be_seen(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    assert sorted(await ids(vault, "Observation", [], ["p2"])) == ["b0", "b1", "b2"]
    assert await ids(vault, "Observation", [("patient", "p1")], ["p2"]) == []
    assert await ids(vault, "Patient", [("family", "more")], ["p2"]) == ["p2"]
    assert len(await ids(vault, "Observation", [], None)) == 8


async def test_patients_are_found_by_the_beginning_of_a_name(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    assert sorted(await ids(vault, "Patient", [("family", "more")], None)) == ["p1", "p2"]
    assert await ids(vault, "Patient", [("family", "moreau")], None) == ["p1"]
    assert await ids(vault, "Patient", [("family:exact", "moreau")], None) == []


async def test_shared_records_are_found_by_everybody(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    assert await ids(vault, "Organization", [("name", "north")], []) == ["org1"]


async def test_an_id_finds_its_record_only_for_who_may_see_it(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    assert await ids(vault, "Observation", [("_id", "a1,b1")], ["p1"]) == ["a1"]


async def test_changed_records_are_found_by_what_they_say_now(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    draft = vault.draft()
    await draft.update(patient("p1", "Zhang"), *await vault.locate("Patient", "p1"))
    await draft.delete(*await vault.locate("Observation", "a0"))
    await commit(draft)
    assert await ids(vault, "Patient", [("family", "moreau")], None) == []
    assert await ids(vault, "Patient", [("family", "zhang")], None) == ["p1"]
    assert "a0" not in await ids(vault, "Observation", [("patient", "p1")], None)


async def test_equal_facts_of_two_people_have_different_tags(vault: Vault, commit: Commit, database: Database) -> None:
    draft = vault.draft()
    await draft.create(observation("p1"), "o1")
    await draft.create(observation("p2"), "o2")
    await commit(draft)
    rows = await database.fetch("SELECT scope, tag FROM tag")
    tags: dict[int, set[int]] = {}
    for scope, tag in rows:
        tags.setdefault(scope, set()).add(tag)
    first, second = tags.values()
    assert len(first) > 5
    assert not first & second


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(1, 9), named=st.booleans())
async def test_pages_join_to_the_whole(vault: Vault, commit: Commit, limit: int, named: bool) -> None:
    if not (await vault.search(parse_query("Patient", [], lenient=False), None, limit=1)).matches:
        await fill(vault, commit)
    query = parse_query("Observation", [("patient", "p1")] if named else [], lenient=False)
    found: list[str] = []
    after: Position | None = None
    while True:
        page = await vault.search(query, None, after=after, limit=limit)
        assert len(page.matches) <= limit
        found += [stored.id for stored in page.matches]
        if page.next is None:
            break
        after = page.next
    assert len(found) == len(set(found)) == (5 if named else 8)


async def test_practitioners_find_the_patients_they_are_related_to(vault: Vault, commit: Commit) -> None:
    await fill(vault, commit)
    team = {
        "resourceType": "CareTeam",
        "status": "active",
        "subject": {"reference": "Patient/p2"},
        "participant": [{"member": {"reference": "Practitioner/d1"}}],
    }
    draft = vault.draft()
    await draft.create(team, "t1")
    await commit(draft)
    found = await vault.care_records(["Practitioner/d1", "Practitioner/d1"])
    assert {patient: [record["id"] for record in records] for patient, records in found.items()} == {"p2": ["t1"]}
    assert await vault.care_records(["Practitioner/d2"]) == {}


async def test_a_care_team_too_large_for_the_index_is_found_all_the_same(vault: Vault, commit: Commit) -> None:
    members = [{"member": {"reference": f"Practitioner/d{number}"}} for number in range(200)]
    team = {"resourceType": "CareTeam", "subject": {"reference": "Patient/p1"}, "participant": members}
    draft = vault.draft()
    await draft.create(team, "t1")
    await commit(draft)
    assert list(await vault.care_records(["Practitioner/d7"])) == ["p1"]

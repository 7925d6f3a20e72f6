"""Readers of the ledger miss nothing, count nothing twice, and are stopped by nothing."""

import logging
from collections.abc import Sequence

import pytest

from carekeep.audit import Batch, EntryId, Follower, Ledger, What, read_batch, whole
from carekeep.audit import sequencer as sequencer_module
from carekeep.storage import Conflict, Database, Insert, Pin, Prepared
from tests.audit.logs import KEYS, NOON, Attacker, a_ledger, a_log, a_sequencer, an_entry, integrate_all

LARGE = tuple(What(f"Observation/{number:06}", 1) for number in range(6_000))
PINS = tuple(Pin("record_version", f"{number:032x}/1", bytes(32)) for number in range(800))


async def record_large(ledger: Ledger) -> EntryId:
    """One entry in several parts."""
    return await ledger.record(an_entry(what=LARGE, patients=("p1", "p2")), Prepared(None, (), PINS))


def requests(batches: Sequence[Batch]) -> list[str]:
    return [followed.entry.request_id for batch in batches for followed in batch.entries]


async def all_batches(follower: Follower, database: Database, limit: int) -> list[Batch]:
    batches = []
    while (batch := await follower.read(limit)).end > batch.start:
        await database.commit([follower.advance(batch)])
        batches.append(batch)
    return batches


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_every_entry_is_read_once_and_in_order(database: Database, limit: int) -> None:
    ledger = await a_log(database, 10)
    follower = Follower(database, ledger, "test")
    batches = await all_batches(follower, database, limit)
    assert requests(batches) == [f"request-{number}" for number in range(10)]
    assert [followed.index for batch in batches for followed in batch.entries] == list(range(10))
    assert await Follower(database, a_ledger(database), "test").position() == 10
    assert await Follower(database, ledger, "another").position() == 0


async def test_an_entry_and_what_is_made_of_it_count_once_even_if_the_process_dies(database: Database) -> None:
    ledger = await a_log(database, 6)
    for dies_before_commit in (True, False, True, True, False):
        follower = Follower(database, ledger, "counter")  # each time a new process
        batch = await follower.read(3)
        if dies_before_commit:
            continue
        made = Insert("generation", ("topic", "n"), [(each.entry.request_id, 1) for each in batch.entries])
        await database.commit([made, follower.advance(batch)])
    counted = [topic for (topic,) in await database.fetch("SELECT topic FROM generation ORDER BY topic")]
    assert counted == [f"request-{number}" for number in range(6)]


async def test_of_two_processes_one_moves_on(database: Database) -> None:
    ledger = await a_log(database, 4)
    one, other = (Follower(database, ledger, "same") for _ in range(2))
    for _ in range(2):  # at the beginning, and later on
        mine, yours = await one.read(2), await other.read(2)
        await database.commit([one.advance(mine)])
        with pytest.raises(Conflict):
            await database.commit([Insert("generation", ("topic", "n"), [("x", 1)]), other.advance(yours)])
    assert await database.fetch("SELECT topic FROM generation") == []
    assert await one.position() == 4


@pytest.mark.parametrize("limit", [1, 1000])
async def test_parts_are_joined_whatever_stands_between_them(
    database: Database, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """The sequencer's batch may end within an entry, and the next begin with an earlier id of another process."""
    ledger = a_ledger(database)
    await ledger.record(an_entry(0))
    first = await record_large(ledger)
    monkeypatch.setattr(sequencer_module, "BATCH", 2)
    await a_sequencer(database).integrate()
    begun = await read_batch(ledger, 0, limit)
    assert (requests([begun]), begun.end) == (["request-0"], 1)
    assert (await read_batch(ledger, 1, limit)).end == 1
    await Ledger(database, KEYS, clock=lambda: NOON - 5).record(an_entry(9))
    await integrate_all(a_sequencer(database))
    batches = [begun, *await the_rest(ledger, begun.end, limit)]
    assert requests(batches) == ["request-0", "request-0", "request-9"]
    joined = batches[1].entries[0]
    assert (joined.entry.what, joined.entry.patients, joined.pins) == (LARGE, ("p1", "p2"), PINS)
    assert (joined.entry.part, joined.entry.parts, joined.index, joined.entry_id) == (1, 1, 1, first)


async def test_what_does_not_open_or_is_gone_is_passed_over(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, attacker = await a_log(database, 12), Attacker(database)
    await attacker.run("UPDATE ledger_entry SET leaf = $1 WHERE leaf_index = 3", b"\x01" * 99)
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index >= 5 AND leaf_index < 9")
    with caplog.at_level(logging.ERROR):
        batches = await the_rest(ledger, 0, 2)
    assert [each.index for batch in batches for each in batch.entries] == [0, 1, 2, 4, 9, 10, 11]
    assert [record.getMessage().split(".")[0] for record in caplog.records] == [
        next(message for message in caplog.messages if message.startswith("ledger entry 3 (")).split(".")[0],
        "Of the ledger's entries 4 to 5 some are missing",
        "Of the ledger's entries 6 to 7 some are missing",
        "Of the ledger's entries 8 to 9 some are missing",
    ]


@pytest.mark.parametrize("limit", [1, 1000])
@pytest.mark.parametrize("lost", [0, 1, -1])
@pytest.mark.parametrize("how", ["UPDATE ledger_entry SET leaf = leaf_index", "DELETE FROM ledger_entry"])
async def test_of_an_entry_that_lost_a_part_the_others_are_read(
    sqlite: Database, lost: int, how: str, limit: int
) -> None:
    """Without waiting for ever, and without what comes after it being lost too."""
    ledger = a_ledger(sqlite)
    await record_large(ledger)
    await ledger.record(an_entry(9))
    size = await integrate_all(a_sequencer(sqlite))
    index = lost if lost >= 0 else size - 2
    how = how.replace("leaf = leaf_index", "leaf = x'00'")
    await Attacker(sqlite).run(f"{how} WHERE leaf_index = $1", index)
    large, last = [each for batch in await the_rest(ledger, 0, limit) for each in batch.entries]
    assert 1_000 < len(large.entry.what) + len(large.pins) < len(LARGE) + len(PINS)
    assert last.entry == an_entry(9)


async def test_the_whole_of_an_entry_is_found_from_any_part_before_and_after_it_is_integrated(
    database: Database,
) -> None:
    ledger = a_ledger(database)
    first = await record_large(ledger)
    single = await ledger.record(an_entry(1))
    waiting = [sealed async for sealed in ledger.waiting()]
    await integrate_all(a_sequencer(database))
    integrated = [sealed async for sealed in ledger.entries()]
    for sealed, index in (*((sealed, 0) for sealed in integrated[:-1]), *((sealed, 0) for sealed in waiting[:-1])):
        found = await whole(ledger, sealed)
        assert (found.entry.what, found.pins, found.entry_id, found.index) == (LARGE, PINS, first, index)
    assert (await whole(ledger, integrated[-1])).entry_id == single


async def the_rest(ledger: Ledger, start: int, limit: int) -> list[Batch]:
    batches = []
    while (batch := await read_batch(ledger, start, limit)).end > start:
        batches.append(batch)
        start = batch.end
    return batches

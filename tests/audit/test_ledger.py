"""Nothing changes without its entry, and an entry opens only where and as it was sealed."""

import dataclasses

import pytest

from carekeep.audit import BadLeaf, EntryId, Ledger, What
from carekeep.audit.ledger import DAY_MS, HEADER_SIZE
from carekeep.audit.tiles import LARGEST_LEAF
from carekeep.storage import Conflict, Database, Insert, Pin, Prepared
from tests.audit.logs import (
    KEYS,
    NOON,
    Keys,
    a_ledger,
    a_log,
    a_sequencer,
    an_entry,
    flipped,
    integrate_all,
    record_all,
)


def a_change(*topics: str) -> Prepared[None]:
    steps = (Insert("generation", ("topic", "n"), [(topic, 1) for topic in topics]),)
    return Prepared(None, steps, tuple(Pin("generation", topic, topic.encode().ljust(32)) for topic in topics))


async def test_an_entry_and_its_changes_are_durable_together(database: Database) -> None:
    ledger = a_ledger(database)
    entry_id = await ledger.record(an_entry(), a_change("one"), a_change("two"))
    assert await database.fetch("SELECT topic FROM generation ORDER BY topic") == [("one",), ("two",)]
    sealed = await ledger.find(entry_id)
    assert sealed is not None
    assert sealed.index is None
    entry, pins = ledger.open(sealed.leaf)
    assert entry == an_entry()
    assert [(pin.key, pin.digest) for pin in pins] == [("one", b"one".ljust(32)), ("two", b"two".ljust(32))]
    assert ledger.recorded.is_set()


async def test_a_conflict_leaves_neither_change_nor_entry(database: Database) -> None:
    ledger = a_ledger(database)
    await ledger.record(an_entry(1), a_change("one"))
    ledger.recorded.clear()
    with pytest.raises(Conflict):
        await ledger.record(an_entry(2), a_change("two"), a_change("one"))
    assert await database.fetch("SELECT topic FROM generation") == [("one",)]
    assert await database.fetch("SELECT count(*) FROM ledger_pending") == [(1,)]
    assert not ledger.recorded.is_set()


async def test_an_entry_is_found_before_and_after_it_is_integrated(database: Database) -> None:
    ledger = a_ledger(database)
    first, second = await record_all(ledger, range(2))
    before = await ledger.find(EntryId(second))
    await integrate_all(a_sequencer(database))
    after = await ledger.find(EntryId(second))
    assert before is not None
    assert after == dataclasses.replace(before, index=1)
    assert [entry.entry_id async for entry in ledger.entries()] == [first, second]
    assert [entry.index async for entry in ledger.entries(1, 2)] == [1]
    assert [entry async for entry in ledger.waiting()] == []
    assert await ledger.find(EntryId(bytes(16))) is None


async def test_a_large_disclosure_becomes_several_entries_of_one_request(database: Database) -> None:
    ledger = a_ledger(database)
    what = tuple(What(f"Observation/{number}", 1) for number in range(10_000))
    pins = tuple(Pin("record_version", f"{number:032x}/1", bytes(32)) for number in range(2_000))
    first = await ledger.record(an_entry(what=what), Prepared(None, (), pins))
    parts = [(sealed, *ledger.open(sealed.leaf)) async for sealed in ledger.waiting()]
    assert len(parts) > 2
    assert parts[0][0].entry_id == first
    assert all(len(sealed.leaf) <= LARGEST_LEAF for sealed, _, _ in parts)
    assert tuple(item for _, entry, _ in parts for item in entry.what) == what
    assert tuple(pin for _, _, some in parts for pin in some) == pins


async def test_later_entries_have_later_ids_whatever_the_clock_does(database: Database) -> None:
    times = iter([NOON, NOON, NOON - DAY_MS, NOON + 1])
    ledger = Ledger(database, KEYS, clock=lambda: next(times), random=lambda size: b"\xff" * size)
    ids = [await ledger.record(an_entry(number)) for number in range(4)]
    assert ids == sorted(set(ids))
    found = [ledger.open(entry.leaf)[0].request_id async for entry in ledger.waiting()]
    assert found == [f"request-{number}" for number in range(4)]


async def test_an_id_tells_when(database: Database) -> None:
    ledger = Ledger(database, KEYS, clock=lambda: NOON, random=lambda size: b"\xab" * size)
    entry_id = await ledger.record(an_entry())
    assert int.from_bytes(entry_id[:6], "big") == NOON
    assert entry_id[6:] == b"\xab" * 10


async def test_no_byte_of_a_leaf_can_change(database: Database) -> None:
    ledger = await a_log(database, 1)
    (entry,) = [entry async for entry in ledger.entries()]
    for place in range(len(entry.leaf)):
        with pytest.raises(BadLeaf):
            ledger.open(flipped(entry.leaf, place, place % 8))
    for length in (0, 1, HEADER_SIZE, len(entry.leaf) - 1):
        with pytest.raises(BadLeaf):
            ledger.open(entry.leaf[:length])
    with pytest.raises(BadLeaf):
        ledger.open(entry.leaf + bytes(LARGEST_LEAF))


async def test_another_ledgers_key_opens_nothing(database: Database) -> None:
    ledger = await a_log(database, 1)
    (entry,) = [entry async for entry in ledger.entries()]
    with pytest.raises(BadLeaf):
        Ledger(database, Keys("another")).open(entry.leaf)


async def test_nothing_that_a_person_wrote_can_be_read_in_the_tables(database: Database) -> None:
    ledger = a_ledger(database)
    await ledger.record(an_entry(reason="MARKED", query="name=MARKED", patients=("MARKED",)))
    await integrate_all(a_sequencer(database))
    rows = [row async for rows in database.stream("SELECT leaf FROM ledger_entry") for row in rows]
    assert rows
    assert all(b"MARKED" not in leaf for (leaf,) in rows)

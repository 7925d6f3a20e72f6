"""The entries about somebody are found at once and completely, and the index says nothing to who has not its key."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

import pytest

from carekeep.audit import Agent, EntryId, Ledger, What, entry_index
from carekeep.audit.entry_index import About, EntryIndex, EntryIndexer, Subject
from carekeep.encryption import Tagger
from carekeep.storage import Database, Lease
from tests.audit.logs import (
    KEYS,
    NOON,
    Attacker,
    a_ledger,
    a_sequencer,
    an_entry,
    findings_of,
    integrate_all,
)

TAGGER = Tagger(bytes(range(32)))
ADA, BO = Subject(About.PATIENT, "ada"), Subject(About.PATIENT, "bo")


def an_index(database: Database, ledger: Ledger) -> EntryIndex:
    return EntryIndex(database, ledger, TAGGER)


def an_indexer(database: Database, ledger: Ledger) -> EntryIndexer:
    return EntryIndexer(database, ledger, TAGGER)


async def note_all(indexer: EntryIndexer) -> None:
    while await indexer.step():
        pass


async def record(ledger: Ledger, numbers: Iterable[int], *patients: str, **changes: object) -> None:
    for number in numbers:
        await ledger.record(an_entry(number, patients=patients, **changes))


async def found(index: EntryIndex, subject: Subject | None, after: EntryId | None = None) -> list[str]:
    return [each.entry.request_id async for each in index.newest_first(subject, after)]


def named(*numbers: int) -> list[str]:
    return [f"request-{number}" for number in numbers]


async def test_answers_are_complete_however_far_the_index_is(database: Database) -> None:
    """Some entries are noted, some in the tree only, some wait for the sequencer."""
    ledger, sequencer = a_ledger(database), a_sequencer(database)
    index, indexer = an_index(database, ledger), an_indexer(database, ledger)
    for start in (0, 10, 20):
        await record(ledger, range(start, start + 3), "ada")
        await record(ledger, range(start + 3, start + 5), "bo")
        await record(ledger, [start + 5], "ada", "bo")
        if start < 20:
            await integrate_all(sequencer)
        if start < 10:
            await note_all(indexer)
    ada = named(25, 22, 21, 20, 15, 12, 11, 10, 5, 2, 1, 0)
    assert await found(index, ADA) == ada
    assert await found(index, BO) == named(25, 24, 23, 15, 14, 13, 5, 4, 3)
    assert len(await found(index, None)) == 18
    await integrate_all(sequencer)
    await note_all(indexer)
    assert await found(index, ADA) == ada
    assert await found(index, Subject(About.PATIENT, "eve")) == []
    assert await findings_of(index.verify()) == []


async def test_pages_follow_each_other_from_any_entry(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry_index, "PAGE", 2)
    ledger, sequencer = a_ledger(database), a_sequencer(database)
    index = an_index(database, ledger)
    await record(ledger, range(5), "ada")
    await integrate_all(sequencer)
    await note_all(an_indexer(database, ledger))
    await record(ledger, range(5, 7), "ada")
    await integrate_all(sequencer)
    await record(ledger, range(7, 9), "ada")
    for subject in (ADA, None):
        whole = [each async for each in index.newest_first(subject)]
        assert [each.entry.request_id for each in whole] == named(*range(8, -1, -1))
        for place, each in enumerate(whole, start=1):
            rest = await found(index, subject, each.entry_id)
            assert rest == named(*range(8 - place, -1, -1)), place


async def test_what_was_recorded_later_is_left_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """By where it stands in the log: as many as may be out of order remain, for the caller to look at."""
    monkeypatch.setattr(entry_index, "_OUT_OF_ORDER", 1)
    ledger = Ledger(database, KEYS, clock=iter(range(NOON, NOON + 10**9, 10**6)).__next__)
    await record(ledger, range(10), "ada")
    await integrate_all(a_sequencer(database))
    index = an_index(database, ledger)
    early = [each.entry.request_id async for each in index.newest_first(until_ms=NOON + 3 * 10**6 + 5)]
    assert early == named(3, 2, 1, 0)
    assert [each async for each in index.newest_first(until_ms=0)] == []


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        (Subject(About.AGENT, "Practitioner/7"), [1, 0]),
        (Subject(About.AGENT, "a1"), [2]),
        (Subject(About.DISCLOSURE, "ada"), [1]),
        (Subject(About.DISCLOSURE, "a1"), []),
        (Subject(About.PATIENT, "Practitioner/7"), []),
    ],
)
async def test_entries_are_found_by_agent_and_by_disclosure(
    sqlite: Database, subject: Subject, numbers: list[int]
) -> None:
    ledger = a_ledger(sqlite)
    await record(ledger, [0], "ada")
    await record(ledger, [1], "ada", recipient="A registry")
    await record(ledger, [2], "bo", agent=Agent("a1", "auditor"))
    index = an_index(sqlite, ledger)
    assert await found(index, subject) == named(*numbers)
    await integrate_all(a_sequencer(sqlite))
    await note_all(an_indexer(sqlite, ledger))
    assert await found(index, subject) == named(*numbers)


async def test_entries_of_nobody_are_read_and_not_noted(database: Database) -> None:
    ledger = a_ledger(database)
    await record(ledger, range(2), agent=Agent("", "server"))
    await integrate_all(a_sequencer(database))
    indexer = an_indexer(database, ledger)
    await note_all(indexer)
    assert await indexer.position() == 2
    assert await database.fetch("SELECT tag FROM ledger_view") == []
    assert await found(an_index(database, ledger), None) == named(1, 0)


async def test_an_entry_in_parts_is_noted_once_and_found_whole(database: Database) -> None:
    ledger, what = a_ledger(database), tuple(What(f"Observation/{number:06}", 1) for number in range(4_000))
    await record(ledger, [0], "ada", "bo", what=what)
    index = an_index(database, ledger)
    for _ in range(2):
        for subject in (ADA, BO, None):
            (followed,) = [each async for each in index.newest_first(subject)]
            assert (followed.entry.what, followed.entry.patients) == (what, ("ada", "bo"))
        await integrate_all(a_sequencer(database))
        await note_all(an_indexer(database, ledger))
    assert len(await database.fetch("SELECT tag FROM ledger_view")) == 3


async def test_two_indexers_and_one_that_was_killed_note_each_entry_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_index, "BATCH", 3)
    ledger = a_ledger(database)
    await record(ledger, range(12), "ada")
    await integrate_all(a_sequencer(database))
    one, other = an_indexer(database, ledger), an_indexer(database, ledger)
    await one.step()
    await other.step()  # knows nothing of what the first remembers
    await one.step()  # what it remembers is out of date: it conflicts, and reads anew
    commit = database.commit

    async def die(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(database, "commit", die)
    with suppress(KeyboardInterrupt):
        await other.step()
    monkeypatch.setattr(database, "commit", commit)
    await note_all(an_indexer(database, ledger))
    index = an_index(database, ledger)
    assert await found(index, ADA) == named(*range(11, -1, -1))
    assert await findings_of(index.verify()) == []


CHANGES = {
    "a row is gone": "DELETE FROM ledger_view WHERE tag = (SELECT min(tag) FROM ledger_view)",
    "a row says another place": "UPDATE ledger_view SET place = 7 WHERE tag = (SELECT max(tag) FROM ledger_view)",
    "a row too many": "INSERT INTO ledger_view (tag, place) SELECT max(entry_id), 7 FROM ledger_entry",
    "all rows say other places": "UPDATE ledger_view SET place = -1 - place",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
async def test_changed_rows_are_found_and_made_anew(
    sqlite: Database, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = a_ledger(sqlite)
    await record(ledger, range(6), "ada")
    await integrate_all(a_sequencer(sqlite))
    indexer, index = an_indexer(sqlite, ledger), an_index(sqlite, ledger)
    await note_all(indexer)
    await Attacker(sqlite).run(change)
    with caplog.at_level(logging.CRITICAL):
        assert await findings_of(index.verify()) != []
        assert set(await found(index, ADA)) <= set(named(*range(6)))
        await sqlite.commit(index.prepare_rebuild())
        await note_all(an_indexer(sqlite, ledger))
    assert await findings_of(index.verify()) == []
    assert await found(index, ADA) == named(5, 4, 3, 2, 1, 0)


async def test_rows_tell_nothing_of_whom_they_are_about_or_how_many(sqlite: Database) -> None:
    """Neither column repeats for a patient, an agent or an entry, and no place is one of the log's."""
    ledger = a_ledger(sqlite)
    await record(ledger, range(40), "ada")
    await integrate_all(a_sequencer(sqlite))
    await note_all(an_indexer(sqlite, ledger))
    rows = await sqlite.fetch("SELECT tag, place FROM ledger_view")
    assert len(rows) == 2 * 40
    assert len({tag for tag, _ in rows}) == len({place for _, place in rows}) == len(rows)
    assert all(abs(place) > 2**32 for _, place in rows)
    other = EntryIndex(sqlite, ledger, Tagger(bytes(32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(other, "_tail", no_tail)
        assert await found(other, ADA) == []


async def no_tail(*_: object) -> list[object]:
    return []


async def test_the_indexer_works_while_it_holds_the_lease(sqlite: Database) -> None:
    ledger = a_ledger(sqlite)
    await record(ledger, range(3), "ada")
    await integrate_all(a_sequencer(sqlite))
    held, lost = (Lease(sqlite, "entry-index", name, lambda: NOON) for name in ("one", "other"))
    assert await held.hold()
    idle, busy = an_indexer(sqlite, ledger), an_indexer(sqlite, ledger)
    tasks = [asyncio.create_task(idle.run(lost)), asyncio.create_task(busy.run(held))]
    while await busy.position() < 3:  # noqa: ASYNC110 - the task has no other sign of it than the database
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await lost.hold()  # it was given up
    assert await findings_of(an_index(sqlite, ledger).verify()) == []

"""Every entry comes into the log exactly once, whoever races or dies; and nothing is signed over a broken past."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

import pytest

from carekeep.audit import LedgerBroken, Sequencer, open_checkpoint, verify_tree
from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.merkle import leaf_hash, root_of
from carekeep.audit.sequencer import BATCH
from carekeep.audit.tile_table import TileTable
from carekeep.storage import Database, Lease, Row, Step, StorageError, Value
from tests.audit.logs import (
    KEY,
    KEYS,
    NOON,
    ORIGIN,
    Attacker,
    Keys,
    a_ledger,
    a_log,
    a_sequencer,
    findings_of,
    flipped,
    integrate_all,
    record_all,
)


class Wrapped:
    """A database with something in between; ``around_commit`` is awaited before and after each commit."""

    dialect = "wrapped"

    def __init__(self, database: Database, pause: Callable[[], int] = lambda: 0) -> None:
        self._database = database
        self._pause = pause

    async def _wait(self) -> None:
        for _ in range(self._pause()):
            await asyncio.sleep(0)

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        await self._wait()
        return await self._database.fetch(sql, params)

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        await self._wait()
        return await self._database.fetch_one(sql, params)

    def stream(self, sql: str, params: Sequence[Value] = (), batch: int = 1000) -> AsyncIterator[list[Row]]:
        return self._database.stream(sql, params, batch)

    async def commit(self, steps: Sequence[Step]) -> None:
        await self._wait()
        await self._database.commit(steps)
        await self._wait()

    async def close(self) -> None:
        await self._database.close()


class Dying(Wrapped):
    """The process dies in its next commit: before it reached the database, or after."""

    def __init__(self, database: Database, *, after: bool) -> None:
        super().__init__(database)
        self._after = after

    async def commit(self, steps: Sequence[Step]) -> None:
        if self._after:
            await super().commit(steps)
        raise StorageError("the process died")


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel once: a task that loses the cancellation goes on, and is found here."""
    task.cancel()
    stopped, _ = await asyncio.wait([task], timeout=5)
    assert stopped == {task}
    assert task.cancelled()


async def check_log(database: Database, ids: Sequence[bytes], published: Sequence[str] = ()) -> None:
    """The log holds each of these entries once, is what its head signs, and continues everything published."""
    rows = await database.fetch("SELECT leaf_index, entry_id FROM ledger_entry ORDER BY leaf_index")
    assert [index for index, _ in rows] == list(range(len(ids)))
    assert sorted(entry_id for _, entry_id in rows) == sorted(ids)
    assert await findings_of(verify_tree(database, KEY)) == []
    tiles = TileTable(database)
    for text in published:
        checkpoint = open_checkpoint(text, KEY)
        assert await tiles.root(checkpoint.size) == checkpoint.root


async def test_the_head_signs_the_root_over_the_entries(database: Database) -> None:
    await a_log(database, 300)
    leaves = await database.fetch("SELECT leaf FROM ledger_entry ORDER BY leaf_index")
    head = await TileTable(database).head()
    assert head is not None
    checkpoint = open_checkpoint(head.checkpoint, KEY)
    assert checkpoint == Checkpoint(ORIGIN, 300, root_of([leaf_hash(leaf) for (leaf,) in leaves]))
    assert await database.fetch("SELECT count(*) FROM ledger_pending") == [(0,)]


async def test_an_empty_log_has_a_signed_head(database: Database) -> None:
    assert await a_sequencer(database).integrate() == 0
    head = await TileTable(database).head()
    assert head is not None
    assert open_checkpoint(head.checkpoint, KEY).size == 0
    assert await findings_of(verify_tree(database, KEY)) == []


async def test_batches_are_bounded_and_in_the_order_of_ids(database: Database) -> None:
    ids = await record_all(a_ledger(database), range(BATCH + 10))
    sequencer = a_sequencer(database)
    assert [await sequencer.integrate() for _ in range(3)] == [BATCH, 10, 0]
    rows = await database.fetch("SELECT entry_id FROM ledger_entry ORDER BY leaf_index")
    assert [entry_id for (entry_id,) in rows] == sorted(ids)


@pytest.mark.parametrize("seed", range(6))
async def test_however_entries_arrive_each_is_in_the_log_once(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    ledger, published, ids = a_ledger(database), list[str](), list[bytes]()
    sequencer = a_sequencer(database, checkpoint_sink=published.append)
    for _ in range(12):
        ids += await record_all(ledger, range(chance.choice([0, 1, 2, 255, 256, 257])))
        if chance.random() < 0.5:
            await integrate_all(sequencer)
        if chance.random() < 0.2:
            sequencer = a_sequencer(database, checkpoint_sink=published.append)
    await integrate_all(sequencer)
    await check_log(database, ids, published)


@pytest.mark.parametrize("seed", range(12))
async def test_racing_sequencers_never_fork_the_log(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    published: list[str] = []
    ledger = a_ledger(database)

    def racer() -> Sequencer:
        wrapped = Wrapped(database, pause=lambda: chance.randrange(4))
        return a_sequencer(wrapped, checkpoint_sink=published.append)

    async def race(sequencer: Sequencer) -> None:
        for _ in range(6):
            await sequencer.integrate()
            await asyncio.sleep(0)

    async def write() -> list[bytes]:
        ids: list[bytes] = []
        for _ in range(20):
            ids += await record_all(ledger, range(chance.randrange(30)))
        return ids

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        for _ in range(3):
            group.create_task(race(racer()))
    await integrate_all(racer())
    await check_log(database, writing.result(), published)
    by_size = {open_checkpoint(text, KEY).size: text for text in published}
    assert len(by_size) == len(published), "two checkpoints of one size"


@pytest.mark.parametrize("after", [False, True])
async def test_a_death_in_the_commit_leaves_all_or_nothing(database: Database, after: bool) -> None:
    ids = await record_all(a_ledger(database), range(300))
    assert await integrate_all(a_sequencer(database)) == 300
    ids += await record_all(a_ledger(database), range(300, 500))
    with pytest.raises(StorageError):
        await a_sequencer(Dying(database, after=after)).integrate()
    waiting = await database.fetch("SELECT count(*) FROM ledger_pending")
    assert waiting == [(0 if after else 200,)]
    assert await integrate_all(a_sequencer(database)) == (0 if after else 200)
    await check_log(database, ids)


async def test_the_same_process_goes_on_after_an_answer_that_was_lost(database: Database) -> None:
    ids = await record_all(a_ledger(database), range(10))
    dying = Dying(database, after=True)
    sequencer = a_sequencer(dying)
    with pytest.raises(StorageError):
        await sequencer.integrate()  # begins the log
    with pytest.raises(StorageError):
        await sequencer.integrate()
    sequencer._database = database  # noqa: SLF001
    ids += await record_all(a_ledger(database), range(10, 20))
    assert await integrate_all(sequencer) == 10
    await check_log(database, ids)


async def test_a_sequencer_that_was_overtaken_goes_on_from_where_the_other_is(database: Database) -> None:
    ledger = a_ledger(database)
    first, second = a_sequencer(database), a_sequencer(database)
    ids = await record_all(ledger, range(5))
    await first.integrate()
    ids += await record_all(ledger, range(5, 10))
    await second.integrate()
    ids += await record_all(ledger, range(10, 15))
    assert await first.integrate() == 5
    await check_log(database, ids)


class BrokenCase:
    """Ways to break a log of 300 entries, each by its name."""

    @staticmethod
    async def checkpoint_changed(attacker: Attacker) -> None:
        text = await attacker.value("SELECT checkpoint FROM ledger_head")
        await attacker.run("UPDATE ledger_head SET checkpoint = $1", text.replace("clinic\n300", "clinic\n299"))

    @staticmethod
    async def checkpoint_forged(attacker: Attacker) -> None:
        forged = sign_checkpoint(Checkpoint(ORIGIN, 300, bytes(32)), Keys("forger").checkpoint_key)
        await attacker.run("UPDATE ledger_head SET checkpoint = $1", forged)

    @staticmethod
    async def size_changed(attacker: Attacker) -> None:
        await attacker.run("UPDATE ledger_head SET size = 299")

    @staticmethod
    async def head_removed(attacker: Attacker) -> None:
        await attacker.run("DELETE FROM ledger_head")

    @staticmethod
    async def last_entry_changed(attacker: Attacker) -> None:
        leaf = await attacker.value("SELECT leaf FROM ledger_entry WHERE leaf_index = 299")
        await attacker.run("UPDATE ledger_entry SET leaf = $1 WHERE leaf_index = 299", flipped(leaf, 50))

    @staticmethod
    async def last_entry_removed(attacker: Attacker) -> None:
        await attacker.run("DELETE FROM ledger_entry WHERE leaf_index = 299")

    @staticmethod
    async def entry_removed_in_the_last_tile(attacker: Attacker) -> None:
        await attacker.run("DELETE FROM ledger_entry WHERE leaf_index = 280")

    @staticmethod
    async def entry_added(attacker: Attacker) -> None:
        await attacker.run("INSERT INTO ledger_entry VALUES (300, $1, $1)", b"x" * 16)

    @staticmethod
    async def last_tile_changed(attacker: Attacker) -> None:
        tile = await attacker.value("SELECT hashes FROM ledger_tile WHERE level = 0 AND number = 1")
        await attacker.run("UPDATE ledger_tile SET hashes = $1 WHERE level = 0 AND number = 1", flipped(tile, 0))

    @staticmethod
    async def upper_tile_changed(attacker: Attacker) -> None:
        tile = await attacker.value("SELECT hashes FROM ledger_tile WHERE level = 1")
        await attacker.run("UPDATE ledger_tile SET hashes = $1 WHERE level = 1", flipped(tile, 0))

    @staticmethod
    async def tile_removed(attacker: Attacker) -> None:
        await attacker.run("DELETE FROM ledger_tile WHERE level = 1")


@pytest.mark.parametrize("case", [name for name in vars(BrokenCase) if not name.startswith("_")])
async def test_nothing_is_signed_over_a_broken_past(database: Database, case: str) -> None:
    ledger = await a_log(database, 300)
    await record_all(ledger, range(300, 310))
    await getattr(BrokenCase, case)(Attacker(database))
    before = await database.fetch("SELECT * FROM ledger_head")
    with pytest.raises(LedgerBroken):
        await a_sequencer(database).integrate()
    assert await database.fetch("SELECT * FROM ledger_head") == before
    assert await database.fetch("SELECT count(*) FROM ledger_pending") == [(10,)]


async def test_an_entry_that_was_put_back_is_not_integrated_twice(database: Database) -> None:
    ledger = await a_log(database, 10)
    entry_id, leaf = (await database.fetch("SELECT entry_id, leaf FROM ledger_entry WHERE leaf_index = 4"))[0]
    await Attacker(database).run("INSERT INTO ledger_pending VALUES ($1, $2)", entry_id, leaf)
    await record_all(ledger, range(10, 20))
    with pytest.raises(LedgerBroken, match="at index 4"):
        await a_sequencer(database).integrate()


async def test_a_rolled_back_database_is_not_signed_over(database: Database) -> None:
    ledger = await a_log(database, 20)
    attacker = Attacker(database)
    yesterday = await attacker.snapshot()
    published: list[str] = []
    await record_all(ledger, range(20, 40))
    await integrate_all(a_sequencer(database, checkpoint_sink=published.append))
    await attacker.restore(yesterday)
    await record_all(ledger, range(40, 70))
    with pytest.raises(LedgerBroken, match="rolled back"):
        await a_sequencer(database, known_checkpoint=published[-1]).integrate()
    # Without the kept checkpoint nobody could tell; the log then goes on in another direction, and forks.
    await integrate_all(a_sequencer(database))
    with pytest.raises(LedgerBroken, match="not those of the checkpoint"):
        await a_sequencer(database, known_checkpoint=published[-1]).integrate()


async def test_a_database_that_is_put_back_under_a_living_sequencer_is_not_signed_over(database: Database) -> None:
    ledger = await a_log(database, 20)
    attacker = Attacker(database)
    yesterday = await attacker.snapshot()
    sequencer = a_sequencer(database)
    await record_all(ledger, range(20, 40))
    await integrate_all(sequencer)
    await attacker.restore(yesterday)
    await record_all(ledger, range(40, 70))
    with pytest.raises(LedgerBroken, match="rolled back"):
        await sequencer.integrate()
    assert await database.fetch("SELECT count(*) FROM ledger_entry") == [(20,)]


async def test_an_entry_that_is_removed_while_it_is_integrated_comes_into_the_log(database: Database) -> None:
    class Thief(Wrapped):
        async def commit(self, steps: Sequence[Step]) -> None:
            await Attacker(database).run("DELETE FROM ledger_pending WHERE entry_id <> $1", b"")
            await super().commit(steps)

    ids = await record_all(a_ledger(database), range(5))
    await a_sequencer(database).integrate()
    ids += await record_all(a_ledger(database), range(5, 10))
    assert await a_sequencer(Thief(database)).integrate() == 5
    await check_log(database, ids)


async def test_a_kept_checkpoint_that_the_log_continues_is_fine(database: Database) -> None:
    published: list[str] = []
    ledger = await a_log(database, 20)
    await record_all(ledger, range(20, 25))
    await integrate_all(a_sequencer(database, checkpoint_sink=published.append))
    await record_all(ledger, range(25, 30))
    await integrate_all(a_sequencer(database))
    await record_all(ledger, range(30, 33))
    assert await a_sequencer(database, known_checkpoint=published[-1]).integrate() == 3


async def test_a_kept_checkpoint_that_cannot_be_read_is_not_ignored(database: Database) -> None:
    await a_log(database, 3)
    with pytest.raises(LedgerBroken):
        await a_sequencer(database, known_checkpoint="rubbish").integrate()


async def test_run_integrates_what_comes_and_gives_the_lease_back(database: Database) -> None:
    ledger = a_ledger(database)
    seen = asyncio.Queue[str]()
    sequencer = Sequencer(database, KEYS, ORIGIN, nudge=ledger.recorded, checkpoint_sink=seen.put_nowait)
    first = Lease(database, "ledger", "first", lambda: NOON)
    other = Lease(database, "ledger", "other", lambda: NOON)
    task = asyncio.create_task(sequencer.run(first))
    ids = list(await record_all(ledger, range(5)))
    async with asyncio.timeout(10):
        assert open_checkpoint(await seen.get(), KEY).size == 5
        assert not await other.hold()
        ids += await record_all(ledger, range(5, 8))
        assert open_checkpoint(await seen.get(), KEY).size == 8
        await stop(task)
        assert await other.hold()
    await check_log(database, ids)


async def test_run_stops_even_if_it_is_nudged_in_the_same_moment(database: Database) -> None:
    class Watched(asyncio.Event):
        def __init__(self) -> None:
            super().__init__()
            self.awaited = asyncio.Event()

        async def wait(self) -> Literal[True]:
            self.awaited.set()
            return await super().wait()

    nudge = Watched()
    sequencer = Sequencer(database, KEYS, ORIGIN, nudge=nudge)
    task = asyncio.create_task(sequencer.run(Lease(database, "ledger", "first", lambda: NOON)))
    async with asyncio.timeout(10):
        await nudge.awaited.wait()
        nudge.set()
        await asyncio.sleep(0)
        await stop(task)


async def test_run_leaves_the_log_to_whoever_holds_the_lease(database: Database) -> None:
    ledger = a_ledger(database)
    await record_all(ledger, range(5))
    holder = Lease(database, "ledger", "holder", lambda: NOON)
    assert await holder.hold()
    sequencer = Sequencer(database, KEYS, ORIGIN, nudge=ledger.recorded)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.12):
            await sequencer.run(Lease(database, "ledger", "waiting", lambda: NOON))
    assert await database.fetch("SELECT count(*) FROM ledger_pending") == [(5,)]
    assert await holder.hold()


async def test_run_stops_loudly_when_the_log_is_broken(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    await a_log(database, 5)
    await Attacker(database).run("UPDATE ledger_head SET size = 4")
    lease = Lease(database, "ledger", "first", lambda: NOON)
    async with asyncio.timeout(10):
        with pytest.raises(LedgerBroken):
            await a_sequencer(database).run(lease)
    assert "not what was signed" in caplog.text


async def test_run_waits_for_a_database_that_is_away(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    ledger = a_ledger(database)
    seen = asyncio.Queue[str]()
    failures = iter([StorageError("the network is away"), None])

    class Away(Wrapped):
        async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
            failure = next(failures, None)
            if failure is not None:
                raise failure
            return await super().fetch(sql, params)

    sequencer = Sequencer(Away(database), KEYS, ORIGIN, nudge=ledger.recorded, checkpoint_sink=seen.put_nowait)
    await record_all(ledger, range(3))
    task = asyncio.create_task(sequencer.run(Lease(database, "ledger", "first", lambda: NOON)))
    async with asyncio.timeout(10):
        assert open_checkpoint(await seen.get(), KEY).size == 3
    await stop(task)
    assert "waits for the database: the network is away" in caplog.text

"""The contract of ``commit``, on both databases."""

import asyncio

import pytest

from carekeep.storage import Change, Conflict, Database, Insert, Step, StorageError, units
from tests.storage.rows import add, delete, insert, outcome, table


async def test_every_type_comes_back_as_it_went_in(database: Database) -> None:
    key = (2**63 - 1, -(2**63), None, None)
    await database.commit([Insert("patient_key", ("scope", "epoch", "wrapped", "destroyed_ms"), [key])])
    await database.commit([Insert("ledger_head", ("id", "size", "checkpoint"), [(1, 0, "é\n")])])
    await database.commit([Insert("system_key", ("name", "wrapped"), [("empty", b""), ("bytes", b"\x00\xff")])])
    assert await database.fetch("SELECT scope, epoch, wrapped, destroyed_ms FROM patient_key") == [key]
    assert await database.fetch_one("SELECT checkpoint FROM ledger_head") == ("é\n",)
    assert await database.fetch("SELECT wrapped FROM system_key ORDER BY name") == [(b"\x00\xff",), (b"",)]


async def test_a_column_may_hold_values_and_nulls(database: Database) -> None:
    rows = [(1, 1, None, 5), (2, 1, b"key", None), (2**62, 1, None, 2**40)]
    await database.commit([Insert("patient_key", ("scope", "epoch", "wrapped", "destroyed_ms"), rows)])
    assert await database.fetch("SELECT scope, epoch, wrapped, destroyed_ms FROM patient_key ORDER BY scope") == rows


async def test_parameters_may_be_used_twice_and_in_any_order(database: Database) -> None:
    await database.commit([insert("a", "b")])
    sql = "SELECT topic FROM generation WHERE topic = $2 OR topic = $1 OR topic = $2 ORDER BY topic LIMIT $3"
    assert await database.fetch(sql, ["b", "a", 5]) == [("a",), ("b",)]


async def test_fetch_one_answers_the_first_row_or_none(database: Database) -> None:
    assert await database.fetch_one("SELECT topic FROM generation") is None
    await database.commit([insert("a", "b")])
    assert await database.fetch_one("SELECT topic FROM generation ORDER BY topic") == ("a",)


async def test_a_process_reads_what_it_wrote(database: Database) -> None:
    for number in range(20):
        await database.commit([insert(f"topic {number}", n=number)])
        assert await database.fetch("SELECT n FROM generation WHERE topic = $1", [f"topic {number}"]) == [(number,)]


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(insert("there"), id="existing key"),
        pytest.param(add("missing", 1), id="row count"),
        pytest.param(delete("there", "missing", expect=2), id="row count over all parameters"),
        pytest.param(
            Change("UPDATE generation SET topic = 'there' WHERE topic = $1", [("new",)]), id="moved onto a key"
        ),
    ],
)
async def test_a_conflict_leaves_nothing_behind(database: Database, failing: Step) -> None:
    await database.commit([insert("there")])
    with pytest.raises(Conflict):
        await database.commit([insert("new"), add("there", 5), failing, insert("newer")])
    assert await table(database) == {"there": 1}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Change("UPDATE no_such_table SET n = 1", [()]), id="unknown table in a change"),
        pytest.param(Insert("no_such_table", ("n",), [(1,)]), id="unknown table in an insert"),
        pytest.param(Insert("generation", ("topic", "n"), [("null", None)]), id="null where none may be"),
        pytest.param(Insert("ledger_head", ("id", "size", "checkpoint"), [(2, 0, "")]), id="check"),
        pytest.param(Insert("system_key", ("name", "wrapped"), [("text", "no bytes")]), id="text for bytes"),
    ],
)
async def test_a_broken_unit_fails_alone_and_is_not_called_a_conflict(database: Database, broken: Step) -> None:
    units_of_work: list[list[Step]] = [[insert("before")], [insert("with it"), broken], [insert("after")]]
    outcomes = await asyncio.gather(*(outcome(database, steps) for steps in units_of_work))
    assert outcomes == [None, StorageError, None]
    assert await table(database) == {"before": 1, "after": 1}


async def test_neighbours_of_a_conflict_are_committed(database: Database) -> None:
    await database.commit([insert("taken")])
    units_of_work: list[list[Step]] = [[insert(f"n{number}")] for number in range(10)]
    units_of_work[3] = [insert("n3"), insert("taken")]
    units_of_work[7] = [insert("n7"), add("missing", 1)]
    outcomes = await asyncio.gather(*(outcome(database, steps) for steps in units_of_work))
    assert [number for number, found in enumerate(outcomes) if found is Conflict] == [3, 7]
    assert await table(database) == {"taken": 1} | {f"n{number}": 1 for number in range(10) if number not in {3, 7}}


async def test_of_two_units_with_the_same_fresh_key_the_first_wins(database: Database) -> None:
    outcomes = await asyncio.gather(*(outcome(database, [insert("key", n=number)]) for number in (1, 2, 3)))
    assert outcomes == [None, Conflict, Conflict]
    assert await table(database) == {"key": 1}


async def test_units_happen_in_the_order_in_which_they_were_handed_over(database: Database) -> None:
    units_of_work: list[list[Step]] = [
        [insert("key", n=1)],
        [add("key", 10)],
        [delete("key", expect=1)],
        [insert("key", n=5)],
        [Change("UPDATE generation SET n = n * $1 WHERE n = 5", [(7,)], expect=1)],
    ]
    assert await asyncio.gather(*(outcome(database, steps) for steps in units_of_work)) == [None] * 5
    assert await table(database) == {"key": 35}


async def test_a_step_sees_the_steps_before_it(database: Database) -> None:
    await database.commit([insert("key"), add("key", 1), delete("key", expect=1), insert("key", n=9)])
    assert await table(database) == {"key": 9}


async def test_existing_rows_may_be_ignored(database: Database) -> None:
    await database.commit([insert("old", n=1)])
    await database.commit([insert("old", "new", "new", n=2, ignore_existing=True)])
    assert await table(database) == {"old": 1, "new": 2}


async def test_a_change_runs_once_for_each_row_and_a_step_without_rows_does_nothing(database: Database) -> None:
    await database.commit([insert("a", "b", "c"), insert()])
    await database.commit([delete("a", "b", expect=2), Change("DELETE FROM generation", [], expect=0)])
    assert await table(database) == {"c": 1}


async def test_a_large_unit_goes_whole(database: Database) -> None:
    topics = [f"{number:05}" for number in range(12_000)]
    await database.commit([insert(*topics)])
    assert await database.fetch("SELECT count(*) FROM generation") == [(12_000,)]
    assert await outcome(database, [insert(*(f"x{number}" for number in range(12_000)), topics[-1])]) is Conflict
    assert await database.fetch("SELECT count(*) FROM generation") == [(12_000,)]


async def test_many_units_at_once(database: Database) -> None:
    outcomes = await asyncio.gather(*(outcome(database, [insert(str(number % 900))]) for number in range(1000)))
    assert outcomes.count(None) == 900
    assert outcomes[900:] == [Conflict] * 100


async def test_a_caller_that_gave_up_disturbs_nobody(database: Database) -> None:
    impatient = asyncio.create_task(database.commit([insert("impatient")]))
    patient = asyncio.create_task(database.commit([insert("patient")]))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert (await table(database))["patient"] == 1


async def test_close_finishes_what_was_handed_over_and_then_refuses(database: Database) -> None:
    waiting = [asyncio.create_task(database.commit([insert(str(number))])) for number in range(5)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*waiting) == [None] * 5
    with pytest.raises(StorageError, match="closed"):
        await database.commit([insert("late")])
    with pytest.raises(StorageError, match="closed"):
        await database.fetch("SELECT 1")
    with pytest.raises(StorageError, match="closed"):
        await anext(database.stream("SELECT 1"))


async def test_limits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "MAX_STEPS", 3)
    monkeypatch.setattr(units, "MAX_ROWS", 5)
    monkeypatch.setattr(units, "MAX_BYTES", 100)
    for too_large in ([insert("a")] * 4, [insert(*"abcdef")], [insert("a" * 101)]):
        with pytest.raises(StorageError, match="Split it"):
            await database.commit(too_large)
    await database.commit([insert("a" * 97), insert(*"bc"), add("b", 1)])


@pytest.mark.parametrize(
    "wrong",
    [
        Insert("generation", ("topic", "n"), [("a",)]),
        Insert("generation", ("topic", "n"), [("a", 1.5)]),  # type: ignore[list-item]
        Insert("generation", ("topic", "n"), [("a", True)]),
        Insert("generation", ("topic", "n"), [("large", 2**63)]),
        Insert("generation", ("topic", "n"), [("\ud800", 1)]),
        Insert("generation", ("topic", "n"), [("\0", 1)]),
        Insert("generation (topic, n) VALUES ('b', 1) --", ("topic", "n"), [("a", 1)]),
        Insert("generation", ("topic", 'n" '), [("a", 1)]),
        Change("DROP TABLE generation", [()]),
        Change("WITH gone AS (SELECT 1) DELETE FROM generation", [()]),
    ],
)
async def test_what_is_no_step_is_refused(database: Database, wrong: Step) -> None:
    with pytest.raises(StorageError):
        await database.commit([wrong])
    assert await table(database) == {}


async def test_a_wrong_query_says_so_without_its_parameters(database: Database) -> None:
    for sql, params in (("SELECT nothing FROM nowhere WHERE a = $1", ["secret"]), ("SELECT $1", [2**70])):
        with pytest.raises(StorageError) as raised:
            await database.fetch(sql, params)
        assert "secret" not in str(raised.value)


async def test_a_query_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.fetch("INSERT INTO generation (topic, n) VALUES ('a', 1) RETURNING n")
    assert await table(database) == {}

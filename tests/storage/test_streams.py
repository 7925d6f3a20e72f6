"""``stream``: one snapshot, in pieces, while others go on."""

import asyncio

import pytest

from carekeep.storage import Database, StorageError
from tests.storage.rows import delete, insert, table


async def test_a_stream_comes_in_pieces_and_in_order(database: Database) -> None:
    await database.commit([insert(*(f"{number:03}" for number in range(25)))])
    pieces = [piece async for piece in database.stream("SELECT topic FROM generation ORDER BY topic", batch=10)]
    assert [len(piece) for piece in pieces] == [10, 10, 5]
    assert [topic for piece in pieces for (topic,) in piece] == [f"{number:03}" for number in range(25)]


async def test_a_stream_takes_parameters_and_may_be_empty(database: Database) -> None:
    await database.commit([insert("a", "b")])
    sql = "SELECT topic FROM generation WHERE topic = $1"
    assert [piece async for piece in database.stream(sql, ["b"])] == [[("b",)]]
    assert [piece async for piece in database.stream(sql, ["c"])] == []


async def test_a_stream_does_not_see_what_happens_after_it_began(database: Database) -> None:
    await database.commit([insert(*"abcdef")])
    seen = []
    async for piece in database.stream("SELECT topic FROM generation ORDER BY topic", batch=2):
        seen += [topic for (topic,) in piece]
        if len(seen) == 2:
            await database.commit([delete("f", expect=1), insert("g")])
    assert seen == list("abcdef")
    assert list(await table(database)) == list("abcdeg")


async def test_others_run_between_the_pieces(database: Database) -> None:
    await database.commit([insert(*"abcd")])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    seen = [turns async for _ in database.stream("SELECT topic FROM generation", batch=1)]
    counting.cancel()
    assert seen[0] < seen[1] < seen[2] < seen[3]


async def test_a_stream_of_a_wrong_query_or_of_a_closed_database_fails(database: Database) -> None:
    await database.commit([insert(*"abcd")])
    with pytest.raises(StorageError):
        await anext(database.stream("SELECT nothing FROM nowhere"))
    stream = database.stream("SELECT topic FROM generation", batch=1)
    await anext(stream)
    await database.close()
    with pytest.raises(StorageError, match="closed"):
        await anext(stream)

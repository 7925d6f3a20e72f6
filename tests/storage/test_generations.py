"""Caches hear of changes, from this process at once and from others at the next poll."""

import asyncio

import pytest

from carekeep.storage import Conflict, Database, Generations, Insert, bump, open_database
from tests.storage.rows import table


async def test_bump_counts(database: Database) -> None:
    for _ in range(3):
        await database.commit([bump("keys")])
    await database.commit([bump("accounts"), bump("accounts")])
    assert await table(database) == {"keys": 3, "accounts": 2}


async def test_a_bump_of_another_process_calls_the_watchers_of_its_topic_once(
    database: Database, database_url: str
) -> None:
    calls: list[str] = []
    generations = Generations(database)
    generations.watch("keys", lambda: calls.append("keys"))
    generations.watch("accounts", lambda: calls.append("accounts"))
    await generations.poll()
    assert calls == []
    other = open_database(database_url)
    await other.commit([bump("keys")])
    await generations.poll()
    await generations.poll()
    assert calls == ["keys"]
    await other.commit([bump("accounts")])
    await generations.poll()
    await other.close()
    assert calls == ["keys", "accounts"]


async def test_the_first_poll_takes_every_counter_for_moved(database: Database) -> None:
    await database.commit([bump("keys")])
    calls: list[str] = []
    generations = Generations(database)
    generations.watch("keys", lambda: calls.append("keys"))
    await generations.poll()
    assert calls == ["keys"]


async def test_a_bump_in_a_unit_that_failed_is_not_seen(database: Database) -> None:
    row = Insert("system_key", ("name", "wrapped"), [("shared", b"")])
    await database.commit([row])
    with pytest.raises(Conflict):
        await database.commit([bump("keys"), row])
    assert await table(database) == {}


async def test_changed_tells_this_process_at_once(database: Database) -> None:
    calls: list[int] = []
    generations = Generations(database)
    generations.watch("keys", lambda: calls.append(1))
    generations.watch("keys", lambda: calls.append(2))
    generations.changed("keys")
    generations.changed("nobody watches this")
    assert calls == [1, 2]


async def test_caches_are_dropped_while_the_counters_cannot_be_read(database: Database) -> None:
    calls: list[str] = []
    generations = Generations(database)
    generations.watch("keys", lambda: calls.append("keys"))
    await database.close()
    await generations.poll()
    await generations.poll()
    assert calls == ["keys", "keys"]


async def test_run_polls_four_times_a_second(database: Database) -> None:
    pauses: list[float] = []
    calls: list[str] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError
        await database.commit([bump("keys")])

    generations = Generations(database, sleep)
    generations.watch("keys", lambda: calls.append("keys"))
    with pytest.raises(asyncio.CancelledError):
        await generations.run()
    assert pauses == [0.25, 0.25, 0.25]
    assert calls == ["keys", "keys"]

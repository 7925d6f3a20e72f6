"""One holder at a time, and the next one when the time is over."""

import asyncio
from dataclasses import dataclass

from carekeep.storage import Database, Lease, open_database


@dataclass
class Clock:
    now: int = 1_000_000

    def __call__(self) -> int:
        return self.now


async def test_one_holder_at_a_time(database: Database, database_url: str) -> None:
    other_database = open_database(database_url)
    clock = Clock()
    first, second = Lease(database, "keeper", "first", clock), Lease(other_database, "keeper", "second", clock)
    assert await first.hold()
    assert not await second.hold()
    assert await Lease(database, "another", "second", clock).hold()
    clock.now += 9_999
    assert not await second.hold()
    clock.now += 1
    assert await second.hold()
    assert not await first.hold()
    await other_database.close()


async def test_holding_again_prolongs(database: Database) -> None:
    clock = Clock()
    first, second = (Lease(database, "keeper", holder, clock, ttl_ms=100) for holder in ("first", "second"))
    for _ in range(5):
        assert await first.hold()
        clock.now += 60
        assert not await second.hold()


async def test_release_lets_the_next_one_in_and_only_the_holder_releases(database: Database) -> None:
    clock = Clock()
    first, second = (Lease(database, "keeper", holder, clock) for holder in ("first", "second"))
    assert await first.hold()
    await second.release()
    assert not await second.hold()
    await first.release()
    assert await second.hold()


async def test_of_many_that_try_at_once_one_holds(database: Database) -> None:
    clock = Clock()
    leases = [Lease(database, "keeper", f"holder {number}", clock) for number in range(20)]
    assert sum(await asyncio.gather(*(lease.hold() for lease in leases))) == 1

"""The line before the password check: one at a time, in order, and of bounded length."""

import asyncio

import pytest

from carekeep.identity.sign_in_line import MOST_WAITING, PACE_S, Line, LineFull


class Gate:
    """Pauses that last until they are let go, one by one."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.open = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await self.open.acquire()


async def settle() -> None:
    """Every task gets as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_at_a_time_in_the_order_of_coming() -> None:
    line, inside, order = Line(), 0, list[int]()

    async def take(number: int) -> None:
        nonlocal inside
        async with line.turn():
            inside += 1
            assert inside == 1
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(take(number) for number in range(20)))
    assert order == list(range(20))


async def test_a_full_line_turns_away_and_slowly() -> None:
    gate, end = Gate(), asyncio.Event()
    line = Line(gate)

    async def take() -> None:
        async with line.turn():
            await end.wait()

    waiting = [asyncio.create_task(take()) for _ in range(MOST_WAITING)]
    await settle()
    turned_away = [asyncio.create_task(take()) for _ in range(3)]
    await settle()
    assert gate.asked == [PACE_S], "the second leaves when the first has left"
    gate.open.release()
    await settle()
    assert gate.asked == [PACE_S] * 2
    assert [each.done() for each in turned_away] == [True, False, False]
    with pytest.raises(LineFull):
        await turned_away[0]
    end.set()
    await asyncio.gather(*waiting)
    async with line.turn():
        pass
    gate.open.release()
    gate.open.release()
    assert all(isinstance(each, LineFull) for each in await asyncio.gather(*turned_away, return_exceptions=True))


async def test_who_gives_up_waiting_leaves_the_line() -> None:
    line, end = Line(), asyncio.Event()

    async def take() -> None:
        async with line.turn():
            await end.wait()

    first, second = asyncio.create_task(take()), asyncio.create_task(take())
    await settle()
    second.cancel()
    await settle()
    first.cancel()
    await settle()
    async with asyncio.timeout(30), line.turn():
        pass

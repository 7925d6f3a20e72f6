"""Slow work gives way, and two Argon2id computations at once do not wait for each other for ever."""

import asyncio
import os
import sys
import threading

import pytest

from carekeep.encryption import Argon2Cost, Secret, at_low_priority, hash_password, verify_password
from carekeep.encryption.argon2 import argon2_key
from carekeep.encryption.low_priority import NICENESS

LANES = Argon2Cost(memory_kib=256, iterations=1, lanes=4)
PATIENCE_S = 60.0


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_the_answer_or_the_error() -> None:
    assert await at_low_priority(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        await at_low_priority(divmod, 1, 0)


async def test_the_thread_steps_back_and_nobody_else() -> None:
    mine = niceness()
    assert await at_low_priority(niceness) == (max(mine, NICENESS) if sys.platform == "linux" else mine)
    assert niceness() == mine
    assert await asyncio.to_thread(niceness) == mine


def test_several_lanes_in_several_threads_come_to_an_end() -> None:
    """Daemons, so that a computation that never ends fails the test and not the run."""
    password = Secret("blue heron over reeds")
    phc = hash_password(password, cost=LANES)
    done: list[object] = []
    works = (
        lambda: done.append(verify_password(password, phc)),
        lambda: done.append(hash_password(password, cost=LANES)),
        lambda: done.append(argon2_key(password, b"s" * 16, LANES)),
    )
    threads = [threading.Thread(target=work, daemon=True) for work in works * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(done) == len(threads)

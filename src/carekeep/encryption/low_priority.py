"""Slow work that gives way to everything else in the process."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

NICENESS = 15
"""A thread gets 1/45 of what one at 0 gets of a core that both want (sched(7)): four of them, a twelfth of the core."""

P = ParamSpec("P")
T = TypeVar("T")


async def at_low_priority(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``work``, done in a thread of its own at low priority, and so are the threads it starts.

    Where a core is free it is as fast as ever. A thread cannot raise its priority again, so each ends with its work.
    """
    executor = ThreadPoolExecutor(1, "low-priority", initializer=_step_back)
    try:
        return await asyncio.wrap_future(executor.submit(work, *args, **kwargs))
    finally:
        executor.shutdown(wait=False)


def _step_back() -> None:
    if sys.platform == "linux":  # elsewhere this would be the priority of the process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))

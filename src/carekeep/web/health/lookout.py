"""The newest look at the installation, for pages that many open: the checks are done once a minute at most."""

import asyncio
from collections.abc import Callable

from carekeep.web.health.checks import look_at_installation, look_at_machine
from carekeep.web.health.installed import Installed, Opened
from carekeep.web.health.verdict import Diagnosis

_GOOD_FOR_MS = 60_000


class Lookout:
    """What the checks found, in this process. ``look``: the checks before anything is opened; they may block."""

    def __init__(self, installed: Installed, look: Callable[[Installed], list[Diagnosis]] = look_at_machine) -> None:
        self._installed = installed
        self._look = look
        self._turn = asyncio.Lock()
        self._found: tuple[Diagnosis, ...] = ()
        self._until_ms = 0

    async def now(self, opened: Opened) -> tuple[Diagnosis, ...]:
        """As it is, or was less than a minute ago. A check that breaks is a problem and breaks nothing else."""
        async with self._turn:
            if opened.clock() >= self._until_ms:
                self._found = (*await self._machine(), *await look_at_installation(opened, self._installed))
                self._until_ms = opened.clock() + _GOOD_FOR_MS
            return self._found

    async def _machine(self) -> list[Diagnosis]:
        try:
            return await asyncio.to_thread(self._look, self._installed)
        except (OSError, ValueError) as error:
            why, fix = "What is not looked at may be wrong.", "Run carekeep doctor on the server."
            return [Diagnosis("problem", f"The checks of this machine failed: {type(error).__name__}.", why, fix)]

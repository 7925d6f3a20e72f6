"""Starts of an app from an open chart (SMART App Launch, EHR launch): what was open, for one app and one person."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson

from carekeep.encryption import Keyring, Secret
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.tickets import Tickets
from carekeep.storage import Clock, Database, Prepared, system_clock

LIFETIME_MS = 300_000


@dataclass(frozen=True, slots=True)
class Launch:
    """A start of an app. ``account`` is hex: who started it, and alone may go on."""

    client: str
    account: str
    context: Context
    hash: bytes = b""


class Launches:
    """Keeps starts until they are used, or five minutes."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._tickets = Tickets("launch", database, keyring, clock, random)

    def prepare_start(self, client_id: str, account_id: str, context: Context) -> Prepared[Secret]:
        """A start of an app by an account (hex); the value is the ``launch`` parameter."""
        return self._tickets.prepare_new(orjson.dumps([client_id, account_id, asdict(context)]), LIFETIME_MS)

    async def find(self, launch: str) -> Launch | None:
        """The start behind a ``launch`` parameter; None when there is none (any more). Raises Tampered."""
        found = await self._tickets.find(launch)
        if found is None:
            return None
        client, account, context = orjson.loads(found[1])
        opened = Context(context["patient"], context["encounter"], tuple(context["others"]))
        return Launch(client, account, opened, found[0])

    def prepare_use(self, launch: Launch) -> Prepared[None]:
        """The use of a start. A conflict means that it was used meanwhile."""
        return self._tickets.prepare_use(launch.hash)

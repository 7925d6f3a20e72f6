"""Authorization requests that a client pushed before it sent the browser (PAR, RFC 9126).

So that nothing of a request can be changed on its way through the browser, and nothing of it stands in a URL.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from carekeep.encryption import Keyring
from carekeep.identity.apps.tickets import Tickets
from carekeep.storage import Clock, Database, Prepared, system_clock

LIFETIME_MS = 600_000
"""Long enough to sign in: the request is looked up again when the person has decided."""
_PREFIX = "urn:ietf:params:oauth:request_uri:"


@dataclass(frozen=True, slots=True)
class Pushed:
    """A request that a client pushed: its parameters, in order."""

    hash: bytes
    client: str
    parameters: tuple[tuple[str, str], ...]


class PushedRequests:
    """Keeps pushed requests until they are used, or ten minutes."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._tickets = Tickets("pushed_request", database, keyring, clock, random)

    def prepare_keep(self, client_id: str, parameters: Sequence[tuple[str, str]]) -> Prepared[str]:
        """A request of a client, that it asked for; the value is its ``request_uri``."""
        kept = self._tickets.prepare_new(orjson.dumps([client_id, parameters]), LIFETIME_MS)
        return Prepared(_PREFIX + kept.value.reveal_text(), kept.steps)

    async def find(self, request_uri: str) -> Pushed | None:
        """The request behind a ``request_uri``; None when there is none (any more). Raises Tampered."""
        if not request_uri.startswith(_PREFIX):
            return None
        found = await self._tickets.find(request_uri.removeprefix(_PREFIX))
        if found is None:
            return None
        client, parameters = orjson.loads(found[1])
        return Pushed(found[0], client, tuple((name, value) for name, value in parameters))

    def prepare_use(self, pushed: Pushed) -> Prepared[None]:
        """The use of a request. A conflict means that it was used meanwhile."""
        return self._tickets.prepare_use(pushed.hash)

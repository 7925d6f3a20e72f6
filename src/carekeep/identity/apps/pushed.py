"""Authorization requests that a client pushed before it sent the browser (PAR, RFC 9126).

So that nothing of a request can be changed on its way through the browser, and nothing of it stands in a URL.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from carekeep.encryption import Keyring
from carekeep.identity.apps.tickets import new_ticket, open_ticket, seal_ticket, ticket_hash
from carekeep.storage import Change, Clock, Database, Insert, Prepared, system_clock

LIFETIME_MS = 600_000
"""Long enough to sign in: the request is looked up again when the person has decided."""
_PREFIX = "urn:ietf:params:oauth:request_uri:"

_TABLE = "pushed_request"
_READ = "SELECT hash, expires_ms, sealed FROM pushed_request WHERE hash = $1 AND expires_ms > $2"
_USE = "DELETE FROM pushed_request WHERE hash = $1"
_FORGET = "DELETE FROM pushed_request WHERE expires_ms < $1"


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
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    def prepare_keep(self, client_id: str, parameters: Sequence[tuple[str, str]]) -> Prepared[str]:
        """A request of a client, that it asked for; the value is its ``request_uri``."""
        now = self._clock()
        ticket = new_ticket(self._random, now + LIFETIME_MS)
        sealed = seal_ticket(_TABLE, ticket, orjson.dumps([client_id, parameters]), self._cipher)
        insert = Insert(_TABLE, ("hash", "expires_ms", "sealed"), ((ticket.hash, ticket.expires_ms, sealed),))
        return Prepared(_PREFIX + ticket.secret.reveal_text(), (Change(_FORGET, ((now,),)), insert))

    async def find(self, request_uri: str) -> Pushed | None:
        """The request behind a ``request_uri``; None when there is none (any more). Raises Tampered."""
        hash_ = ticket_hash(request_uri.removeprefix(_PREFIX))
        row = None if hash_ is None else await self._database.fetch_one(_READ, (hash_, self._clock()))
        if row is None or not request_uri.startswith(_PREFIX):
            return None
        content = orjson.loads(open_ticket(_TABLE, (row[0], row[1], row[2]), self._cipher))
        return Pushed(row[0], content[0], tuple((name, value) for name, value in content[1]))

    @staticmethod
    def prepare_use(pushed: Pushed) -> Prepared[None]:
        """The use of a request. A conflict means that it was used meanwhile."""
        return Prepared(None, (Change(_USE, ((pushed.hash,),), expect=1),))

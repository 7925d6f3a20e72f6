"""Starts of an app from an open chart (SMART App Launch, EHR launch): what was open, for one app and one person."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass

import orjson

from carekeep.encryption import Keyring, Secret
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.tickets import new_ticket, open_ticket, seal_ticket, ticket_hash
from carekeep.storage import Change, Clock, Database, Insert, Prepared, system_clock

LIFETIME_MS = 300_000

_TABLE = "launch"
_READ = "SELECT hash, expires_ms, sealed FROM launch WHERE hash = $1 AND expires_ms > $2"
_USE = "DELETE FROM launch WHERE hash = $1"
_FORGET = "DELETE FROM launch WHERE expires_ms < $1"


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
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    def prepare_start(self, client_id: str, account_id: str, context: Context) -> Prepared[Secret]:
        """A start of an app by an account (hex); the value is the ``launch`` parameter."""
        now = self._clock()
        ticket = new_ticket(self._random, now + LIFETIME_MS)
        content = orjson.dumps([client_id, account_id, asdict(context)])
        sealed = seal_ticket(_TABLE, ticket, content, self._cipher)
        insert = Insert(_TABLE, ("hash", "expires_ms", "sealed"), ((ticket.hash, ticket.expires_ms, sealed),))
        return Prepared(ticket.secret, (Change(_FORGET, ((now,),)), insert))

    async def find(self, launch: str) -> Launch | None:
        """The start behind a ``launch`` parameter; None when there is none (any more). Raises Tampered."""
        hash_ = ticket_hash(launch)
        row = None if hash_ is None else await self._database.fetch_one(_READ, (hash_, self._clock()))
        if row is None:
            return None
        client, account, context = orjson.loads(open_ticket(_TABLE, (row[0], row[1], row[2]), self._cipher))
        opened = Context(context["patient"], context["encounter"], tuple(context["others"]))
        return Launch(client, account, opened, row[0])

    @staticmethod
    def prepare_use(launch: Launch) -> Prepared[None]:
        """The use of a start. A conflict means that it was used meanwhile."""
        return Prepared(None, (Change(_USE, ((launch.hash,),), expect=1),))

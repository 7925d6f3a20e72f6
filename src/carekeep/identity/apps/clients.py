"""The apps that may ask for tokens: made, changed and found."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from carekeep.encryption import Keyring, Tampered
from carekeep.identity.accounts import TOPIC
from carekeep.identity.apps.client import ID_LENGTH, Client, ClientState, open_client, seal_client
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, bump, system_clock

MOST_PENDING = 200
"""So many clients may wait for an administrator; who registers then is asked to come back."""

_TABLE = "app_client"
_COLUMNS = "SELECT id, revision, sealed FROM app_client"
_CHANGE = "UPDATE app_client SET revision = $1, sealed = $2 WHERE id = $3 AND revision = $4"
_SAME = "UPDATE app_client SET revision = revision WHERE id = $1 AND revision = $2"
_DELETE = "DELETE FROM app_client WHERE id = $1 AND revision = $2"


class Clients:
    """Every client, by its id. Changes are prepared; a conflict means that it was changed since it was read."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        own: Sequence[Client] = (),
    ) -> None:
        """``own``: the organization's own sites, which no row keeps."""
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random
        self._own = {client.id: client for client in own}

    def new_id(self) -> str:
        """An id for a client to be made."""
        return self._random(ID_LENGTH).hex()

    def now(self) -> int:
        """The time for a client to be made."""
        return self._clock()

    def prepare_create(self, client: Client) -> Prepared[Client]:
        """A new client, with an id of ``new_id``."""
        sealed = seal_client(client, self._cipher)
        row = (bytes.fromhex(client.id), client.revision, sealed)
        return Prepared(client, (Insert(_TABLE, ("id", "revision", "sealed"), (row,)),), (_pin(client, sealed),))

    def prepare_change(self, changed: Client) -> Prepared[Client]:
        """A client as it shall be: one that was read, with fields replaced, not its id.

        What it was given ends by ``ending.prepare_end_client``, in a commit after this one.
        """
        client = replace(changed, revision=changed.revision + 1)
        sealed = seal_client(client, self._cipher)
        row = (client.revision, sealed, bytes.fromhex(client.id), changed.revision)
        return Prepared(client, (Change(_CHANGE, (row,), expect=1), bump(TOPIC)), (_pin(client, sealed),))

    @staticmethod
    def prepare_unchanged(client: Client) -> Prepared[None]:
        """Nothing, if the client is as it was read; else a conflict. For what must not be given to a disabled one."""
        row = (bytes.fromhex(client.id), client.revision)
        return Prepared(None, (Change(_SAME, (row,), expect=1),))

    def prepare_remove(self, client: Client) -> Prepared[None]:
        """The end of a client that was never approved."""
        row = (bytes.fromhex(client.id), client.revision)
        return Prepared(None, (Change(_DELETE, (row,), expect=1), bump(TOPIC)), (Pin(_TABLE, client.id, b""),))

    async def get(self, client_id: str) -> Client | None:
        """The client with this id, whatever its state. Raises Tampered."""
        if client_id in self._own:
            return self._own[client_id]
        try:
            id_ = bytes.fromhex(client_id)
        except ValueError:
            return None
        if id_.hex() != client_id:
            return None
        row = await self._database.fetch_one(f"{_COLUMNS} WHERE id = $1", (id_,))
        return None if row is None else open_client((row[0], row[1], row[2]), self._cipher)

    async def all(self) -> AsyncIterator[Client]:
        """Every client, in no particular order. Raises Tampered."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, revision, sealed in batch:
                yield open_client((id_, revision, sealed), self._cipher)

    async def pending(self) -> int:
        """How many wait for an administrator. Raises Tampered."""
        return sum([client.state is ClientState.PENDING async for client in self.all()])

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, _, sealed in batch:
                yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        async for batch in self._database.stream(_COLUMNS):
            for id_, revision, sealed in batch:
                try:
                    open_client((id_, revision, sealed), self._cipher)
                except Tampered as error:
                    yield Finding(f"{_TABLE}/{id_.hex()}", str(error))


def _pin(client: Client, sealed: bytes) -> Pin:
    return Pin(_TABLE, client.id, hashlib.sha256(sealed).digest())

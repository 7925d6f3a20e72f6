"""A few connections for queries, lent to one query at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg.pq import TransactionStatus

from carekeep.storage.postgres_server import Connection, Server


class Pool:
    """At most ``size`` connections, made when they are first needed."""

    def __init__(self, server: Server, size: int) -> None:
        self._server = server
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._closed = False

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """A connection outside a transaction; one that comes back in another state is closed. Raises StorageError."""
        async with self._free:
            # The one used last: its caches are warm, and the others may be closed for idleness.
            connection = self._idle.pop() if self._idle else await self._server.connect(read_only=True)
            try:
                yield connection
            finally:
                if connection.info.transaction_status == TransactionStatus.IDLE and not self._closed:
                    self._idle.append(connection)
                else:
                    await connection.close()

    async def close(self) -> None:
        """Closes the idle connections now, and the others when they come back."""
        self._closed = True
        await self.forget_idle()

    async def forget_idle(self) -> None:
        """Closes the connections that are not lent."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()

"""PostgreSQL: a few connections that read, and one that writes batches in pipeline mode.

While a batch is on its way, further units gather; they go together as soon as its answer is there.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import psycopg

from carekeep.storage.interfaces import Row, Step, StorageError, Value
from carekeep.storage.postgres_pool import Pool
from carekeep.storage.postgres_server import Connection, Server, failure_of
from carekeep.storage.postgres_writer import Writer
from carekeep.storage.units import Unit, new_unit, size_of, take

READERS = 4


class PostgresDatabase:
    """A Database (see ``interfaces``) on ``server``, which has been migrated."""

    dialect = "postgres"

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pool = Pool(server, READERS)
        self._writer = Writer(server)
        self._queue: list[Unit] = []
        self._flushing: asyncio.Task[None] | None = None
        self._streams: set[Connection] = set()
        self._closed = False

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """See Database."""
        self._check_open()
        size_of(params)
        try:
            return await self._query(sql, params)
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P")):
                raise failure_of(error) from None
        except psycopg.Error as error:
            raise failure_of(error) from None
        # The connection was lost, perhaps while it lay idle, and so may others be. A query may be asked twice.
        await self._pool.forget_idle()
        try:
            return await self._query(sql, params)
        except psycopg.Error as error:
            raise failure_of(error) from None

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """See Database."""
        rows = await self.fetch(sql, params)
        return rows[0] if rows else None

    async def stream(self, sql: str, params: Sequence[Value] = (), batch: int = 1000) -> AsyncIterator[list[Row]]:
        """See Database."""
        self._check_open()
        size_of(params)
        connection = await self._server.connect(read_only=True)
        self._streams.add(connection)
        try:
            await connection.execute("BEGIN")
            # A cursor on the server keeps the snapshot of the moment when it was declared.
            async with psycopg.AsyncRawServerCursor(connection, "stream") as cursor:
                await cursor.execute(sql.encode(), params, binary=True)
                while rows := await cursor.fetchmany(batch):
                    yield rows
        except psycopg.Error as error:
            self._check_open()
            raise failure_of(error) from None
        finally:
            self._streams.discard(connection)
            await connection.close()

    async def commit(self, steps: Sequence[Step]) -> None:
        """See Database."""
        self._check_open()
        unit = new_unit(steps, asyncio.get_running_loop().create_future())
        self._queue.append(unit)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await unit.done

    async def close(self) -> None:
        """See Database."""
        self._closed = True
        if self._flushing is not None:
            await self._flushing
        for connection in tuple(self._streams):
            await connection.close()
        await self._writer.close()
        await self._pool.close()

    async def _query(self, sql: str, params: Sequence[Value]) -> list[Row]:
        async with self._pool.lend() as connection:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(sql.encode(), params, binary=True)
            return await cursor.fetchall()

    async def _flush(self) -> None:
        """Commits what waits, batch after batch, until nothing does."""
        batch: list[Unit] = []
        try:
            while self._queue:
                batch = take(self._queue)
                await self._writer.commit(batch)
        finally:
            self._flushing = None
            for unit in (*batch, *self._queue):  # Only if we were stopped: no caller waits for ever.
                unit.fail(StorageError("Carekeep stopped while the unit was committed; its outcome is unknown."))
            self._queue.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("The database is closed.")

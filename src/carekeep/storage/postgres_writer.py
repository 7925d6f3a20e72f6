"""Sends units of work to PostgreSQL, many to a transaction and without waiting between statements."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import psycopg

from carekeep.storage.interfaces import Change, Insert, Step, StorageError, Value
from carekeep.storage.postgres_server import Connection, Server, failure_of, is_lost
from carekeep.storage.units import Unit, check_expectation, groups, insert_head, merged

ROWS_PER_STATEMENT = 5_000
ATTEMPTS = 4

_TRANSIENT = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_COLUMN_TYPES = """
SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
AND a.attnum > 0 AND NOT a.attisdropped
"""

Cursor = psycopg.AsyncRawCursor[tuple[Any, ...]]


class Writer:
    """One connection that commits batches of units; it is made anew after it was lost."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: Connection | None = None
        self._types: dict[tuple[str, str], str] = {}

    async def commit(self, batch: Sequence[Unit]) -> None:
        """Commits units and tells each how it went.

        First all together; if that fails, each in a transaction of its own, so that the failure meets the unit that
        caused it and no other.
        """
        try:
            connection = await self._connect()
            try:
                await self._together(connection, batch)
            except (StorageError, psycopg.Error):
                if is_lost(connection):
                    raise
                await self._one_by_one(connection, batch)
            else:
                for unit in batch:
                    unit.succeed()
        except StorageError as error:
            _fail(batch, error)
        except psycopg.Error:
            # COMMIT may or may not have arrived. Trying again could do everything twice.
            lost = f"The connection to PostgreSQL at {self._server.name} was lost; the outcome of the unit is unknown."
            _fail(batch, StorageError(lost))

    async def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> Connection:
        if self._connection is None or is_lost(self._connection):
            self._connection = await self._server.connect()
            cursor = await self._connection.execute(_COLUMN_TYPES)
            self._types = {(table, column): kind for table, column, kind in await cursor.fetchall()}
        return self._connection

    async def _one_by_one(self, connection: Connection, batch: Sequence[Unit]) -> None:
        """Raises psycopg.Error if the connection was lost; units that have their answer by then keep it."""
        for unit in batch:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    await self._together(connection, [unit])
                except _TRANSIENT as error:
                    if attempt == ATTEMPTS:
                        unit.fail(failure_of(error))
                except psycopg.Error as error:
                    if is_lost(connection):
                        raise
                    unit.fail(failure_of(error))
                    break
                except StorageError as error:
                    unit.fail(error)
                    break
                else:
                    unit.succeed()
                    break

    async def _together(self, connection: Connection, units: Sequence[Unit]) -> None:
        """One transaction. Raises what went wrong in it first, after rolling it back."""
        try:
            async with connection.pipeline() as pipeline:
                await connection.execute("BEGIN")
                expecting = [
                    (step, await self._send(connection, step))
                    for group in groups(units)
                    for step in (merged(group) if group[0].plain else group[0].steps)
                ]
                if any(isinstance(step, Change) and step.expect is not None for step, _ in expecting):
                    await pipeline.sync()
                    _check(expecting)
                await connection.execute("COMMIT")
        except BaseException:
            if not is_lost(connection):
                await connection.rollback()
            raise

    async def _send(self, connection: Connection, step: Step) -> list[Cursor]:
        """Sends a step's statements; the cursors will know how many rows each of them changed."""
        statements = self._inserts(step) if isinstance(step, Insert) else ((step.sql, row) for row in step.rows)
        cursors = []
        for sql, params in statements:
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(sql.encode(), params, binary=True)
            cursors.append(cursor)
        return cursors

    def _inserts(self, insert: Insert) -> Iterator[tuple[str, Sequence[list[Value]]]]:
        """Statements that insert many rows each, the values going as one array for each column."""
        try:
            types = tuple(self._types[insert.table, column] for column in insert.columns)
        except KeyError:
            raise StorageError(f"PostgreSQL has no table {insert.table} with columns {insert.columns}.") from None
        sql = _insert_sql(insert.table, insert.columns, types)
        if insert.ignore_existing:
            sql += " ON CONFLICT DO NOTHING"
        rows = iter(insert.rows)
        while chunk := list(islice(rows, ROWS_PER_STATEMENT)):
            columns = [list(column) for column in zip(*chunk, strict=True)]
            for name, kind, column in zip(insert.columns, types, columns, strict=True):
                _check_kind(f"{insert.table}.{name}", kind, column)
            yield sql, columns


@lru_cache(maxsize=1024)
def _insert_sql(table: str, columns: tuple[str, ...], types: tuple[str, ...]) -> str:
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types, start=1))
    return f"{insert_head(table, columns)} SELECT * FROM unnest({arrays})"


def _check_kind(name: str, kind: str, column: list[Value]) -> None:
    """Text would be parsed as bytes or a number, where SQLite refuses it."""
    if kind != "text" and any(isinstance(value, str) for value in column):
        raise StorageError(f"Text cannot be stored in {name}, which is {kind}.")


def _check(sent: Sequence[tuple[Step, Sequence[Cursor]]]) -> None:
    for step, cursors in sent:
        if isinstance(step, Change):
            check_expectation(step, sum(max(cursor.rowcount, 0) for cursor in cursors))


def _fail(batch: Sequence[Unit], error: StorageError) -> None:
    for unit in batch:
        unit.fail(error)

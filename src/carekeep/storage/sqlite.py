"""SQLite: one file, one writer at a time, durable by a synchronous write-ahead log.

``commit`` queues its unit and schedules one flush for the loop's next turn, so that all requests that were ready in
this turn share one transaction and one wait for the disk. Statements run in the event loop: handing each to a thread
and back costs more than running it. Only COMMIT, which waits for the disk and now and then moves the log into the
database, has a thread of its own; the loop reads and prepares meanwhile (measured: a fifth more reads a second with 32
clients, and nothing lost with one).

Several processes may use the same file. While another one writes, the flush is put off for moments that grow from one
to a few milliseconds, and the loop goes on with other work.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from carekeep.storage.interfaces import Change, Conflict, Insert, Row, Step, StorageError, Value
from carekeep.storage.sqlite_file import connect, error_name, positional, storage_error
from carekeep.storage.units import Unit, check_expectation, groups, insert_head, merged, new_unit, size_of, take

FIRST_DELAY_S = 0.001
LONGEST_DELAY_S = 0.008
PATIENCE_S = 10.0

_UNIQUE = frozenset({"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_ROWID"})


class SqliteDatabase:
    """A Database (see ``interfaces``) in the SQLite file ``path``, which has been migrated."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = connect(path, read_only=True)
        self._writer = connect(path)
        self._committer = ThreadPoolExecutor(1, "sqlite-commit")
        self._queue: list[Unit] = []
        self._committing: list[Unit] = []
        self._scheduled: asyncio.Handle | asyncio.Future[Any] | None = None
        self._streams: set[sqlite3.Connection] = set()
        self._waited_s = 0.0
        self._refusal: str | None = None

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """See Database."""
        size_of(params)
        try:
            return self._reader.execute(positional(sql), params).fetchall()
        except sqlite3.Error as error:
            raise self._read_error(error) from error

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """See Database."""
        size_of(params)
        try:
            cursor = self._reader.execute(positional(sql), params)
            row: Row | None = cursor.fetchone()
            cursor.close()  # A half-read cursor would hold its snapshot, and the log could not be shortened.
        except sqlite3.Error as error:
            raise self._read_error(error) from error
        return row

    async def stream(self, sql: str, params: Sequence[Value] = (), batch: int = 1000) -> AsyncIterator[list[Row]]:
        """See Database."""
        self._check_open()
        size_of(params)
        connection = connect(self._path, read_only=True)
        self._streams.add(connection)
        try:
            cursor = connection.execute(positional(sql), params)
            while rows := cursor.fetchmany(batch):
                yield rows
                await asyncio.sleep(0)
        except sqlite3.Error as error:
            raise self._read_error(error) from error
        finally:
            self._streams.discard(connection)
            connection.close()

    async def commit(self, steps: Sequence[Step]) -> None:
        """See Database."""
        self._check_open()
        loop = asyncio.get_running_loop()
        unit = new_unit(steps, loop.create_future())
        self._queue.append(unit)
        if self._scheduled is None:
            self._scheduled = loop.call_soon(self._flush)
        await unit.done

    async def close(self) -> None:
        """See Database."""
        self._refusal = self._refusal or "The database is closed."
        if waiting := [unit.done for unit in (*self._committing, *self._queue)]:
            await asyncio.wait(waiting)
        self._committer.shutdown()
        for connection in (*self._streams, self._writer, self._reader):
            connection.close()

    def _flush(self) -> None:
        """Commits the oldest units of the queue together; ``_settle`` schedules the next flush if there are more."""
        self._scheduled = None
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._put_off(error)
            return
        self._waited_s = 0.0
        self._committing = batch = take(self._queue)
        outcomes: list[StorageError | None] = []
        try:
            for group in groups(batch):
                outcomes += self._run_group(group)
            commit = asyncio.get_running_loop().run_in_executor(self._committer, self._writer.execute, "COMMIT")
        except Exception as error:  # noqa: BLE001  # Whatever it is: no caller waits for ever, nothing half-done stays.
            self._settle([self._abandon(error)] * len(batch))
            return
        # Until it is done, nobody else uses the writer: a flush is scheduled.
        self._scheduled = commit
        commit.add_done_callback(partial(self._committed, outcomes))

    def _committed(self, outcomes: list[StorageError | None], commit: "asyncio.Future[sqlite3.Cursor]") -> None:
        error = commit.exception()
        if isinstance(error, Exception):
            outcomes = [self._abandon(error)] * len(outcomes)
        self._settle(outcomes)

    def _settle(self, outcomes: Sequence[StorageError | None]) -> None:
        """Tells the units of a batch how they went, in order."""
        batch, self._committing, self._scheduled = self._committing, [], None
        for unit, failure in zip(batch, outcomes, strict=True):
            if failure is None:
                unit.succeed()
            else:
                unit.fail(failure)
        if self._queue:
            self._scheduled = asyncio.get_running_loop().call_soon(self._flush)

    def _put_off(self, error: sqlite3.Error) -> None:
        """Another process is writing: try again soon. Any other error, or one for too long, fails what is waiting."""
        if error_name(error).startswith("SQLITE_BUSY") and self._waited_s < PATIENCE_S:
            delay = min(max(FIRST_DELAY_S, self._waited_s / 2), LONGEST_DELAY_S)
            self._waited_s += delay
            self._scheduled = asyncio.get_running_loop().call_later(delay, self._flush)
            return
        self._waited_s = 0.0
        waiting, self._queue = self._queue, []
        for unit in waiting:
            unit.fail(storage_error(error))

    def _abandon(self, error: Exception) -> StorageError:
        """Rolls the transaction back, and says why. After an error of the disk itself, takes no more units.

        When an fsync fails, the system forgets which pages did not reach the disk, and a later fsync that succeeds
        proves nothing about them. So nothing is promised any more until the file has been opened, and recovered, anew.
        """
        with suppress(sqlite3.Error):
            self._writer.execute("ROLLBACK")
        if error_name(error).startswith(("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")):
            self._refusal = (
                f"The database file {self._path.name} could not be written ({error_name(error)}) and takes no more "
                "changes. Check the disk, then start Carekeep again."
            )
            waiting, self._queue = self._queue, []
            for unit in waiting:
                unit.fail(StorageError(self._refusal))
            # Frames of the log that did reach the disk may be found complete by the next recovery.
            return StorageError(f"{self._refusal} The outcome of the unit is unknown until then.")
        return storage_error(error)

    def _run_group(self, group: Sequence[Unit]) -> list[StorageError | None]:
        if len(group) == 1:
            return [self._run_guarded(group[0].steps)]
        if self._run_guarded(merged(group)) is None:
            return [None] * len(group)
        return [self._run_guarded(unit.steps) for unit in group]

    def _run_guarded(self, steps: Sequence[Step]) -> StorageError | None:
        """Runs steps so that all or none of them stay in the transaction. Returns why none did.

        Raises sqlite3.Error if the whole transaction is lost.
        """
        writer = self._writer
        writer.execute("SAVEPOINT unit")
        try:
            for step in steps:
                if isinstance(step, Insert):
                    writer.executemany(_insert_sql(step), step.rows)
                else:
                    self._change(step)
        except (StorageError, sqlite3.Error) as error:
            if not writer.in_transaction:  # A full disk, for one, makes SQLite roll back everything.
                raise
            writer.execute("ROLLBACK TO unit")
            writer.execute("RELEASE unit")
            return _failure_of(error)
        writer.execute("RELEASE unit")
        return None

    def _change(self, change: Change) -> None:
        cursor = self._writer.executemany(positional(change.sql), change.rows)
        check_expectation(change, max(cursor.rowcount, 0))

    def _check_open(self) -> None:
        if self._refusal is not None:
            raise StorageError(self._refusal)

    def _read_error(self, error: Exception) -> StorageError:
        return StorageError(self._refusal) if self._refusal is not None else storage_error(error)


def _insert_sql(insert: Insert) -> str:
    sql = _plain_insert_sql(insert.table, insert.columns)
    return f"{sql} ON CONFLICT DO NOTHING" if insert.ignore_existing else sql


@lru_cache(maxsize=1024)
def _plain_insert_sql(table: str, columns: tuple[str, ...]) -> str:
    return f"{insert_head(table, columns)} VALUES ({', '.join('?' * len(columns))})"


def _failure_of(error: Exception) -> StorageError:
    if isinstance(error, StorageError):
        return error
    if error_name(error) in _UNIQUE:
        return Conflict(f"A row with this key exists already: {error}.")
    return storage_error(error)

"""A PostgreSQL server: connecting to it without ever showing the password, and bringing its schema up to date."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import pq
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.array import ListBinaryDumper
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrBinaryDumper

from carekeep.storage.clock import Clock
from carekeep.storage.interfaces import Conflict, StorageError
from carekeep.storage.migrations import Applied, Migration, known_migrations, pending_migrations

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# Any number will do, if no other program locks the same one in this database.
_MIGRATION_LOCK = 0x6361_7265_6B65_6570
_OPENING_PATIENCE = "SET lock_timeout = '60s'"
# No statement waits for ever for another process, or runs for ever; an abandoned transaction ends.
_BOUNDS = "SET statement_timeout = '60s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'"
_DEFAULTS: dict[str, str | int] = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "application_name": "carekeep"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^:\[\]@]*)(:\d+)?")
# Messages of these classes of SQLSTATE (connection, authorization, transaction state, names and syntax, resources,
# operator, system, configuration) name things of the schema and the server; others may repeat values, so are not told.
_TELLING = frozenset({"08", "25", "28", "3D", "42", "53", "57", "58", "F0"})


class Server:
    """Where the database is, and how to reach it. ``name`` ("host/database") is fit for messages."""

    def __init__(self, url: str) -> None:
        """Raises StorageError if ``url`` is not one that libpq understands."""
        self._parameters = _parse(url)
        self.name = f"{self._parameters.get('host', 'localhost')}/{self._parameters.get('dbname', '')}"

    def __repr__(self) -> str:
        """The server without its password."""
        return f"Server({self.name!r})"

    async def connect(self, *, read_only: bool = False) -> Connection:
        """A connection in autocommit mode, for ``$1`` queries. Raises StorageError."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                autocommit=True, context=_adapters(), cursor_factory=psycopg.AsyncRawCursor, **self._parameters
            )
            await connection.execute(_BOUNDS)
            if read_only:
                await connection.execute("SET default_transaction_read_only = on")
        except psycopg.Error as error:
            raise self._unreachable(error) from None
        connection.prepared_max = 500
        return connection

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection]:
        """A connection that blocks, in autocommit mode, for the time of a ``with``. Raises StorageError."""
        try:
            connection = psycopg.connect(autocommit=True, **self._parameters)
        except psycopg.Error as error:
            raise self._unreachable(error) from None
        with connection:
            yield connection

    def _unreachable(self, error: psycopg.Error) -> StorageError:
        reason = str(error).strip()
        password = self._parameters.get("password")
        if password:
            reason = reason.replace(str(password), "(password)")
        return StorageError(f"PostgreSQL at {self.name} cannot be reached: {reason}")


def _parse(url: str) -> dict[str, Any]:
    """The parameters in a URL. A password that was not percent-encoded must not be taken for a host and be shown."""
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    if "@" in user or "@" in parts.path or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise StorageError(
            "The PostgreSQL URL is not postgresql://user:password@host:port/name. Write special characters of the "
            "password in percent-encoding (@ is %40, / is %2F, : is %3A, # is %23)."
        )
    try:
        return _DEFAULTS | conninfo_to_dict(url)
    except psycopg.Error:
        raise StorageError("The PostgreSQL URL has parameters that libpq does not understand.") from None


def _adapters() -> AdaptersMap:
    """Ints go out as bigint and text as text, alone and in arrays: one prepared statement for all, and in binary."""
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(str, StrBinaryDumper)
    adapters.register_dumper(list, ListBinaryDumper)  # Else arrays go as text, bytes at twice their length.
    return adapters


def failure_of(error: psycopg.Error) -> StorageError:
    """What PostgreSQL said, in the contract's words, without the values that its messages may repeat."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Conflict(f"A row with this key exists already: {error.diag.constraint_name}.")
    state = error.sqlstate or ""
    telling = state[:2] in _TELLING
    what = (
        error.diag.message_primary
        if telling
        else " ".join(
            part for part in (error.diag.table_name, error.diag.column_name, error.diag.constraint_name) if part
        )
    )
    return StorageError(f"PostgreSQL could not do it: {what or 'no details'} ({type(error).__name__} {state}).")


def is_lost(connection: psycopg.BaseConnection[Any]) -> bool:
    """Whether nothing can be asked of the connection any more."""
    return connection.closed or connection.info.status == pq.ConnStatus.BAD


def migrate_server(server: Server, clock: Clock) -> None:
    """Applies the migrations that the database lacks, and checks that its commits are durable.

    Raises SchemaTooNew, and StorageError if the server cannot be used or a migration fails; then nothing of that
    migration happened. Several processes may do this at once: each migration is applied by one of them.
    """
    with server.connected() as connection:
        try:
            _check_durability(connection)
            connection.execute(_OPENING_PATIENCE)
            while _apply_next(connection, clock):
                pass
        except psycopg.Error as error:
            raise failure_of(error) from None


def _check_durability(connection: psycopg.Connection) -> None:
    row = connection.execute("SHOW synchronous_commit").fetchone()
    if row == ("off",):
        raise StorageError(
            "PostgreSQL has synchronous_commit = off: it would lose acknowledged changes in a crash. Set it to on, for "
            "the server, the database and the user that Carekeep uses."
        )


def _apply_next(connection: psycopg.Connection, clock: Clock) -> bool:
    """Applies the first migration that is missing, if any, and says whether there was one."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_MIGRATION_LOCK])
        pending = pending_migrations(known_migrations("postgres"), _applied(connection))
        if pending:
            _apply(connection, pending[0], clock)
    return bool(pending)


def _applied(connection: psycopg.Connection) -> list[Applied]:
    if connection.execute("SELECT to_regclass('schema_migration')").fetchone() == (None,):
        return []
    return [Applied(*row) for row in connection.execute("SELECT number, digest FROM schema_migration")]


def _apply(connection: psycopg.Connection, migration: Migration, clock: Clock) -> None:
    connection.execute(migration.sql.encode())
    connection.execute(
        "INSERT INTO schema_migration (number, name, digest, applied_ms) VALUES (%s, %s, %s, %s)",
        (migration.number, migration.name, migration.digest, clock()),
    )

"""Opening an SQLite file the way Carekeep wants it, and bringing its schema up to date."""

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from carekeep.storage.clock import Clock
from carekeep.storage.interfaces import StorageError
from carekeep.storage.migrations import Applied, Migration, known_migrations, pending_migrations

OPENING_PATIENCE_S = 30.0
READING_PATIENCE_S = 5.0
_MOMENT_S = 0.02

# Every connection's. Caches are small because the file is in the system's page cache anyway.
# secure_delete = FAST: bytes of a deleted row are zeroed wherever its page is written in any case, so that the wrapped
# key of an erased patient does not linger in the file; pages that are freed whole hold ciphertext and are left alone.
# fullfsync: on macOS, fsync alone does not reach the disk. A schema from outside (trusted_schema) runs no functions.
_SETTINGS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = FAST",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cache_size = -16384",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
_PARAMETER = re.compile(r"\$(\d+)")


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite that this Python is linked with, such as (3, 40, 1)."""
    return sqlite3.sqlite_version_info


@lru_cache(maxsize=1024)
def positional(sql: str) -> str:
    """``$1`` in SQLite's words: ``?1``."""
    return _PARAMETER.sub(r"?\1", sql)


def error_name(error: Exception) -> str:
    """SQLite's name of an error, such as SQLITE_FULL, or the exception's if it came from Python."""
    return getattr(error, "sqlite_errorname", type(error).__name__)


def storage_error(error: Exception) -> StorageError:
    """What SQLite said, in the contract's words. Its messages name tables and columns, never values; Python's may."""
    said = f": {error}" if isinstance(error, sqlite3.Error) else ""
    return StorageError(f"SQLite could not do it{said} ({error_name(error)}).")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to an existing database file.

    One that writes never waits for another process's lock: whoever uses it decides when to try again.
    """
    patience_s = READING_PATIENCE_S if read_only else 0.0
    connection = _open(path, patience_s)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def migrate_file(path: Path, clock: Clock) -> None:
    """Makes the file if there is none, readable for its owner only, and applies the migrations that it lacks.

    Raises SchemaTooNew, and StorageError if the file cannot be opened or a migration fails; then nothing of that
    migration happened. Several processes may do this at once: each migration is applied by one of them.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(_open(path, OPENING_PATIENCE_S)) as connection:
            _use_write_ahead_log(connection)
            while _apply_next(connection, clock):
                pass
    except OSError as error:
        raise StorageError(f"The database file {path} cannot be opened: {error.strerror}.") from error
    except sqlite3.Error as error:
        raise StorageError(f"The database file {path} cannot be used: {error} ({error_name(error)}).") from error


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """The switch needs the file for itself, and SQLite does not wait for that: others may be opening it just now."""
    end = time.monotonic() + OPENING_PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error_name(error).startswith("SQLITE_BUSY") or time.monotonic() > end:
                raise
            time.sleep(_MOMENT_S)
        else:
            return


def _open(path: Path, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=patience_s,
        isolation_level=None,
        cached_statements=256,
        check_same_thread=False,  # One thread at a time does use it: see sqlite.py.
    )
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def _apply_next(connection: sqlite3.Connection, clock: Clock) -> bool:
    """Applies the first migration that is missing, if any, and says whether there was one."""
    with _transaction(connection):
        pending = pending_migrations(known_migrations("sqlite"), _applied(connection))
        if pending:
            _apply(connection, pending[0], clock)
    return bool(pending)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _applied(connection: sqlite3.Connection) -> list[Applied]:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migration'").fetchone() is None:
        return []
    return [Applied(*row) for row in connection.execute("SELECT number, digest FROM schema_migration")]


def _apply(connection: sqlite3.Connection, migration: Migration, clock: Clock) -> None:
    for statement in statements(migration.sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO schema_migration (number, name, digest, applied_ms) VALUES (?, ?, ?, ?)",
        (migration.number, migration.name, migration.digest, clock()),
    )


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: ``executescript`` would commit the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""

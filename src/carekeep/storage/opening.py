"""From a URL to an open database."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from carekeep.storage.clock import Clock, system_clock
from carekeep.storage.interfaces import Database, StorageError
from carekeep.storage.sqlite import SqliteDatabase
from carekeep.storage.sqlite_file import migrate_file


def open_database(url: str, clock: Clock = system_clock) -> Database:
    """Opens the database at ``url``, made or migrated as needed.

    ``sqlite:///absolute/path.db`` or ``postgresql://user@host/name`` (any libpq URL). ``clock`` dates the migrations.
    Waits for the database, so call it before the event loop has other work; the answer belongs to one event loop.
    Raises SchemaTooNew for a schema from the future, and StorageError for everything else that prevents opening; no
    message repeats the URL, which may hold a password.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        path = _sqlite_path(url)
        migrate_file(path, clock)
        return SqliteDatabase(path)
    if scheme in {"postgresql", "postgres"}:
        return _open_postgres(url, clock)
    raise StorageError("A database URL begins with sqlite:/// or postgresql://; the one in the settings does not.")


def _sqlite_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment or not parts.path.startswith("/"):
        raise StorageError(
            "An SQLite URL is sqlite:// and an absolute path, with ? # % written as %3F %23 %25, and nothing else: "
            "sqlite:///var/lib/carekeep/carekeep.db"
        )
    return Path(unquote(parts.path))


def _open_postgres(url: str, clock: Clock) -> Database:
    try:
        import psycopg  # noqa: F401, PLC0415  # An extra: an SQLite installation has no psycopg.
    except ImportError as error:
        raise StorageError(
            "PostgreSQL needs the psycopg package, which is not installed. Run: pip install 'carekeep[postgres]'"
        ) from error
    from carekeep.storage.postgres import PostgresDatabase  # noqa: PLC0415
    from carekeep.storage.postgres_server import Server, migrate_server  # noqa: PLC0415

    server = Server(url)
    migrate_server(server, clock)
    return PostgresDatabase(server)

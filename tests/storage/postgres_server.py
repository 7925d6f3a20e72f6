"""A PostgreSQL server for the tests, and in it a database of its own for each test."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from carekeep.storage import open_database

TEMPLATE = "carekeep_template"
# Tests kill clients, never the machine under the server: the server need not wait for the disk.
HASTE = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. ``socket_folder`` is where it listens; ``maintenance`` may create databases."""

    socket_folder: str
    maintenance: psycopg.Connection
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        """The URL of the database ``name``."""
        return f"postgresql://postgres@/{name}?host={self.socket_folder}"

    def data_folder(self) -> Path:
        """Where the server keeps its files."""
        row = self.maintenance.execute("SHOW data_directory").fetchone()
        assert row is not None
        return Path(row[0])

    def create_empty(self) -> str:
        """A new database without tables; returns its name."""
        return self._create("template0")

    def create_migrated(self) -> str:
        """A new database with Carekeep's tables and no rows; returns its name."""
        return self._create(TEMPLATE)

    def copy_of(self, name: str) -> str:
        """A new database with all that ``name`` holds, to which nobody may be connected; returns its name."""
        return self._create(name)

    def drop(self, name: str) -> None:
        """Removes a database, whoever is still connected to it."""
        self.maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def disconnect_all(self, name: str) -> None:
        """Cuts every connection to a database, as a restart of the server would."""
        ended = self.maintenance.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall()
        assert ended
        assert all(done for (done,) in ended)

    def run(self, name: str, script: str) -> None:
        """Runs statements in a database, with all rights."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(script.encode())

    def _create(self, template: str) -> str:
        name = f"test_{next(self.numbers)}"
        self.maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return name


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Starts a server with a migrated template, and stops it at the end."""
    script = Path(__file__).with_name("postgres_process.py")
    process = subprocess.Popen(  # Our own script, run by this interpreter.
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends the tests; the server goes when they are gone.
    )
    with process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError("PostgreSQL did not start; the reason is on standard error above.")
        with psycopg.connect(url, autocommit=True) as maintenance:
            for statement in HASTE:
                maintenance.execute(statement.encode())
            server = PostgresServer(str(conninfo_to_dict(url)["host"]), maintenance)
            maintenance.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0".encode())
            open_database(server.url(TEMPLATE))
            yield server
        # Leaving `with process` closes its standard input, and waits until it has stopped the server.

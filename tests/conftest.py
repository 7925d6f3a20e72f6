"""Fixtures that every room's tests may use: an open database, or the URL of one, on SQLite and on PostgreSQL."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from carekeep.storage import Database, open_database
from tests.storage.postgres_server import PostgresServer, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One PostgreSQL server for each test process."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with Carekeep's tables and no rows, to be copied."""
    path = tmp_path_factory.mktemp("template") / "carekeep.db"
    open_database(f"sqlite://{quote(str(path))}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database without rows, for tests that start processes of their own."""
    if request.param == "sqlite":
        template = request.getfixturevalue("migrated_sqlite_file")
        path = shutil.copy(template, tmp_path / "carekeep.db")
        yield f"sqlite://{quote(str(path))}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create_migrated()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open, migrated database without rows."""
    opened = open_database(database_url)
    yield opened
    await opened.close()

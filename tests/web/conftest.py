"""The clinic, on each database. It is furnished once in each test process and copied for each test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from carekeep.identity import Account
from tests.storage.postgres_server import PostgresServer
from tests.web.clinic import Clinic, new_clinic, open_clinic


@dataclass(frozen=True, slots=True)
class Furnished:
    """A closed clinic. ``database`` is a file beside the home folder, or the name of a database of the server."""

    home: Path
    database: str
    tokens: dict[str, str]
    accounts: dict[str, Account]


def furnish(folder: Path, database: str, url: str) -> Furnished:
    """Let the people and records in, and close the clinic."""

    async def fill() -> Furnished:
        async with new_clinic(folder / "home", url) as clinic:
            return Furnished(folder / "home", database, clinic.tokens, clinic.accounts)

    return asyncio.run(fill())


@pytest.fixture(scope="session")
def furnished_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    folder = tmp_path_factory.mktemp("clinic")
    path = str(folder / "carekeep.db")
    return furnish(folder, path, f"sqlite://{quote(path)}")


@pytest.fixture(scope="session")
def furnished_postgres(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Furnished:
    name = postgres_server.create_migrated()
    return furnish(tmp_path_factory.mktemp("clinic"), name, postgres_server.url(name))


@pytest.fixture(params=["sqlite", "postgres"])
def furnished(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Furnished, str]]:
    """A copy of the clinic: what it holds, and the URL of its database."""
    found: Furnished = request.getfixturevalue(f"furnished_{request.param}")
    shutil.copytree(found.home, tmp_path / "home")
    if request.param == "sqlite":
        path = shutil.copy(found.database, tmp_path / "carekeep.db")
        yield found, f"sqlite://{quote(str(path))}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.copy_of(found.database)
    yield found, server.url(name)
    server.drop(name)


@pytest.fixture
async def clinic(tmp_path: Path, furnished: tuple[Furnished, str]) -> AsyncIterator[Clinic]:
    """The application with its people and patients."""
    found, url = furnished
    async with open_clinic(tmp_path / "home", url) as opened:
        opened.tokens.update(found.tokens)
        opened.accounts.update(found.accounts)
        yield opened

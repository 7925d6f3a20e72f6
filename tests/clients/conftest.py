"""A real server for the clients that people use, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Demo, running_demo
from tests.storage.postgres_server import PostgresServer


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo of six patients."""
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with running_demo(folder) as demo:
            yield demo
    else:
        yield from on_postgres(request.getfixturevalue("postgres_server"), folder)


def on_postgres(postgres: PostgresServer, folder: Path) -> Iterator[Demo]:
    """The same with a database of its own on the tests' server."""
    name = postgres.create_migrated()
    with running_demo(folder, database_url=postgres.url(name)) as demo:
        yield demo
    postgres.drop(name)

"""What is PostgreSQL's own: passwords in URLs, lost connections, transactions that the server asks to repeat."""

import sys
import traceback
from collections.abc import AsyncIterator, Iterator

import pytest

from carekeep.storage import Conflict, Database, StorageError, open_database
from carekeep.storage.postgres_server import Server
from carekeep.storage.postgres_writer import ATTEMPTS
from tests.storage.postgres_server import PostgresServer
from tests.storage.rows import insert, outcome, table

# Refuses the first transactions that insert the topic 'again', the way a serializable one is refused.
REFUSE_AT_FIRST = """
CREATE SEQUENCE tries;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.topic = 'again' AND nextval('tries') <= {times} THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON generation FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@pytest.fixture
def name(postgres_server: PostgresServer) -> Iterator[str]:
    created = postgres_server.create_migrated()
    yield created
    postgres_server.drop(created)


@pytest.fixture
async def database(postgres_server: PostgresServer, name: str) -> AsyncIterator[Database]:
    opened = open_database(postgres_server.url(name))
    yield opened
    await opened.close()


async def test_after_a_lost_connection_queries_and_units_go_on(
    database: Database, postgres_server: PostgresServer, name: str
) -> None:
    await database.commit([insert("before")])
    assert len(await table(database)) == 1
    postgres_server.disconnect_all(name)
    assert await table(database) == {"before": 1}
    assert await outcome(database, [insert("unknown")]) is StorageError
    assert await outcome(database, [insert("after")]) is None
    assert (await table(database))["after"] == 1


async def test_a_unit_on_a_lost_connection_is_not_tried_again(
    database: Database, postgres_server: PostgresServer, name: str
) -> None:
    await database.commit([insert("before")])
    postgres_server.disconnect_all(name)
    with pytest.raises(StorageError, match="outcome of the unit is unknown"):
        await database.commit([insert("unknown")])
    assert await table(database) == {"before": 1}


@pytest.mark.parametrize("times", [1, ATTEMPTS])
async def test_a_transaction_that_the_server_wants_repeated_is_repeated(
    database: Database, postgres_server: PostgresServer, name: str, times: int
) -> None:
    postgres_server.run(name, REFUSE_AT_FIRST.format(times=times))
    assert await outcome(database, [insert("with"), insert("again")]) is None
    assert await table(database) == {"with": 1, "again": 1}


async def test_it_is_not_repeated_for_ever(database: Database, postgres_server: PostgresServer, name: str) -> None:
    postgres_server.run(name, REFUSE_AT_FIRST.format(times=1000))
    with pytest.raises(StorageError, match="40001") as raised:
        await database.commit([insert("again")])
    assert not isinstance(raised.value, Conflict)
    assert await database.fetch("SELECT last_value FROM tries") == [(1 + ATTEMPTS,)]


def test_a_server_that_forgets_is_refused(postgres_server: PostgresServer, name: str) -> None:
    postgres_server.run(name, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(StorageError, match="synchronous_commit"):
        open_database(postgres_server.url(name))


async def test_errors_do_not_repeat_values(database: Database) -> None:
    await database.commit([insert("marked value")])
    for steps in ([insert("marked value")], [insert("marked value", n=None)]):  # type: ignore[arg-type]
        with pytest.raises(StorageError) as raised:
            await database.commit(steps)
        assert "marked" not in "".join(traceback.format_exception(raised.value)).replace('"marked value"', "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nurse:pa55w0rd@localhost:1/records",
        "postgresql://nurse:pa55w0rd@localhost:1/records?nonsense=1",
        "postgresql://nurse:pa55w0rd@x@localhost:1/records",
        "postgresql://nurse:pa55w0rd/x@localhost:1/records",
        "postgresql://nurse:5/pa55w0rd@localhost:1/records",
        "postgresql://nurse:x#pa55w0rd@localhost:1/records",
        "postgresql://nurse@localhost:1/records?password=pa55w0rd",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(StorageError) as raised:
        open_database(url)
    assert "pa55w0rd" not in "".join(traceback.TracebackException.from_exception(raised.value).format(chain=True))


def test_a_server_shows_itself_without_its_password() -> None:
    server = Server("postgresql://nurse:pa55w0rd@db1:5432,db2/records")
    assert repr(server) == "Server('db1,db2/records')"


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"pip install 'carekeep\[postgres\]'"):
        open_database("postgresql://localhost/records")

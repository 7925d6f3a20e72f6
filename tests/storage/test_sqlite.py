"""What is SQLite's own: the file, other processes' locks, full and broken disks."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carekeep.storage import Change, Database, Insert, StorageError, open_database, sqlite
from carekeep.storage.sqlite_file import statements
from tests.storage.rows import insert, outcome, table


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "own.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    opened = open_database(f"sqlite://{path}")
    yield opened
    await opened.close()


def mode_of(path: Path, ending: str) -> int:
    return Path(f"{path}{ending}").stat().st_mode & 0o777


def size_of(path: Path, ending: str) -> int:
    return Path(f"{path}{ending}").stat().st_size


def occurrences(path: Path, content: bytes) -> int:
    return path.read_bytes().count(content)


@contextmanager
def another_process_writes(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """A disk that fails: writing past ``size`` bytes of a file is an error."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_the_file_is_its_owners_and_as_durable_as_it_gets(database: Database, path: Path) -> None:
    assert {name: mode_of(path, name) for name in ("", "-wal", "-shm")} == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("trusted_schema", 0), ("temp_store", 2)):
        assert await database.fetch_one(f"PRAGMA {pragma}") == (value,)


async def test_another_process_is_waited_for_while_the_loop_goes_on(database: Database, path: Path) -> None:
    with another_process_writes(path):
        waiting = asyncio.gather(*(outcome(database, [insert(str(number))]) for number in range(3)))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        assert await table(database) == {}
    assert await waiting == [None] * 3
    assert len(await table(database)) == 3


async def test_another_process_is_not_waited_for_for_ever(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PATIENCE_S", 0.005)
    with another_process_writes(path), pytest.raises(StorageError, match="SQLITE_BUSY"):
        await database.commit([insert("late")])
    await database.commit([insert("after")])
    assert await table(database) == {"after": 1}


async def test_close_waits_for_another_process(path: Path) -> None:
    database = open_database(f"sqlite://{path}")
    with another_process_writes(path):
        waiting = asyncio.create_task(database.commit([insert("queued")]))
        await asyncio.sleep(0)
        closing = asyncio.create_task(database.close())
        for _ in range(20):
            await asyncio.sleep(0)
        assert not closing.done()
    await closing
    await waiting


async def test_a_key_that_was_destroyed_is_not_left_in_the_file(path: Path) -> None:
    database = open_database(f"sqlite://{path}")
    keys = [(scope, 1, b"wrapped key %d " % scope * 4, None) for scope in range(50)]
    await database.commit([Insert("patient_key", ("scope", "epoch", "wrapped", "destroyed_ms"), keys)])
    destroy = "UPDATE patient_key SET wrapped = NULL, destroyed_ms = 1 WHERE scope = $1"
    await database.commit([Change(destroy, [(7,)], expect=1)])
    await database.close()
    assert occurrences(path, b"wrapped key 7 ") == 0
    assert occurrences(path, b"wrapped key 8 ") == 4


async def test_a_disk_that_fails_acknowledges_nothing_and_ends_writing(database: Database, path: Path) -> None:
    await database.commit([insert("safe")])
    written = size_of(path, "-wal")
    large = Insert("system_key", ("name", "wrapped"), [("large", bytes(200_000))])
    with files_up_to(written + 50_000):
        failures = await asyncio.gather(
            *(database.commit(steps) for steps in ([insert("lost")], [large])), return_exceptions=True
        )
    assert [type(failure) for failure in failures] == [StorageError, StorageError]
    assert all(
        "SQLITE_IOERR" in str(failure) and "outcome of the unit is unknown" in str(failure) for failure in failures
    )
    with pytest.raises(StorageError, match="Check the disk"):
        await database.commit([insert("more")])
    assert await table(database) == {"safe": 1}
    again = open_database(f"sqlite://{path}")
    await again.commit([insert("more")])
    assert await table(again) == {"safe": 1, "more": 1}
    await again.close()


async def test_a_full_disk_fails_what_does_not_fit_and_nothing_else(database: Database) -> None:
    await database.commit([insert("safe")])
    assert isinstance(database, sqlite.SqliteDatabase)
    writer = database._writer  # noqa: SLF001  # the limit is a connection's own
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    large = Insert("system_key", ("name", "wrapped"), [("large", bytes(200_000))])
    with pytest.raises(StorageError, match="SQLITE_FULL"):
        await database.commit([insert("with it"), large])
    await database.commit([insert("small")])
    assert await table(database) == {"safe": 1, "small": 1}


@pytest.mark.parametrize("url", ["sqlite://relative.db", "sqlite:///a.db?mode=ro", "sqlite:///a#b.db", "mysql://x", ""])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StorageError, match="sqlite://"):
        open_database(url)


def test_files_that_are_no_database_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else entirely, and quite long" * 100)
    with pytest.raises(StorageError, match="SQLITE_NOTADB"):
        open_database(f"sqlite://{other}")
    with pytest.raises(StorageError, match="No such file"):
        open_database(f"sqlite://{tmp_path}/missing/a.db")


async def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    database = open_database(f"sqlite://{tmp_path}/a%3F%23%25%20b.db")
    await database.commit([insert("a")])
    await database.close()
    assert (tmp_path / "a?#% b.db").exists()


def test_a_script_is_cut_into_its_statements() -> None:
    script = "-- a; b\nCREATE TABLE t (\n  n\n);\nINSERT INTO t VALUES (';');\n"
    assert [statement.strip() for statement in statements(script)] == [
        "-- a; b\nCREATE TABLE t (\n  n\n);",
        "INSERT INTO t VALUES (';');",
    ]

"""Schemas go forward, once, and never past what this Carekeep knows."""

import asyncio
import hashlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from carekeep.storage import Change, Database, Insert, SchemaTooNew, StorageError, open_database
from carekeep.storage.migrations import Applied, Migration, known_migrations, pending_migrations
from tests.storage.postgres_server import PostgresServer
from tests.storage.rows import insert, table

MIGRATIONS = tuple(Migration(number, f"step{number}", "", bytes([number])) for number in (1, 2, 3))
TABLES = {
    "schema_migration",
    "generation",
    "lease",
    "system_key",
    "patient_key",
    "record",
    "record_version",
    "record_home",
    "tag",
    "passkey",
    "attempt",
    "browser_session",
    "invitation",
    "recovery",
    "notice",
    "app_client",
    "app_grant",
    "authorization_code",
    "pushed_request",
    "launch",
    "seen",
    "signing_key",
    "device",
    "identity_link",
    "account",
    "access_token",
    "break_glass",
    "ledger_pending",
    "ledger_entry",
    "ledger_tile",
    "ledger_head",
    "bulk_chunk",
    "bulk_job",
    "ledger_reader",
    "subscription",
    "subscription_binding",
    "subscription_event",
    "condition_guard",
    "disposal",
    "foreign_entry",
    "guest",
    "known_recipient",
    "ledger_anchor",
    "ledger_cosigned",
    "ledger_seen",
    "ledger_view",
    "ledger_witness",
    "legal_hold",
    "policy_bundle",
    "review",
    "shared_file",
    "shared_link",
    "split_view",
}
LIST_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgres": "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
}
# Starts slowly, as Python does, and then opens at a sign.
OPEN_AT_A_SIGN = """
import sys
from carekeep.storage import open_database
print(flush=True)
sys.stdin.readline()
open_database(sys.argv[1])
"""


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that nobody has opened yet."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path}/new.db"
        return
    server = request.getfixturevalue("postgres_server")
    assert isinstance(server, PostgresServer)
    name = server.create_empty()
    yield server.url(name)
    server.drop(name)


def know_one_more(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    """Lets the migrations of the next Carekeep be ours and one more."""

    def known(dialect: str) -> tuple[Migration, ...]:
        return (*known_migrations(dialect), Migration(99, "next", sql, hashlib.sha256(sql.encode()).digest()))

    monkeypatch.setattr("carekeep.storage.sqlite_file.known_migrations", known)
    monkeypatch.setattr("carekeep.storage.postgres_server.known_migrations", known)


@pytest.mark.parametrize("applied", [0, 1, 2, 3])
def test_what_is_missing_is_pending_in_order(applied: int) -> None:
    rows = [Applied(migration.number, migration.digest) for migration in MIGRATIONS[:applied]]
    assert pending_migrations(MIGRATIONS, rows) == MIGRATIONS[applied:]


def test_a_gap_in_the_history_is_refused() -> None:
    with pytest.raises(StorageError, match="Migration 2"):
        pending_migrations(MIGRATIONS, [Applied(1, b"\x01"), Applied(3, b"\x03")])


def test_the_dialects_have_the_same_migrations() -> None:
    names = {dialect: [(each.number, each.name) for each in known_migrations(dialect)] for dialect in LIST_TABLES}
    assert names["sqlite"] == names["postgres"]
    assert [number for number, _ in names["sqlite"]] == list(range(1, len(names["sqlite"]) + 1))


async def test_a_new_database_gets_every_table_and_a_date(empty_url: str) -> None:
    database = open_database(empty_url, clock=lambda: 1_234)
    assert {name for (name,) in await database.fetch(LIST_TABLES[database.dialect])} == TABLES
    expected = [(each.number, each.name, each.digest, 1_234) for each in known_migrations(database.dialect)]
    assert await database.fetch("SELECT number, name, digest, applied_ms FROM schema_migration") == expected
    await database.close()


async def test_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    command = (sys.executable, "-c", OPEN_AT_A_SIGN, empty_url)
    processes = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    database = open_database(empty_url)
    numbers = [(each.number,) for each in known_migrations(database.dialect)]
    assert await database.fetch("SELECT number FROM schema_migration ORDER BY number") == numbers
    await database.close()


async def test_a_newer_carekeep_keeps_the_rows(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.commit([insert("kept", n=7)])
    know_one_more(monkeypatch, "CREATE TABLE newer (n INTEGER);\nINSERT INTO newer SELECT n FROM generation;\n")
    newer = open_database(database_url)
    assert await newer.fetch("SELECT n FROM newer") == [(7,)]
    assert await table(newer) == {"kept": 7}
    await newer.close()


async def test_a_migration_that_fails_leaves_nothing(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_one_more(monkeypatch, "CREATE TABLE newer (n INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(StorageError, match="nowhere"):
        open_database(database_url)
    assert {name for (name,) in await database.fetch(LIST_TABLES[database.dialect])} == TABLES
    monkeypatch.undo()
    await open_database(database_url).close()


async def test_a_schema_from_the_future_is_refused(database: Database, database_url: str) -> None:
    columns = ("number", "name", "digest", "applied_ms")
    newest = known_migrations(database.dialect)[-1].number
    await database.commit([Insert("schema_migration", columns, [(newest + 6, "future", b"", 0)])])
    with pytest.raises(SchemaTooNew, match=rf"has schema {newest + 6}.*up to {newest}\..*newer"):
        open_database(database_url)


async def test_a_migration_with_other_content_is_refused(database: Database, database_url: str) -> None:
    sql = "UPDATE schema_migration SET digest = $1 WHERE number = 1"
    await database.commit([Change(sql, [(b"other",)], expect=1)])
    with pytest.raises(StorageError, match="Migration 1"):
        open_database(database_url)


def test_the_digest_covers_the_whole_file() -> None:
    migration = known_migrations("sqlite")[0]
    assert migration.digest == hashlib.sha256(migration.sql.encode()).digest()
    assert replace(migration, sql=migration.sql + " ") != migration

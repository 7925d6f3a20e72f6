"""Rotation: whatever interrupts it or happens beside it, every key opens, and the old keys go last."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from carekeep.encryption import EncryptionError, KeyDestroyed, KeyFile, KeyMissing, Keyring, keyfile, rotation
from carekeep.encryption.durable import replace_file
from carekeep.encryption.rotation import Rotation
from carekeep.encryption.scopes import wrap_patient_key
from carekeep.storage import Change, Conflict, Database, Row, open_database
from tests.encryption.keys import new_key_file, new_keyring, opened_key_file, opens
from tests.storage.postgres_server import PostgresServer

SCOPES = range(1, 8)
PLAINTEXT = b"a record"


class Crash(Exception):
    """The process stops here."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 3)


async def opened(database: Database, folder: Path) -> Keyring:
    return await Keyring.open(database, opened_key_file(folder), create=False)


async def add(database: Database, keys: Keyring, scope: int) -> bytes:
    """A new patient's first record, sealed."""
    prepared = keys.prepare_scope(scope)
    await database.commit(prepared.steps)
    return prepared.value.cipher.seal(PLAINTEXT, b"")


async def add_all(database: Database, keys: Keyring) -> dict[int, bytes]:
    return {scope: await add(database, keys, scope) for scope in SCOPES}


async def finish(database: Database, keys: Keyring) -> None:
    async for unit in keys.rotate():
        await database.commit(unit.steps)


async def assert_all_open(database: Database, folder: Path, sealed: dict[int, bytes]) -> None:
    """For a process that starts now, and for what the ledger would verify."""
    keys = await opened(database, folder)
    for scope, record in sealed.items():
        assert opens((await keys.scope(scope)).cipher, record, b"")
    assert [finding async for finding in keys.verify()] == []


async def test_everything_moves_and_the_old_keys_go(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    sealed = await add_all(database, keys)
    old_file = (tmp_path / "carekeep.key").read_bytes()
    old_rows = await database.fetch("SELECT scope, wrapped FROM patient_key ORDER BY scope")
    progress, pins = [], {}
    async for unit in keys.rotate():
        await database.commit(unit.steps)
        progress.append((unit.value.done, unit.value.total))
        pins.update({pin.key: pin.digest for pin in unit.pins})
    assert progress[0] == (0, 7)
    assert progress[-1] == (7, 7)
    assert progress == sorted(progress)
    await assert_all_open(database, tmp_path, sealed)
    assert not opened_key_file(tmp_path).retiring
    rows = await database.fetch("SELECT scope, wrapped FROM patient_key ORDER BY scope")
    assert pins == {f"{scope:016x}": hashlib.sha256(wrapped).digest() for scope, wrapped in rows}
    # The old copy of the table is worth nothing with the new key file, and the new table nothing with the old file.
    await database.commit([Change("UPDATE patient_key SET wrapped = $2, epoch = 1 WHERE scope = $1", old_rows)])
    with pytest.raises(KeyMissing, match="epoch 1"):
        await (await opened(database, tmp_path)).scope(1)
    (tmp_path / "old.key").write_bytes(old_file)
    with pytest.raises(KeyMissing, match="an old copy"):
        await Keyring.open(database, opened_key_file(tmp_path, "old.key"), create=False)


async def test_stopped_anywhere_it_can_be_finished(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = await add_all(database, await new_keyring(database, tmp_path))
    for stop_at in itertools.count():
        moments = iter(range(stop_at))

        def survive(moments: Iterator[int] = moments) -> None:
            if next(moments, None) is None:
                raise Crash

        def write(path: Path, content: bytes, survive: Callable[[], None] = survive) -> None:
            survive()
            replace_file(path, content)
            survive()

        monkeypatch.setattr(keyfile, "replace_file", write)
        with suppress(Crash):
            async for unit in (await opened(database, tmp_path)).rotate():
                survive()
                await database.commit(unit.steps)
                survive()
            break
        monkeypatch.setattr(keyfile, "replace_file", replace_file)
        await assert_all_open(database, tmp_path, sealed)
        await finish(database, await opened(database, tmp_path))
        await assert_all_open(database, tmp_path, sealed)
        assert not opened_key_file(tmp_path).retiring
    assert stop_at == 16  # two file writes and six units, stopped before each and after each


async def test_a_worker_with_the_old_file_reads_on_and_writes_on(database: Database, tmp_path: Path) -> None:
    sealed = await add_all(database, await new_keyring(database, tmp_path))
    worker, rotating = await opened(database, tmp_path), await opened(database, tmp_path)
    scopes = itertools.count(100)
    async for unit in rotating.rotate():
        await database.commit(unit.steps)
        worker.forget_cached()
        scope = next(scopes)
        sealed[scope] = await add(database, worker, scope)
        for scope, record in sealed.items():
            assert opens((await worker.scope(scope)).cipher, record, b"")
    await assert_all_open(database, tmp_path, sealed)


@pytest.mark.parametrize("reading", ["a key", "all for verification"])
async def test_a_row_read_before_a_rotation_ends_is_read_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    sealed = await add_all(database, await new_keyring(database, tmp_path))
    worker, rotating = await opened(database, tmp_path), await opened(database, tmp_path)
    fetch_one, stream = database.fetch_one, database.stream

    async def overtaken_row(sql: str, params: tuple[int]) -> Row | None:
        row = await fetch_one(sql, params)
        monkeypatch.undo()
        await finish(database, rotating)
        return row

    async def overtaken_rows(sql: str) -> AsyncIterator[list[Row]]:
        async for rows in stream(sql):
            await finish(database, rotating)
            yield rows

    if reading == "a key":
        monkeypatch.setattr(database, "fetch_one", overtaken_row)
        assert opens((await worker.scope(1)).cipher, sealed[1], b"")
    else:
        monkeypatch.setattr(database, "stream", overtaken_rows)
        assert [finding async for finding in worker.verify()] == []
    assert rotating.prepare_scope(9).steps[0].rows[0][1] == 2  # the rotation did happen


async def test_a_key_of_a_retired_epoch_cannot_be_added(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    sealed = await add_all(database, keys)
    early, late = keys.prepare_scope(100), keys.prepare_scope(101)
    units = keys.rotate()
    mark = await anext(units)
    await database.commit(early.steps)
    await database.commit(mark.steps)
    with pytest.raises(Conflict):
        await database.commit(late.steps)
    assert await database.fetch("SELECT 1 FROM patient_key WHERE scope = 101") == []
    sealed[101] = await add(database, keys, 101)
    async for unit in units:
        await database.commit(unit.steps)
    sealed[100] = early.value.cipher.seal(PLAINTEXT, b"")
    await assert_all_open(database, tmp_path, sealed)


async def test_a_key_destroyed_meanwhile_stays_destroyed(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    sealed = await add_all(database, keys)
    conflicts = 0
    async for unit in keys.rotate():
        if unit.value.done and 2 in sealed:
            del sealed[2]
            await database.commit((await keys.prepare_destroy(2)).steps)
        try:
            await database.commit(unit.steps)
        except Conflict:
            conflicts += 1
    assert conflicts == 1
    await assert_all_open(database, tmp_path, sealed)
    with pytest.raises(KeyDestroyed):
        await keys.scope(2)


async def test_two_rotations_at_once(database: Database, tmp_path: Path) -> None:
    sealed = await add_all(database, await new_keyring(database, tmp_path))
    rotations = [(await opened(database, tmp_path)).rotate() for _ in range(2)]
    while rotations:
        for units in list(rotations):
            unit = await anext(units, None)
            if unit is None:
                rotations.remove(units)
            else:
                with suppress(Conflict):
                    await database.commit(unit.steps)
    await assert_all_open(database, tmp_path, sealed)
    assert not opened_key_file(tmp_path).retiring


async def test_a_row_that_does_not_open_keeps_the_old_keys(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    sealed = await add_all(database, keys)
    [(wrapped,)] = await database.fetch("SELECT wrapped FROM patient_key WHERE scope = 4")
    damage = "UPDATE patient_key SET wrapped = $1 WHERE scope = 4"
    await database.commit([Change(damage, ((wrapped[:-1] + bytes([wrapped[-1] ^ 1]),),))])
    with pytest.raises(EncryptionError, match="1 patient keys do not open"):
        await finish(database, keys)
    assert opened_key_file(tmp_path).retiring
    await database.commit([Change(damage, ((wrapped,),))])
    await finish(database, keys)
    await assert_all_open(database, tmp_path, sealed)
    assert not opened_key_file(tmp_path).retiring


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> AsyncIterator[tuple[Database, str]]:
    name = postgres_server.create_migrated()
    database = open_database(postgres_server.url(name))
    yield database, postgres_server.url(name)
    await database.close()
    postgres_server.drop(name)


async def test_postgres_units_that_missed_the_mark_are_waited_for(
    postgres: tuple[Database, str], tmp_path: Path
) -> None:
    """A unit of another machine, begun before the mark and committed after it."""
    database, url = postgres
    service: KeyFile = new_key_file(tmp_path)
    keys = await Keyring.open(database, service, create=True)
    late = wrap_patient_key(service, 100, bytes(32))
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("INSERT INTO patient_key (scope, epoch, wrapped) VALUES (100, 1, %s)", (late,))

        async def commit_late(_: float) -> None:
            await connection.commit()

        async for unit in Rotation(database, service, keys.rows, commit_late).run():
            await database.commit(unit.steps)
    assert not service.retiring
    assert await database.fetch("SELECT epoch FROM patient_key WHERE scope = 100") == [(2,)]
    await keys.scope(100)

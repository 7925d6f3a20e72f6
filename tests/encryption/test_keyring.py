"""The keyring: system keys, patients' keys, and their destruction."""

from pathlib import Path

import pytest

from carekeep.encryption import EncryptionError, KeyDestroyed, KeyMissing, Keyring, KeyUnknown, ScopeKeys, keyring
from carekeep.encryption.scopes import patient_key_pin, remains
from carekeep.storage import Change, Conflict, Database, Finding, Pin, Row
from tests.encryption.keys import new_key_file, new_keyring, opened_key_file, opens

NOW = 1_790_000_000_000


async def opened(database: Database, folder: Path) -> Keyring:
    """The same keys, as another process has them."""
    return await Keyring.open(database, opened_key_file(folder), create=False, clock=lambda: NOW)


async def new_patient(database: Database, keys: Keyring, scope: int) -> ScopeKeys:
    prepared = keys.prepare_scope(scope)
    await database.commit(prepared.steps)
    return prepared.value


async def findings(keys: Keyring) -> list[Finding]:
    return [finding async for finding in keys.verify()]


async def test_every_process_has_the_same_keys(database: Database, tmp_path: Path) -> None:
    one = await new_keyring(database, tmp_path)
    two = await opened(database, tmp_path)
    for ours, theirs in (
        (one.shared.cipher, two.shared.cipher),
        (one.rows, two.rows),
        (one.ledger_cipher(20_000), two.ledger_cipher(20_000)),
    ):
        assert opens(theirs, ours.seal(b"x", b"aad"), b"aad")
    assert one.index.tag("a") == two.index.tag("a")
    assert one.shared.tags.tag("a") == two.shared.tags.tag("a")
    assert one.checkpoint_key.public_key() == two.checkpoint_key.public_key()
    assert (one.rid("Patient", "1"), one.scope_of("1")) == (two.rid("Patient", "1"), two.scope_of("1"))


async def test_a_database_without_keys_is_not_given_any_by_accident(database: Database, tmp_path: Path) -> None:
    with pytest.raises(EncryptionError, match="Run `carekeep init`"):
        await Keyring.open(database, new_key_file(tmp_path), create=False)
    assert await database.fetch("SELECT * FROM system_key") == []


async def test_opening_for_creation_twice_keeps_the_keys(database: Database, tmp_path: Path) -> None:
    one = await new_keyring(database, tmp_path)
    two = await Keyring.open(database, opened_key_file(tmp_path), create=True)
    assert one.index.tag("a") == two.index.tag("a")


async def test_the_key_file_of_another_database_is_refused(database: Database, tmp_path: Path) -> None:
    await new_keyring(database, tmp_path)
    with pytest.raises(KeyMissing, match="belongs to another database"):
        await Keyring.open(database, new_key_file(tmp_path, "other.key"), create=True)


async def test_no_key_serves_two_purposes(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    ciphers = [keys.rows, keys.shared.cipher, keys.ledger_cipher(1), keys.ledger_cipher(2)]
    ciphers += [keys.prepare_scope(scope).value.cipher for scope in (1, 2)]
    for sealing in ciphers:
        assert [cipher for cipher in ciphers if opens(cipher, sealing.seal(b"x", b""), b"")] == [sealing]


async def test_names_of_records_and_scopes(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    rids = {keys.rid(type_, id_) for type_, id_ in (("Patient", "1"), ("Patient", "2"), ("Patient1", ""), ("", "1"))}
    assert len(rids) == 4
    assert {len(rid) for rid in rids} == {16}
    scopes = {keys.scope_of(str(n)) for n in range(100)}
    assert len(scopes) == 100
    assert all(0 < scope < 1 << 63 for scope in scopes)


async def test_ledger_ciphers_are_kept_in_bounds(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    sealed = keys.ledger_cipher(0).seal(b"x", b"")
    for day in range(1000):
        keys.ledger_cipher(day)
    assert opens(keys.ledger_cipher(0), sealed, b"")
    assert len(keys._ledger_ciphers) <= 64  # noqa: SLF001


async def test_a_patients_key_is_found_by_every_process(database: Database, tmp_path: Path) -> None:
    one = await new_keyring(database, tmp_path)
    two = await opened(database, tmp_path)
    with pytest.raises(KeyUnknown, match="000000000000002a"):
        await one.scope(42)
    made = await new_patient(database, one, 42)
    sealed = made.cipher.seal(b"x", b"aad")
    for keys in (await one.scope(42), await two.scope(42)):
        assert keys.scope == 42
        assert opens(keys.cipher, sealed, b"aad")
        assert keys.tags.tag("a") == made.tags.tag("a")
    assert await one.scope(42) is await one.scope(42)
    assert await one.scope(0) is one.shared


async def test_a_scope_gets_one_key_only(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    first, second = keys.prepare_scope(1), keys.prepare_scope(1)
    await database.commit(first.steps)
    with pytest.raises(Conflict):
        await database.commit(second.steps)
    assert opens((await keys.scope(1)).cipher, first.value.cipher.seal(b"x", b""), b"")


async def test_a_destroyed_key_is_gone_at_once_here_and_elsewhere_when_told(database: Database, tmp_path: Path) -> None:
    await new_keyring(database, tmp_path)
    here, elsewhere = await opened(database, tmp_path), await opened(database, tmp_path)
    await new_patient(database, here, 1)
    await here.scope(1)
    await elsewhere.scope(1)
    prepared = await here.prepare_destroy(1)
    assert (await here.scope(1)).scope == 1  # not committed yet
    await here.scope(1)
    await database.commit(prepared.steps)
    with pytest.raises(KeyDestroyed) as destroyed:
        await here.scope(1)
    assert destroyed.value.destroyed_ms == NOW
    elsewhere.forget_cached()
    with pytest.raises(KeyDestroyed):
        await elsewhere.scope(1)
    with pytest.raises(KeyDestroyed):
        await elsewhere.prepare_destroy(1)
    with pytest.raises(Conflict):
        await database.commit(here.prepare_scope(1).steps)
    assert await database.fetch("SELECT wrapped FROM patient_key") == [(None,)]
    assert await database.fetch("SELECT topic, n FROM generation") == [("keys", 1)]
    assert prepared.pins == (patient_key_pin(1, remains(1, NOW)),)


async def test_a_key_read_before_its_destruction_is_not_kept(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by a request that is still on its way when another process has destroyed it, and told us so."""
    here = await new_keyring(database, tmp_path)
    elsewhere = await opened(database, tmp_path)
    await new_patient(database, here, 1)
    fetch_one = database.fetch_one

    async def overtaken(sql: str, params: tuple[int]) -> Row | None:
        row = await fetch_one(sql, params)
        monkeypatch.undo()
        await database.commit((await elsewhere.prepare_destroy(1)).steps)
        here.forget_cached()
        return row

    monkeypatch.setattr(database, "fetch_one", overtaken)
    await here.scope(1)
    with pytest.raises(KeyDestroyed):
        await here.scope(1)


async def test_a_destruction_that_was_not_committed_changes_nothing(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    await new_patient(database, keys, 1)
    await keys.prepare_destroy(1)
    keys.forget_cached()
    assert await keys.scope(1) is await keys.scope(1)
    with pytest.raises(KeyUnknown):
        await keys.prepare_destroy(2)


async def test_two_destructions_are_one(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    await new_patient(database, keys, 1)
    first, second = await keys.prepare_destroy(1), await keys.prepare_destroy(1)
    await database.commit(first.steps)
    with pytest.raises(Conflict):
        await database.commit(second.steps)


async def test_pins_are_digests_of_the_rows(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    prepared = keys.prepare_scope(255)
    await database.commit(prepared.steps)
    assert [(pin.table, pin.key, len(pin.digest)) for pin in prepared.pins] == [("patient_key", "00000000000000ff", 32)]
    [(wrapped,)] = await database.fetch("SELECT wrapped FROM patient_key")
    assert prepared.pins == (patient_key_pin(255, wrapped),)


async def test_cache_keeps_what_was_used_last(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "_CACHED_SCOPES", 2)
    keys = await new_keyring(database, tmp_path)
    for scope in (1, 2, 3):
        await new_patient(database, keys, scope)
    first, second = await keys.scope(1), await keys.scope(2)
    assert await keys.scope(1) is first
    await keys.scope(3)
    assert await keys.scope(1) is first
    assert await keys.scope(2) is not second


async def test_verify_finds_nothing_in_what_is_as_it_was_written(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    for scope in (1, 2):
        await new_patient(database, keys, scope)
    await database.commit((await keys.prepare_destroy(1)).steps)
    assert await findings(keys) == []


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("UPDATE patient_key SET wrapped = (SELECT wrapped FROM patient_key WHERE scope = 2) WHERE scope = 1", 1),
        ("UPDATE patient_key SET epoch = 7 WHERE scope = 2", 2),
        ("UPDATE patient_key SET scope = 9 WHERE scope = 2", 9),
        ("UPDATE patient_key SET wrapped = NULL WHERE scope = 1", 1),
        ("UPDATE patient_key SET destroyed_ms = 5 WHERE scope = 1", 1),
        (
            "UPDATE system_key SET wrapped = (SELECT wrapped FROM system_key WHERE name = 'rows') WHERE name = 'index'",
            "index",
        ),
        (
            "INSERT INTO system_key (name, wrapped) SELECT 'retired/1', wrapped FROM system_key WHERE name = 'rows'",
            None,
        ),
    ],
)
async def test_verify_names_what_was_changed(
    database: Database, tmp_path: Path, sql: str, where: int | str | None
) -> None:
    keys = await new_keyring(database, tmp_path)
    for scope in (1, 2):
        await new_patient(database, keys, scope)
    await database.commit([Change(sql, ((),), expect=1)])
    expected = f"patient_key/{where:016x}" if isinstance(where, int) else f"system_key/{where or 'retired/1'}"
    assert [finding.where for finding in await findings(keys)] == [expected]


async def test_verify_misses_system_keys_and_marks_of_retired_epochs(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    async for unit in keys.rotate():
        await database.commit(unit.steps)
    assert await findings(keys) == []
    for name in ("index", "retired/1"):
        await database.commit([Change("DELETE FROM system_key WHERE name = $1", ((name,),), expect=1)])
    assert {finding.where for finding in await findings(keys)} == {"system_key/index", "system_key/retired/1"}


async def test_what_is_left_of_a_destroyed_key_is_pinned(database: Database, tmp_path: Path) -> None:
    keys = await new_keyring(database, tmp_path)
    await new_patient(database, keys, 1)
    prepared = await keys.prepare_destroy(1)
    await database.commit(prepared.steps)

    async def pins() -> tuple[Pin, ...]:
        return tuple([patient_key_pin(int(key, 16), content) async for key, content in keys.pinned_rows()])

    assert await pins() == prepared.pins
    for change in ("epoch = epoch + 1", "destroyed_ms = destroyed_ms + 1"):
        await database.commit([Change(f"UPDATE patient_key SET {change}", ((),), expect=1)])  # noqa: S608
        assert await pins() != prepared.pins

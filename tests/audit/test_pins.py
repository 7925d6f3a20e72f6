"""A row that is not what the ledger last said of it is found, although nothing in the row itself is wrong."""

import hashlib
from collections.abc import AsyncIterator, Mapping

import pytest

from carekeep.audit import Ledger, RowReader, SealedEntry, check_pins
from carekeep.storage import Change, Database, Finding, Insert, Pin, Prepared
from tests.audit.logs import (
    KEYS,
    Attacker,
    a_ledger,
    a_sequencer,
    an_entry,
    findings_of,
    flipped,
    integrate_all,
)


def pin(name: str, wrapped: bytes) -> Pin:
    return Pin("system_key", name, hashlib.sha256(wrapped).digest() if wrapped else b"")


def added(name: str, wrapped: bytes) -> Prepared[None]:
    return Prepared(None, (Insert("system_key", ("name", "wrapped"), [(name, wrapped)]),), (pin(name, wrapped),))


def changed(name: str, wrapped: bytes) -> Prepared[None]:
    step = Change("UPDATE system_key SET wrapped = $1 WHERE name = $2", [(wrapped, name)], expect=1)
    return Prepared(None, (step,), (pin(name, wrapped),))


def removed(name: str) -> Prepared[None]:
    step = Change("DELETE FROM system_key WHERE name = $1", [(name,)], expect=1)
    return Prepared(None, (step,), (pin(name, b""),))


def tables(database: Database) -> dict[str, RowReader]:
    async def rows() -> AsyncIterator[tuple[str, bytes | None]]:
        async for batch in database.stream("SELECT name, wrapped FROM system_key ORDER BY name"):
            for name, wrapped in batch:
                yield name, wrapped or None

    return {"system_key": rows}


async def found(ledger: Ledger, readers: Mapping[str, RowReader]) -> list[Finding]:
    return await findings_of(check_pins(ledger, readers))


@pytest.fixture(params=["waiting", "integrated"])
async def ledger(database: Database, request: pytest.FixtureRequest) -> Ledger:
    """One row as it was made, one changed twice, one removed, one removed and made again."""
    ledger = a_ledger(database)
    for change in (
        added("a", b"a1"), added("b", b"b1"), changed("b", b"b2"), changed("b", b"b3"),
        added("c", b"c1"), removed("c"), added("d", b"d1"), removed("d"), added("d", b"d2"),
    ):  # fmt: skip
        await ledger.record(an_entry(), change)
    if request.param == "integrated":
        await integrate_all(a_sequencer(database))
    return ledger


async def test_rows_that_are_what_they_should_be(database: Database, ledger: Ledger) -> None:
    assert [step async for step in check_pins(ledger, tables(database))] == [9]


_SET = "UPDATE system_key SET wrapped = $2 WHERE name = $1"
_ADD = "INSERT INTO system_key VALUES ($1, $2)"
_REMOVE = "DELETE FROM system_key WHERE name = $1 AND wrapped = $2"


@pytest.mark.parametrize(
    ("sql", "name", "content", "what"),
    [
        (_SET, "a", b"a2", "it was changed, and not by what the ledger says"),
        (_SET, "b", b"b2", "it was changed, and not by what the ledger says"),
        (_ADD, "c", b"c1", "the ledger says that it was removed, and it is back"),
        (_ADD, "x", b"x1", "the ledger knows nothing of it"),
        (_REMOVE, "d", b"d2", "it is missing: the ledger speaks of it in"),
    ],
)
async def test_rows_that_are_not(
    database: Database, ledger: Ledger, sql: str, name: str, content: bytes, what: str
) -> None:
    await Attacker(database).run(sql, name, content)
    (finding,) = await found(ledger, tables(database))
    assert finding.where == f"system_key {name}"
    assert finding.what.startswith(what)


async def test_an_entry_that_does_not_open_is_named(database: Database) -> None:
    ledger = a_ledger(database)
    for number in range(5):
        await ledger.record(an_entry(number))
    await integrate_all(a_sequencer(database))
    attacker = Attacker(database)
    leaf = await attacker.value("SELECT leaf FROM ledger_entry WHERE leaf_index = 3")
    await attacker.run("UPDATE ledger_entry SET leaf = $1 WHERE leaf_index = 3", flipped(leaf, 60))
    await ledger.record(an_entry(6))
    forged = b"\xff" * 16
    await attacker.run("INSERT INTO ledger_pending VALUES ($1, $2)", forged, b"\x01" * 100)
    wheres = [finding.where for finding in await found(ledger, {})]
    assert wheres == [f"ledger entry 3 ({leaf[1:17].hex()})", f"ledger entry waiting ({forged.hex()})"]


async def test_tables_that_are_not_named_are_not_compared(database: Database, ledger: Ledger) -> None:
    await Attacker(database).run("DELETE FROM system_key WHERE wrapped <> $1", b"")
    assert await found(ledger, {}) == []
    wheres = {finding.where for finding in await found(ledger, tables(database))}
    assert wheres == {"system_key a", "system_key b", "system_key d"}


async def test_a_destroyed_content_is_like_a_row_that_is_gone(database: Database) -> None:
    ledger = a_ledger(database)
    await ledger.record(an_entry(), added("k", b"k1"))
    step = Change("UPDATE system_key SET wrapped = $1 WHERE name = $2", [(b"", "k")], expect=1)
    await ledger.record(an_entry(), Prepared(None, (step,), (pin("k", b""),)))
    assert await found(ledger, tables(database)) == []
    await Attacker(database).run("UPDATE system_key SET wrapped = $1 WHERE name = 'k'", b"k1")
    assert [finding.where for finding in await found(ledger, tables(database))] == ["system_key k"]


async def test_what_changes_during_the_walk_is_no_finding(database: Database, ledger: Ledger) -> None:
    """Rows change, come and go after the entries were read and before, or while, the rows are."""
    sequencer = a_sequencer(database)

    async def rows() -> AsyncIterator[tuple[str, bytes | None]]:
        await ledger.record(an_entry(), changed("a", b"a2"))
        await ledger.record(an_entry(), added("new", b"new1"))
        await integrate_all(sequencer)
        await ledger.record(an_entry(), changed("new", b"new2"))
        await ledger.record(an_entry(), removed("d"))
        async for row in tables(database)["system_key"]():
            yield row
        await ledger.record(an_entry(), changed("a", b"a3"))

    assert await found(ledger, {"system_key": rows}) == []
    assert await found(ledger, tables(database)) == []


async def test_entries_that_are_integrated_during_the_walk_keep_their_order(database: Database) -> None:
    class Moving(Ledger):
        """Integrates everything, and changes a row again, between the walk of what waits and that of the log."""

        moved = False

        async def entries(self, start: int = 0, end: int = 2**63 - 1) -> AsyncIterator[SealedEntry]:
            if not self.moved:
                self.moved = True
                await self.record(an_entry(), changed("a", b"a2"))
                await integrate_all(a_sequencer(database))
            async for entry in super().entries(start, end):
                yield entry

    ledger = Moving(database, KEYS)
    await ledger.record(an_entry(), added("a", b"a1"))
    assert await found(ledger, tables(database)) == []
    assert ledger.moved


async def test_a_tampered_row_is_found_while_other_things_change(database: Database, ledger: Ledger) -> None:
    await Attacker(database).run("UPDATE system_key SET wrapped = $1 WHERE name = 'b'", b"b1")

    async def rows() -> AsyncIterator[tuple[str, bytes | None]]:
        await ledger.record(an_entry(), changed("a", b"a2"))
        async for row in tables(database)["system_key"]():
            yield row

    assert [finding.where for finding in await found(ledger, {"system_key": rows})] == ["system_key b"]


async def test_pins_of_a_change_in_several_parts_count(database: Database) -> None:
    ledger = a_ledger(database)
    names = [f"key-{number:04}" for number in range(1500)]
    rows = [(name, name.encode()) for name in names]
    change = Prepared(
        None, (Insert("system_key", ("name", "wrapped"), rows),), tuple(pin(name, name.encode()) for name in names)
    )
    await ledger.record(an_entry(), change)
    assert await found(ledger, tables(database)) == []
    await Attacker(database).run("UPDATE system_key SET wrapped = $1 WHERE name = 'key-1499'", b"x")
    assert [finding.where for finding in await found(ledger, tables(database))] == ["system_key key-1499"]


async def test_a_waiting_entry_under_another_id_is_found(database: Database) -> None:
    ledger = a_ledger(database)
    entry_id = await ledger.record(an_entry())
    other = flipped(entry_id, 15)
    await Attacker(database).run("UPDATE ledger_pending SET entry_id = $1", other)
    (finding,) = await found(ledger, tables(database))
    assert other.hex() in finding.where

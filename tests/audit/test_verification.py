"""Whatever is changed behind our back in the log is found, and called by its name."""

import random
from collections.abc import AsyncIterator

import pytest

from carekeep.audit import Sequencer, VerifierKey, verify_tree
from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.merkle import leaf_hash
from carekeep.audit.tiles import RightEdge
from carekeep.storage import Change, Database, Finding, Insert
from tests.audit.logs import (
    KEY,
    KEYS,
    ORIGIN,
    Attacker,
    Keys,
    a_leaf,
    a_ledger,
    a_log,
    a_sequencer,
    findings_of,
    flipped,
    integrate_all,
    record_all,
)

SIZE = 600  # two full tiles, one of 88, and one above them of 2

_LEAF = "SELECT leaf FROM ledger_entry WHERE leaf_index = $1"
_SET_LEAF = "UPDATE ledger_entry SET leaf = $1 WHERE leaf_index = $2"
_TILE = "SELECT hashes FROM ledger_tile WHERE level = $1 AND number = $2"
_SET_TILE = "UPDATE ledger_tile SET hashes = $1 WHERE level = $2 AND number = $3"


@pytest.fixture
async def attacker(database: Database) -> Attacker:
    """Somebody before a sound log of 600 entries."""
    await a_log(database, SIZE)
    assert await findings_of(verify_tree(database, KEY)) == []
    return Attacker(database)


async def found(attacker: Attacker, known: str | None = None) -> list[Finding]:
    return await findings_of(verify_tree(attacker.database, KEY, known))


async def name_of(attacker: Attacker, index: int) -> str:
    entry_id = await attacker.value("SELECT entry_id FROM ledger_entry WHERE leaf_index = $1", index)
    return f"ledger entry {index} ({entry_id.hex()})"


async def test_it_tells_how_far_it_is(attacker: Attacker) -> None:
    steps = [step async for step in verify_tree(attacker.database, KEY)]
    assert steps == [0, SIZE]


async def test_a_database_without_a_ledger_is_sound(database: Database) -> None:
    assert await findings_of(verify_tree(database, KEY)) == []


async def test_a_flipped_bit_in_any_entry_is_found_and_the_entry_named(attacker: Attacker) -> None:
    chance = random.Random(1)  # noqa: S311
    for index in [0, 255, 256, 511, 512, SIZE - 1, *(chance.randrange(SIZE) for _ in range(20))]:
        leaf = await attacker.value(_LEAF, index)
        await attacker.run(_SET_LEAF, flipped(leaf, chance.randrange(17, len(leaf)), chance.randrange(8)), index)
        assert await found(attacker) == [Finding(await name_of(attacker, index), "it was changed")]
        await attacker.run(_SET_LEAF, leaf, index)
    assert await found(attacker) == []


async def test_a_flipped_bit_in_an_entrys_id_is_found_on_both_sides(attacker: Attacker) -> None:
    leaf = await attacker.value(_LEAF, 300)
    await attacker.run(_SET_LEAF, flipped(leaf, 5), 300)
    assert {finding.where for finding in await found(attacker)} == {await name_of(attacker, 300)}
    await attacker.run(_SET_LEAF, leaf, 300)
    other = flipped(leaf[1:17], 15)
    await attacker.run("UPDATE ledger_entry SET entry_id = $1 WHERE leaf_index = 300", other)
    assert await found(attacker) == [
        Finding(f"ledger entry 300 ({other.hex()})", "it is no leaf, or stands under another's id")
    ]


async def test_a_flipped_bit_in_any_tile_is_found_and_the_tile_named(attacker: Attacker) -> None:
    chance = random.Random(2)  # noqa: S311
    for level, number in [(0, 0), (0, 1), (0, 2), (1, 0)] * 4:
        tile = await attacker.value(_TILE, level, number)
        await attacker.run(_SET_TILE, flipped(tile, chance.randrange(len(tile)), chance.randrange(8)), level, number)
        assert [finding.where for finding in await found(attacker)] == [f"ledger tile {level}/{number}"]
        await attacker.run(_SET_TILE, tile[:-1], level, number)
        assert f"ledger tile {level}/{number}" in {finding.where for finding in await found(attacker)}
        await attacker.run("DELETE FROM ledger_tile WHERE level = $1 AND number = $2", level, number)
        assert f"ledger tile {level}/{number}" in {finding.where for finding in await found(attacker)}
        await attacker.run("INSERT INTO ledger_tile VALUES ($1, $2, $3)", level, number, tile)
    assert await found(attacker) == []


async def test_a_flipped_bit_in_the_checkpoint_is_found(attacker: Attacker) -> None:
    text = await attacker.value("SELECT checkpoint FROM ledger_head")
    chance = random.Random(3)  # noqa: S311
    for place in chance.sample(range(len(text)), 40):
        changed = f"{text[:place]}{chr(ord(text[place]) ^ 1)}{text[place + 1 :]}"
        await attacker.run("UPDATE ledger_head SET checkpoint = $1", changed)
        assert "ledger checkpoint" in {finding.where for finding in await found(attacker)}


async def test_two_swapped_entries_are_found(attacker: Attacker) -> None:
    first, second = await attacker.value(_LEAF, 40), await attacker.value(_LEAF, 41)
    await attacker.run(_SET_LEAF, second, 40)
    await attacker.run(_SET_LEAF, first, 41)
    findings = await found(attacker)
    assert findings[0].where == await name_of(attacker, 40)
    assert Finding(await name_of(attacker, 40), "it was changed, and 1 more in its tile") in findings
    assert await name_of(attacker, 41) in {finding.where for finding in findings}


async def test_two_entries_swapped_with_their_ids_are_found(attacker: Attacker) -> None:
    await attacker.run("UPDATE ledger_entry SET leaf_index = -1 WHERE leaf_index = 40")
    await attacker.run("UPDATE ledger_entry SET leaf_index = 40 WHERE leaf_index = 41")
    await attacker.run("UPDATE ledger_entry SET leaf_index = 41 WHERE leaf_index = -1")
    assert await found(attacker) == [Finding(await name_of(attacker, 40), "it was changed, and 1 more in its tile")]


@pytest.mark.parametrize(("first", "count"), [(0, 1), (255, 2), (100, 1), (0, 256), (300, 300), (SIZE - 1, 1)])
async def test_missing_entries_are_found(attacker: Attacker, first: int, count: int) -> None:
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index >= $1 AND leaf_index < $2", first, first + count)
    findings = await found(attacker)
    assert findings[0].where == f"ledger entry {first}"
    assert findings[0].what.startswith("it is missing")


async def test_an_entry_cut_off_with_its_hash_is_found(attacker: Attacker) -> None:
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index = $1", SIZE - 1)
    await attacker.run(_SET_TILE, (await attacker.value(_TILE, 0, 2))[:-32], 0, 2)
    assert Finding(f"ledger entry {SIZE - 1}", "it is missing") in await found(attacker)


async def test_all_entries_gone_is_found(attacker: Attacker) -> None:
    await attacker.run("DELETE FROM ledger_entry")
    assert (await found(attacker))[0] == Finding("ledger entry 0", "it is missing, and 255 more in its tile")


async def test_an_entry_that_was_moved_away_leaves_a_gap_and_stands_outside(attacker: Attacker) -> None:
    for elsewhere in (-5, SIZE + 5):
        await attacker.run("UPDATE ledger_entry SET leaf_index = $1 WHERE leaf_index = 7", elsewhere)
        wheres = [finding.where for finding in await found(attacker)]
        assert wheres == [f"ledger entry {elsewhere}", "ledger entry 7"]
        await attacker.run("UPDATE ledger_entry SET leaf_index = 7 WHERE leaf_index = $1", elsewhere)


async def test_a_tile_too_many_is_found(attacker: Attacker) -> None:
    await attacker.run("INSERT INTO ledger_tile VALUES (0, 99, $1)", bytes(32))
    assert [finding.where for finding in await found(attacker)] == ["ledger tiles"]


async def test_an_entry_that_waits_again_is_found(attacker: Attacker) -> None:
    await attacker.run(
        "INSERT INTO ledger_pending SELECT entry_id, leaf FROM ledger_entry WHERE leaf_index = 3 AND leaf_index < $1", 4
    )
    assert await found(attacker) == [
        Finding(await name_of(attacker, 3), "it is in the log and waits to be integrated again")
    ]


async def rewrite(attacker: Attacker, size: int, *, head: str | None) -> None:
    """Do it thoroughly: make all tiles anew from the entries that are there."""
    rows = await attacker.database.fetch("SELECT leaf FROM ledger_entry ORDER BY leaf_index")
    _, tiles = RightEdge().append([leaf_hash(leaf) for (leaf,) in rows])
    await attacker.run("DELETE FROM ledger_tile")
    await attacker.database.commit(
        [Insert("ledger_tile", ("level", "number", "hashes"), [(*place, tile) for place, tile in tiles.items()])]
    )
    if head is not None:
        await attacker.run("UPDATE ledger_head SET size = $1, checkpoint = $2", size, head)


async def test_an_entry_rewritten_with_all_tiles_is_found(attacker: Attacker) -> None:
    leaf = await attacker.value(_LEAF, 10)
    await attacker.run(_SET_LEAF, flipped(leaf, 100), 10)
    await rewrite(attacker, SIZE, head=None)
    assert await found(attacker) == [
        Finding("ledger checkpoint", "entries and tiles agree, but with another root than the signed one")
    ]


async def test_an_entry_rewritten_with_its_own_tile_is_found(attacker: Attacker) -> None:
    leaf, tile = flipped(await attacker.value(_LEAF, 300), 100), await attacker.value(_TILE, 0, 1)
    await attacker.run(_SET_LEAF, leaf, 300)
    await attacker.run(_SET_TILE, tile[: 44 * 32] + leaf_hash(leaf) + tile[45 * 32 :], 0, 1)
    assert [finding.where for finding in await found(attacker)] == ["ledger entry 256"]


async def test_a_rewritten_log_with_a_forged_checkpoint_is_found(attacker: Attacker) -> None:
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index >= 500 AND leaf_index < $1", SIZE)
    rows = await attacker.database.fetch("SELECT leaf FROM ledger_entry ORDER BY leaf_index")
    edge, _ = RightEdge().append([leaf_hash(leaf) for (leaf,) in rows])
    forged = sign_checkpoint(Checkpoint(ORIGIN, 500, edge.root()), Keys("forger").checkpoint_key)
    await rewrite(attacker, 500, head=forged)
    assert await found(attacker) == [Finding("ledger checkpoint", "no known key has signed the note")]


async def test_another_logs_checkpoint_is_found(attacker: Attacker) -> None:
    other = VerifierKey.of("ledger.example/elsewhere", KEYS.checkpoint_key)
    assert (await findings_of(verify_tree(attacker.database, other)))[0].where == "ledger checkpoint"


async def test_a_log_cut_to_an_older_checkpoint_needs_one_that_was_kept(database: Database) -> None:
    published: list[str] = []
    ledger = await a_log(database, 300)
    attacker = Attacker(database)
    older = await attacker.value("SELECT checkpoint FROM ledger_head")
    await record_all(ledger, range(300, SIZE))
    await integrate_all(a_sequencer(database, checkpoint_sink=published.append))
    newer = published[-1]
    for known in (None, older, newer):
        assert await found(attacker, known) == []
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index >= 300 AND leaf_index < $1", SIZE)
    await rewrite(attacker, 300, head=older)
    assert await found(attacker) == []
    assert await found(attacker, older) == []
    assert [finding.where for finding in await found(attacker, newer)] == ["checkpoint kept outside"]
    # It goes on from there, under the same key, until it is longer than what was published: a fork.
    await record_all(ledger, range(1000, 1400))
    await integrate_all(a_sequencer(database))
    assert await found(attacker) == []
    assert await found(attacker, newer) == [
        Finding("checkpoint kept outside", f"the first {SIZE} entries are not those that it signs")
    ]


async def test_a_log_without_its_head_is_found(attacker: Attacker) -> None:
    kept = await attacker.value("SELECT checkpoint FROM ledger_head")
    await attacker.run("DELETE FROM ledger_head")
    assert await found(attacker) == [Finding("ledger head", "it is missing, and there are entries")]
    await attacker.run("DELETE FROM ledger_entry")
    assert await found(attacker, kept) == [
        Finding("ledger head", "it is missing, and a checkpoint of this log was kept")
    ]


async def test_a_kept_checkpoint_that_is_none_is_found(attacker: Attacker) -> None:
    assert [finding.where for finding in await found(attacker, "rubbish")] == ["checkpoint kept outside"]


async def test_a_head_that_says_another_size_is_found(attacker: Attacker) -> None:
    await attacker.run("UPDATE ledger_head SET size = 599")
    assert (await found(attacker))[0] == Finding(
        "ledger checkpoint", "it is signed over 600 entries, the head says 599"
    )


async def test_a_log_that_grows_while_it_is_walked_is_sound(database: Database) -> None:
    ledger, sequencer = await a_log(database, SIZE), a_sequencer(database)

    async def while_it_grows(steps: AsyncIterator[Finding | int], sequencer: Sequencer) -> list[Finding]:
        findings = []
        async for step in steps:
            await record_all(ledger, range(300))
            await integrate_all(sequencer)
            if isinstance(step, Finding):
                findings.append(step)
        return findings

    assert await while_it_grows(verify_tree(database, KEY), sequencer) == []


async def test_a_tree_of_three_levels(database: Database) -> None:
    """66,000 entries: one full tile of level 1, so that it has a level above that speaks for it."""
    size = 66_000
    rows = []
    for index in range(size):
        entry_id = index.to_bytes(16, "big")
        rows.append((index, entry_id, a_leaf(entry_id)))
    edge, tiles = RightEdge().append([leaf_hash(leaf) for _, _, leaf in rows])
    text = sign_checkpoint(Checkpoint(ORIGIN, size, edge.root()), KEYS.checkpoint_key)
    tile_rows = [(*place, tile) for place, tile in tiles.items()]
    await database.commit(
        [
            Insert("ledger_entry", ("leaf_index", "entry_id", "leaf"), rows),
            Insert("ledger_tile", ("level", "number", "hashes"), tile_rows),
            Insert("ledger_head", ("id", "size", "checkpoint"), [(1, size, text)]),
        ]
    )
    attacker = Attacker(database)
    assert await found(attacker) == []
    for level, number, position, blamed in [
        (2, 0, 0, "ledger tile 1/0"),
        (1, 0, 77 * 32, "ledger tile 1/0"),
        (1, 1, 0, "ledger tile 1/1"),
        (0, 200, 0, "ledger tile 0/200"),
    ]:
        tile = await attacker.value(_TILE, level, number)
        await attacker.database.commit([Change(_SET_TILE, [(flipped(tile, position), level, number)], expect=1)])
        assert (await found(attacker))[0].where == blamed
        await attacker.run(_SET_TILE, tile, level, number)
    await attacker.run(_SET_LEAF, flipped(rows[65_000][2], 20), 65_000)
    assert await found(attacker) == [Finding(await name_of(attacker, 65_000), "it was changed")]


async def test_the_walk_needs_no_secret(attacker: Attacker) -> None:
    assert await findings_of(verify_tree(attacker.database, VerifierKey.parse(str(KEY)))) == []
    assert a_ledger(attacker.database) is not None

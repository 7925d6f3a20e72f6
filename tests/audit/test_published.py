"""What the log publishes is enough for a stranger to rebuild it, and never more than what is signed."""

import pytest

from carekeep.audit import LedgerFiles, open_checkpoint
from carekeep.audit.merkle import leaf_hash, root_of
from carekeep.audit.tiles import WIDTH, TilePath, hashes_in, leaves_in, tile_count
from carekeep.storage import Database
from tests.audit.logs import KEY, Attacker, a_ledger, a_log, a_sequencer, an_entry


@pytest.mark.parametrize("size", [1, 256, 600])
async def test_a_stranger_can_rebuild_the_log_from_its_files(database: Database, size: int) -> None:
    await a_log(database, size)
    files = LedgerFiles(database)
    text = await files.checkpoint()
    assert text is not None
    checkpoint = open_checkpoint(text, KEY)
    leaves: list[bytes] = []
    hashes: list[bytes] = []
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        leaves += leaves_in(await files.tile(str(TilePath(None, number, width))))
        hashes += hashes_in(await files.tile(str(TilePath(0, number, width))))
    assert [leaf_hash(leaf) for leaf in leaves] == hashes
    assert (checkpoint.size, checkpoint.root) == (size, root_of(hashes))
    if size >= WIDTH:
        above = hashes_in(await files.tile(str(TilePath(1, 0, size // WIDTH))))
        assert above == [root_of(hashes[start : start + WIDTH]) for start in range(0, size // WIDTH * WIDTH, WIDTH)]
    assert await database.fetch("SELECT count(*) FROM ledger_tile") == [(tile_count(size),)]


async def test_a_partial_tile_stays_while_the_log_grows(database: Database) -> None:
    await a_log(database, 300)
    files = LedgerFiles(database)
    assert await files.tile("tile/0/001.p/10") == (await files.tile("tile/0/001.p/44"))[:320]
    assert len(leaves_in(await files.tile("tile/entries/000.p/7"))) == 7


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/001.p/45",
        "tile/0/002.p/1",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/entries/001.p/45",
        "tile/entries/x999/x999/x999/x999/x999/999",
        "tile/0/1",
        "checkpoint",
        "",
    ],
)
async def test_nothing_else_is_given(database: Database, path: str) -> None:
    await a_log(database, 300)
    with pytest.raises(LookupError):
        await LedgerFiles(database).tile(path)


async def test_an_entry_that_is_not_signed_yet_is_not_published(database: Database) -> None:
    files = LedgerFiles(database)
    assert await files.checkpoint() is None
    await a_ledger(database).record(an_entry())
    for path in ("tile/entries/000.p/1", "tile/0/000.p/1"):
        with pytest.raises(LookupError):
            await files.tile(path)
    await a_sequencer(database).integrate()
    assert len(await files.tile("tile/0/000.p/1")) == 32


async def test_a_file_that_was_damaged_is_not_given(database: Database) -> None:
    await a_log(database, 300)
    attacker = Attacker(database)
    await attacker.run("DELETE FROM ledger_tile WHERE level = 0 AND number = $1", 1)
    await attacker.run("DELETE FROM ledger_entry WHERE leaf_index = $1", 5)
    for path in ("tile/0/001.p/44", "tile/entries/000"):
        with pytest.raises(LookupError, match="missing"):
            await LedgerFiles(database).tile(path)

"""Comparing: a log that shows one past here and another there is found, and the proof stays."""

from pathlib import Path

import pytest

from carekeep.audit import check_pins
from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.merkle import HASH_SIZE
from carekeep.audit.tiles import RightEdge, TilePath, width_at
from carekeep.audit.witnessing import hash_of
from carekeep.storage import Change, Database
from tests.audit.logs import KEY, KEYS, findings_of
from tests.audit.witnessing.around import Around, around
from tests.audit.witnessing.parties import Log

URL = "https://other.example/ledger"
OTHER = Log(origin="other.example/log", keyname="other")
FORKED = Log(fork_at=4, origin=OTHER.origin, keyname="other")
WATCHED = f"log {OTHER.key} {URL}"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def publish(system: Around, log: Log, size: int, *, at: str = URL) -> None:
    """What a log serves at one size."""
    system.files[f"{at}/checkpoint"] = log.note(size).encode()
    _, tiles = RightEdge().append(log.hashes(size))
    for place, hashes in tiles.items():
        width = width_at(place, size)
        system.files[f"{at}/{TilePath(place.level, place.number, width)}"] = hashes[: width * HASH_SIZE]


def held(system: Around, name: str, log: Log, size: int) -> None:
    """What a witness holds of the other log."""
    system.files[f"https://{name}.example/{hash_of(log.origin)}/checkpoint"] = log.note(size).encode()


async def proofs(system: Around) -> list[tuple[int, int]]:
    kept = await system.witnesses.split_views.kept()
    for each in kept:
        each.evidence.check()
    sizes = [each.evidence.checkpoints for each in kept]
    return [(first.size, second.size) for first, second in sizes]


async def test_a_log_that_only_grows_is_left_alone(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path, more=WATCHED)
    task = system.witnessing()
    for size in (0, 3, 8, 9, 300, 700):
        if size:
            publish(system, OTHER, size)
            held(system, "north", OTHER, max(1, size - 2))
        await task.turn(watch=True)
    assert await proofs(system) == []
    assert await system.alarms() == []


# What the log itself shows, then what a witness holds, and the proof that comes of it.
SPLITS = [
    ("one size", (OTHER, 9), (FORKED, 9), (9, 9)),
    ("the witness is behind", (OTHER, 13), (FORKED, 9), (9, 13)),
    ("the witness is ahead", (FORKED, 9), (OTHER, 13), None),  # the log's tiles do not reach: not yet
    ("behind at a whole subtree", (OTHER, 13), (FORKED, 8), (8, 13)),
    ("the log went on in its fork", (FORKED, 300), (OTHER, 256), (256, 300)),
]


@pytest.mark.parametrize(("shown", "witnessed", "proof"), [pytest.param(*each[1:], id=each[0]) for each in SPLITS])
@on_sqlite
async def test_two_pasts_are_found(
    database: Database,
    tmp_path: Path,
    shown: tuple[Log, int],
    witnessed: tuple[Log, int],
    proof: tuple[int, int] | None,
) -> None:
    system = await around(database, tmp_path, more=WATCHED)
    publish(system, *shown)
    held(system, "north", *witnessed)
    task = system.witnessing()
    for _ in range(2):
        await task.turn(watch=True)
    assert await proofs(system) == ([] if proof is None else [proof])
    assert len(await system.alarms()) == (0 if proof is None else 1)


async def test_what_was_seen_before_counts_too(database: Database, tmp_path: Path) -> None:
    """Yesterday one past, today another: nobody else is needed to find it."""
    system = await around(database, tmp_path, more=WATCHED)
    publish(system, OTHER, 9)
    await system.witnessing().turn(watch=True)
    publish(system, FORKED, 12)
    await system.witnessing().turn(watch=True)  # of another process, that has it from the database
    assert await proofs(system) == [(9, 12)]


@on_sqlite
async def test_what_is_signed_by_others_is_not_gossip(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path, more=WATCHED)
    publish(system, OTHER, 9)
    held(system, "north", Log(fork_at=1, origin=OTHER.origin, keyname="poser"), 9)
    system.files[f"https://south.example/{hash_of(OTHER.origin)}/checkpoint"] = b"\xff not a note"
    held(system, "west", Log(origin="another.example", keyname="other"), 9)
    await system.witnessing().turn(watch=True)
    assert await proofs(system) == []
    assert await system.alarms() == []


@on_sqlite
async def test_tiles_that_lead_nowhere_are_an_alarm_and_no_proof(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path, more=WATCHED)
    task = system.witnessing()
    publish(system, OTHER, 9)
    await task.turn(watch=True)
    publish(system, OTHER, 12)
    system.files[f"{URL}/tile/0/000.p/12"] = bytes(12 * HASH_SIZE)
    for _ in range(2):
        await task.turn(watch=True)
    assert await proofs(system) == []
    assert await system.alarms() == [f"the log {OTHER.origin}: its tiles do not lead to the root that it signed"]


async def test_a_past_of_ours_that_we_did_not_write_is_found(database: Database, tmp_path: Path) -> None:
    """Somebody else has our key, and shows a witness a log of their own."""
    system = await around(database, tmp_path, size=9)
    forged = Log(fork_at=0, origin=KEY.name)
    for name, size in (("north", 9), ("south", 6)):
        note = sign_checkpoint(Checkpoint(KEY.name, size, forged.root(size)), KEYS.checkpoint_key)
        system.files[system.own_copy(name)] = note.encode()
    await system.witnessing().turn(watch=True)
    assert sorted(await proofs(system)) == [(6, 9), (9, 9)]
    assert len(await system.alarms()) == 2


@on_sqlite
async def test_a_witness_that_is_ahead_of_us_is_an_alarm(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path, size=9)
    note = sign_checkpoint(Checkpoint(KEY.name, 20, Log().root(20)), KEYS.checkpoint_key)
    system.files[system.own_copy("north")] = note.encode()
    await system.witnessing().turn(watch=True)
    (alarm,) = await system.alarms()
    assert "a witness holds 20 entries of our log, and we have 9" in alarm


async def test_a_proof_cannot_be_cleaned_away(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path, more=WATCHED)
    publish(system, OTHER, 9)
    held(system, "north", FORKED, 9)
    await system.witnessing().turn(watch=True)
    views = system.witnesses.split_views
    tables = {"split_view": views.pinned_rows}
    assert await findings_of(check_pins(system.ledger, tables)) == []
    assert await findings_of(views.verify()) == []
    await database.commit([Change("UPDATE split_view SET found_ms = found_ms + 1", [()])])
    assert await findings_of(views.verify()) != []
    await database.commit([Change("DELETE FROM split_view", [()])])
    (finding,) = await findings_of(check_pins(system.ledger, tables))
    assert "it is missing" in finding.what

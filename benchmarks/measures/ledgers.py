"""The ledger by itself: entries made durable, proofs from a log of millions, and the verifier of outsiders.

Within the process, without HTTP. The log of millions is not lived through: its level 0 hashes are made up (SHA-256 of
the index), the tiles above are computed as the sequencer does, and tiles, entries (40 bytes each, of which nothing is
asked but that they are found by id) and the signed head are inserted straight.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import orjson

from benchmarks.load import percentile
from benchmarks.measures.working_together import postgres
from benchmarks.report import Figure, Goal
from benchmarks.stage import Stage
from carekeep.audit import Agent, Checkpoint, Entry, EntryId, Ledger, LedgerFiles, Sequencer, prove, verify_proof
from carekeep.audit.checkpoint import sign_checkpoint
from carekeep.audit.merkle import HASH_SIZE
from carekeep.audit.sequencer import BATCH
from carekeep.audit.tiles import WIDTH, Place, RightEdge, TilePath, width_at
from carekeep.encryption import KeyFile, Keyring, Secret
from carekeep.storage import Database, Insert, open_database, system_clock

_GROUP = "the ledger"
_ORIGIN = "benchmark.example/ledger"
_WRITERS = 32  # requests that are under way at once
_EACH = 64 * WIDTH
_PROOFS = 200
_TILE = ("level", "number", "hashes")
_VERIFIER = Path(__file__).parents[2] / "verifier" / "carekeep_verify.py"


def measure(stage: Stage) -> Iterator[Figure]:
    """Appends on both databases, then proofs from and the verifier over a log of the scale's entries."""
    folder = stage.folder / "ledgers"
    folder.mkdir()
    yield from asyncio.run(_appends(f"sqlite://{folder / 'appends.db'}", "SQLite", folder, stage.scale.seconds))
    with postgres() as url:
        yield from asyncio.run(_appends(url, "PostgreSQL", folder, stage.scale.seconds))
    yield from asyncio.run(_published(folder, stage.scale.entries))


def measure_millions(stage: Stage) -> Iterator[Figure]:
    """Proofs from a log of ten million entries."""
    folder = stage.folder / "millions-of-entries"
    folder.mkdir()
    yield from asyncio.run(_proofs(folder, stage.scale.ledger))


async def _appends(url: str, name: str, folder: Path, seconds: float) -> list[Figure]:
    """How many entries are durable each second while the sequencer integrates them, and how long each takes."""
    async with _opened(url, folder / name) as (database, keyring):
        ledger = Ledger(database, keyring)
        sequencer = Sequencer(database, keyring, _ORIGIN, nudge=ledger.recorded)
        integrating = asyncio.create_task(_integrate(sequencer, ledger))
        end, took = time.perf_counter() + seconds, list[float]()

        async def write() -> None:
            while (begun := time.perf_counter()) < end:
                await ledger.record(_an_entry())
                took.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(write() for _ in range(_WRITERS)))
        rate = len(took) / (time.perf_counter() - begun)
        integrating.cancel()
        await asyncio.gather(integrating, return_exceptions=True)
    p99_ms = percentile(sorted(took), 0.99) * 1000
    what = f"{name}: appends, durable, {_WRITERS} at once"
    return [
        Figure(_GROUP, what, rate, "entries/s", Goal(10_000)),
        Figure(_GROUP, f"{name}: an append, p99", p99_ms, "ms", Goal(20, at_most=True)),
    ]


async def _integrate(sequencer: Sequencer, ledger: Ledger) -> None:
    """As the keeper does: without a pause while there is more than a unit takes."""
    while True:
        ledger.recorded.clear()
        done = await sequencer.integrate()
        if not done:
            await ledger.recorded.wait()
        if done < BATCH:
            await asyncio.sleep(0.05)


async def _published(folder: Path, count: int) -> list[Figure]:
    """A log of real entries, published into a folder, and read by the verifier in a process of its own."""
    async with _opened(f"sqlite://{folder / 'published.db'}", folder / "published") as (database, keyring):
        ledger, sequencer = Ledger(database, keyring), Sequencer(database, keyring, _ORIGIN)
        for _ in range(0, count, _EACH):
            await asyncio.gather(*(ledger.record(_an_entry()) for _ in range(_EACH)))
        while await sequencer.integrate():
            pass
        size = await ledger.size()
        files = folder / "files"
        await _publish(LedgerFiles(database), size, files)
    command = [sys.executable, str(_VERIFIER), "log", "--json", "--key", str(sequencer.key), str(files)]
    answer = orjson.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603, ASYNC221
    assert answer["ok"]
    return [Figure(_GROUP, f"verifier: {size:,} entries, one core", answer["per_second"], "entries/s", Goal(300_000))]


async def _publish(files: LedgerFiles, size: int, folder: Path) -> None:
    names = ["checkpoint"]
    names += [str(TilePath(None, number, width_at(Place(0, number), size))) for number in range(-(-size // WIDTH))]
    level = 0
    while size >> 8 * level:
        count = -(-(size >> 8 * level) // WIDTH)
        names += [str(TilePath(level, number, width_at(Place(level, number), size))) for number in range(count)]
        level += 1
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((await files.checkpoint() or "").encode() if name == "checkpoint" else await files.tile(name))


async def _proofs(folder: Path, count: int) -> list[Figure]:
    async with _opened(f"sqlite://{folder / 'log.db'}", folder) as (database, keyring):
        begun = time.perf_counter()
        sequencer = Sequencer(database, keyring, _ORIGIN)
        await _make_log(database, keyring, count)
        made_s = time.perf_counter() - begun
        took = []
        for number in range(_PROOFS):
            index = number * (count // _PROOFS)
            begun = time.perf_counter()
            proof = await prove(database, _id_of(index))
            took.append((time.perf_counter() - begun) * 1000)
            assert verify_proof(proof, sequencer.key).index == index
    name = f"a proof from {count:,} entries"
    return [
        Figure(_GROUP, f"{name}, median", percentile(sorted(took), 0.5), "ms"),
        Figure(_GROUP, f"{name}, p99", percentile(sorted(took), 0.99), "ms", Goal(5, at_most=True)),
        Figure(_GROUP, f"making the log of {count:,} entries", made_s, "s"),
    ]


async def _make_log(database: Database, keyring: Keyring, count: int) -> None:
    """Only the leaves that are asked for are hashed as leaves are; the others' hashes are made up."""
    edge, asked = RightEdge(), count // _PROOFS
    partial: dict[Place, bytes] = {}  # those come again, fuller
    for start in range(0, count, _EACH):
        end = min(count, start + _EACH)
        leaves = [_leaf_of(index) for index in range(start, end)]
        hashes = [
            sha256(b"\x00" + leaf).digest() if index % asked == 0 else sha256(leaf).digest()
            for index, leaf in enumerate(leaves, start)
        ]
        edge, tiles = edge.append(hashes)
        rows = [(index, _id_of(index), leaf) for index, leaf in enumerate(leaves, start)]
        full = {place: tile for place, tile in tiles.items() if len(tile) == WIDTH * HASH_SIZE}
        partial = {place: tile for place, tile in (partial | tiles).items() if place not in full}
        inserts = [
            Insert("ledger_entry", ("leaf_index", "entry_id", "leaf"), rows),
            Insert("ledger_tile", _TILE, [(*place, tile) for place, tile in full.items()]),
        ]
        await database.commit(inserts)
    await database.commit([Insert("ledger_tile", _TILE, [(*place, tile) for place, tile in partial.items()])])
    note = sign_checkpoint(Checkpoint(_ORIGIN, count, edge.root()), keyring.checkpoint_key)
    await database.commit([Insert("ledger_head", ("id", "size", "checkpoint"), [(1, count, note)])])


def _id_of(index: int) -> EntryId:
    return EntryId(index.to_bytes(16, "big"))


def _leaf_of(index: int) -> bytes:
    return b"\x01" + index.to_bytes(16, "big") + bytes(23)


def _an_entry() -> Entry:
    """One like those of reads."""
    return Entry(
        action="fhir:record:read",
        agent=Agent(account="0" * 32, role="practitioner", who="Practitioner/12", session="0" * 64, address="10.0.0.1"),
        purpose="TREAT",
        outcome="permitted",
        patients=("5d2c9c1e-8f3b-4a62-9d0e-2f1b7a3c4d5e",),
        policies=("care-team.read",),
        reason="You are on the care team.",
        request_id="0" * 16,
        at_ms=system_clock(),
    )


@contextlib.asynccontextmanager
async def _opened(url: str, keys: Path) -> AsyncIterator[tuple[Database, Keyring]]:
    """A new database with keys of its own."""
    keys.mkdir(exist_ok=True)  # noqa: ASYNC240
    passphrase = Secret("a passphrase for measuring")
    service = KeyFile.create(keys / "keys", passphrase)
    database = open_database(url)
    try:
        yield database, await Keyring.open(database, service, create=True)
    finally:
        await database.close()

"""The log's side: checkpoints become final by a quorum; witnesses that are down, that lie, or that know better."""

import logging
from pathlib import Path

import pytest

from carekeep.audit import EntryId, LedgerFiles, open_checkpoint, prove, verify_proof
from carekeep.audit.checkpoint import Checkpoint, sign_checkpoint
from carekeep.audit.note import open_note, parse_note
from carekeep.audit.proofs import LogProof
from carekeep.audit.witnessing import Policy, Witnesses
from carekeep.audit.witnessing.cosigned import DAY_MS, keep_cosigned, newest_cosigned, verify_cosigned
from carekeep.audit.witnessing.submitting import REFRESH_MS, Answer
from carekeep.storage import Change, Database
from tests.audit.logs import KEY, KEYS, Attacker, a_sequencer, findings_of, record_all
from tests.audit.witnessing.around import Around, around
from tests.audit.witnessing.parties import NOW_MS, NOW_S, Log, cosigners, ed25519, with_lines

NORTH, SOUTH, WEST = (f"https://{name}.example" for name in ("north", "south", "west"))
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def final_size(system: Around) -> int:
    found = await newest_cosigned(system.database)
    return 0 if found is None else found.size


async def test_a_checkpoint_becomes_final_and_is_what_is_published(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    task = system.witnessing()
    await task.turn(watch=True)
    published = await LedgerFiles(database, finals=True).checkpoint()
    assert published is not None
    judged = (system.witnesses.policy or Policy()).judge(published, system.witnesses.keys)
    assert (judged.checkpoint.size, judged.final, len(judged.witnesses)) == (5, True, 6)
    assert len(open_note(published, system.witnesses.keys).signatures) == 2  # Ed25519 and ML-DSA-44
    await task.turn(watch=True)
    assert len(system.asked) == 3  # nothing is new: nobody is asked again
    await system.grow(range(5, 300))
    newest = await LedgerFiles(database).checkpoint()
    assert newest is not None
    assert open_checkpoint(newest, KEY).size == 300
    assert await LedgerFiles(database, finals=True).checkpoint() == published  # not before it is final
    await task.turn(watch=True)
    assert await final_size(system) == 300
    assert await system.alarms() == []
    keys, policy = system.witnesses.keys, system.witnesses.policy
    assert await findings_of(verify_cosigned(database, keys, policy)) == []


async def test_a_proof_carries_the_cosignatures(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    await system.witnessing().turn(watch=False)
    early = [sealed async for sealed in system.ledger.entries()][2]
    (late,) = await record_all(system.ledger, [99])
    await system.grow([100])
    proof = await prove(database, early.entry_id)
    assert verify_proof(proof, KEY).checkpoint.size == 5
    judged = (system.witnesses.policy or Policy()).judge(LogProof.parse(proof).checkpoint, (KEY,))
    assert judged.final
    assert verify_proof(await prove(database, EntryId(late)), KEY).checkpoint.size == 7  # none is final that covers it


async def test_a_witness_that_is_down_delays_nothing_while_there_is_a_quorum(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    system = await around(database, tmp_path)
    task = system.witnessing()
    system.down = {NORTH}
    with caplog.at_level(logging.WARNING, "carekeep.witnesses"):
        await task.turn(watch=True)
    assert await final_size(system) == 5
    assert caplog.messages == ["The witness at https://north.example: it cannot be reached: no answer."]
    standing = await system.witnesses.standings.of(NORTH)
    assert (standing.failures, standing.failing_since_ms, standing.alarming) == (1, NOW_MS, False)
    system.down = {NORTH, SOUTH}
    await system.grow(range(5, 9))
    await task.turn(watch=True)
    assert await final_size(system) == 5  # the service goes on, and says so
    assert system.asked.count(NORTH) == 1  # it is not asked again before its time
    system.down = set()
    system.time.now_ms += 5_000
    await task.turn(watch=True)
    assert await final_size(system) == 9
    assert (await system.witnesses.standings.of(NORTH)).fault == ""
    assert await system.alarms() == []


@on_sqlite
async def test_it_is_asked_less_and_less_often(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    task = system.witnessing()
    system.down = {NORTH}
    waits = []
    for _ in range(10):
        await task.turn(watch=False)
        after = (await system.witnesses.standings.of(NORTH)).next_ms
        waits.append((after - system.time.now_ms) // 1000)
        system.time.now_ms = after
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]


async def test_a_database_that_was_put_back_is_found_by_the_witnesses(database: Database, tmp_path: Path) -> None:
    """Restored from a backup with the same keys: it could sign another past, and the witnesses do not let it."""
    system = await around(database, tmp_path)
    attacker = Attacker(database)
    copy = await attacker.snapshot()
    await system.grow(range(5, 20))
    await system.witnessing().turn(watch=False)
    assert await final_size(system) == 20
    await attacker.restore(copy)
    task = system.witnessing()
    await task.turn(watch=True)
    standing = await system.witnesses.standings.of(NORTH)
    assert standing.alarming
    assert "it cosigned 20 entries of our log and we have 5" in standing.fault
    found = await findings_of(verify_cosigned(database, system.witnesses.keys, system.witnesses.policy))
    assert [finding.where for finding in found] == ["cosigned checkpoint 20"]
    # The restored log grows past what they hold: now it contradicts them.
    system.sequencer = a_sequencer(database)
    await system.grow(range(50, 80))
    system.time.now_ms += 5_000
    await task.turn(watch=True)
    standing = await system.witnesses.standings.of(NORTH)
    assert standing.fault == "it says that our log does not continue what it cosigned before"
    assert len(await system.alarms()) == 5  # each witness once, the comparison once, and the split view that it found
    assert len(await system.witnesses.split_views.kept()) == 1


async def test_a_rewritten_entry_is_found_by_the_witnesses(database: Database, tmp_path: Path) -> None:
    """Somebody with the database and the signing key writes the past anew, tiles and all."""
    system = await around(database, tmp_path)
    task = system.witnessing()
    await task.turn(watch=False)
    attacker = Attacker(database)
    fork = Log(fork_at=2, origin=KEY.name)
    hashes = fork.hashes(7)
    await attacker.run("UPDATE ledger_tile SET hashes = $1 WHERE level = 0", b"".join(hashes))
    forged = sign_checkpoint(Checkpoint(KEY.name, 7, fork.root(7)), KEYS.checkpoint_key)
    await attacker.run("UPDATE ledger_head SET size = 7, checkpoint = $1", forged)
    await task.turn(watch=True)
    assert await final_size(system) == 5
    for house in system.houses.values():
        assert len(house.folder.split_views()) == 1  # each witness has the proof
    (kept,) = await system.witnesses.split_views.kept()  # and so have we, from comparing
    kept.evidence.check((KEY,))


# What a witness may say (of our checkpoint over 5 entries, at NOW), what is said of it, and whether that is an alarm.
OTHER = cosigners("other.example")[0]


def ok(*lines: object) -> Answer:
    return Answer(200, "text/plain", "".join(map(str, lines)).encode())


def conflict(body: bytes, kind: str = "text/x.tlog.size") -> Answer:
    return Answer(409, kind, body)


BAD: list[tuple[str, Answer, str, bool]] = [
    ("unknown log", Answer(404, "", b""), "it does not know our log: its operator must add the key", False),
    ("unknown key", Answer(403, "", b""), "it knows our log by another key", False),
    ("bad proof", Answer(422, "", b""), "it says that our log does not continue what it cosigned before", True),
    ("broken", Answer(500, "", b""), "it answers 500", False),
    ("redirect", Answer(302, "", b""), "it answers 302", False),
    ("another root", conflict(b"0\n"), "it cosigned another root for the same size of our log", True),
    ("no size", conflict(b"0\n", "text/plain"), "it cosigned another root for the same size of our log", True),
    ("a size that is none", conflict(b"-1\n"), "it cosigned another root for the same size of our log", True),
    ("a huge size", conflict(b"9" * 400), "it cosigned another root for the same size of our log", True),
    ("more than we have", conflict(b"6\n"), "it cosigned 6 entries of our log and we have 5", True),
    ("nothing", ok(), "its answer has no cosignature by a key of the policy", False),
    ("no lines", ok("hello\n"), "its answer is not cosignature lines", False),
    ("not UTF-8", Answer(200, "", b"\xff"), "its answer is not cosignature lines", False),
]


@on_sqlite
@pytest.mark.parametrize(("answer", "fault", "alarming"), [pytest.param(*each[1:], id=each[0]) for each in BAD])
async def test_other_answers_are_faults(
    database: Database, tmp_path: Path, answer: Answer, fault: str, alarming: bool
) -> None:
    system = await around(database, tmp_path)
    system.answers = {url: [answer] for url in system.houses}
    await system.witnessing().turn(watch=False)
    assert await final_size(system) == 0
    for url in system.houses:
        standing = await system.witnesses.standings.of(url)
        assert standing.fault.startswith(fault)
        assert standing.alarming is alarming
    assert len(await system.alarms()) == (3 if alarming else 0)


@on_sqlite
@pytest.mark.parametrize(
    ("case", "fault"),
    [
        ("forged", "a cosignature of its key does not fit the checkpoint"),
        ("of another text", "a cosignature of its key does not fit the checkpoint"),
        ("replayed", "the time of its cosignature is not now"),
        ("from the future", "the time of its cosignature is not now"),
        ("by a stranger", "its answer has no cosignature by a key of the policy"),
        ("by a log's key", "its answer has no cosignature by a key of the policy"),
        ("twice and unsorted", ""),
    ],
)
async def test_cosignatures_are_checked_before_they_count(
    database: Database, tmp_path: Path, case: str, fault: str
) -> None:
    system = await around(database, tmp_path)
    head = await LedgerFiles(database).checkpoint()
    text = parse_note(str(head)).text
    for url in system.houses:
        classic, post_quantum = cosigners(url.removeprefix("https://"))
        good = [each.cosign(text, NOW_S) for each in (post_quantum, classic)]
        forged = type(good[0])(good[1].name, good[1].key_id, good[1].signature[:-1] + b"\0")
        lines = {
            "forged": [forged],
            "of another text": [classic.cosign(Log().text(5), NOW_S)],
            "replayed": [classic.cosign(text, NOW_S - 3600)],
            "from the future": [classic.cosign(text, NOW_S + 3600)],
            "by a stranger": [OTHER.cosign(text, NOW_S)],
            "by a log's key": parse_note(str(head)).signatures,
            "twice and unsorted": [OTHER.cosign(text, NOW_S), *good, *good],
        }[case]
        system.answers[url] = [ok(*lines)]
    await system.witnessing().turn(watch=False)
    standing = await system.witnesses.standings.of(NORTH)
    assert standing.fault.startswith(fault)
    assert (await final_size(system) == 5) is (fault == "")


async def test_a_log_that_stands_still_is_cosigned_anew_each_hour(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    task = system.witnessing()
    await task.turn(watch=False)
    system.time.now_ms += REFRESH_MS
    await task.turn(watch=False)
    found = await newest_cosigned(database)
    assert found is not None
    assert (found.size, found.signed_ms) == (5, NOW_MS + REFRESH_MS)


@on_sqlite
async def test_without_witnesses_there_is_still_a_signature_for_the_long_run(
    database: Database, tmp_path: Path
) -> None:
    system = await around(database, tmp_path)
    alone = Witnesses.over(database, system.witnesses.keyring, KEY, None, system.time)
    await alone.witnessing(system.ledger, system.submit, system.fetch).turn(watch=True)
    assert system.asked == []
    assert await final_size(system) == 5
    assert await findings_of(verify_cosigned(database, alone.keys, None)) == []


async def test_of_each_day_the_last_is_kept(database: Database, tmp_path: Path) -> None:
    system = await around(database, tmp_path)
    task = system.witnessing()
    hour = 0
    for number in range(5, 12):
        system.time.now_ms = NOW_MS + hour * 3_600_000
        await task.turn(watch=False)
        await system.grow([number])
        hour += 8
    rows = await database.fetch("SELECT size, signed_ms FROM ledger_cosigned ORDER BY size")
    days = [signed_ms // DAY_MS for _, signed_ms in rows]
    assert len(set(days)) == len(days) == 3
    assert rows[-1][0] == 11


@on_sqlite
@pytest.mark.parametrize(
    ("column", "value"),
    [("size", 4), ("signed_ms", NOW_MS + 1000), ("note", "changed"), ("note", "other key"), ("note", "fewer")],
)
async def test_a_changed_row_is_found(database: Database, tmp_path: Path, column: str, value: int | str) -> None:
    system = await around(database, tmp_path)
    await system.witnessing().turn(watch=False)
    found = await newest_cosigned(database)
    assert found is not None
    note = parse_note(found.note)
    texts: dict[int | str, int | str] = {
        "changed": found.note.replace("\n5\n", "\n4\n", 1),
        "other key": with_lines(sign_checkpoint(open_checkpoint(found.note, KEY), ed25519("other"))),
        "fewer": with_lines(str(type(note)(note.text, note.signatures[:2]))),
    }
    sql = f"UPDATE ledger_cosigned SET {column} = $1"  # noqa: S608
    await database.commit([Change(sql, [(texts.get(value, value),)])])
    assert await findings_of(verify_cosigned(database, system.witnesses.keys, system.witnesses.policy))
    await keep_cosigned(database, found)

"""A proof convinces somebody who has nothing but the public key: by our own check, and by the independent verifier."""

import base64
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from carekeep.audit import EntryId, NoteRefused, NotInLog, ProofRefused, VerifierKey, prove, verify_proof
from carekeep.audit.note import Signature
from carekeep.storage import Database
from tests.audit.logs import KEY, Keys, a_ledger, a_log, a_sequencer, an_entry, integrate_all, record_all

VERIFIER = Path(__file__).parents[2] / "verifier" / "carekeep_verify.py"


@pytest.fixture(scope="module")
def outsider() -> ModuleType:
    """The standalone verifier, loaded from its file."""
    module = ModuleType("carekeep_verify")
    exec(compile(VERIFIER.read_text("utf-8"), str(VERIFIER), "exec"), module.__dict__)  # noqa: S102
    return module


async def id_at(database: Database, index: int) -> EntryId:
    row = await database.fetch_one("SELECT entry_id FROM ledger_entry WHERE leaf_index = $1", (index,))
    assert row is not None
    return EntryId(row[0])


@pytest.mark.parametrize("size", [1, 2, 3, 256, 257, 700])
async def test_every_kind_of_place_is_proven(database: Database, outsider: ModuleType, size: int) -> None:
    ledger = await a_log(database, size)
    for index in sorted({0, 1, size // 3, 255, 256, size - 2, size - 1} & set(range(size))):
        entry_id = await id_at(database, index)
        text = await prove(database, entry_id)
        proven = verify_proof(text, KEY)
        assert (proven.index, proven.checkpoint.size) == (index, size)
        sealed = await ledger.find(entry_id)
        assert sealed is not None
        assert proven.leaf == sealed.leaf
        assert f"entry {index} of {KEY.name}" in outsider.verify(text, str(KEY))


async def test_the_proof_is_the_file_that_the_specification_describes(database: Database) -> None:
    await a_log(database, 5)
    text = await prove(database, await id_at(database, 4))
    lines = text.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 4"
    assert len(base64.b64decode(lines[3])) == 32
    assert lines[4] == ""
    assert lines[5:7] == [KEY.name, "5"]
    assert lines[8] == ""
    assert lines[9].startswith(f"— {KEY.name} ")


async def test_a_proof_stays_good_while_the_log_grows(database: Database, outsider: ModuleType) -> None:
    ledger = await a_log(database, 300)
    early = await prove(database, await id_at(database, 7))
    await record_all(ledger, range(300, 600))
    await integrate_all(a_sequencer(database))
    late = await prove(database, await id_at(database, 7))
    assert early != late
    for text in (early, late):
        assert verify_proof(text, KEY).index == 7
        outsider.verify(text, str(KEY))


async def test_what_waits_or_does_not_exist_is_not_proven(database: Database) -> None:
    entry_id = await a_ledger(database).record(an_entry())
    for unknown in (entry_id, EntryId(bytes(16))):
        with pytest.raises(NotInLog, match=unknown.hex()):
            await prove(database, unknown)


async def test_no_character_of_a_proof_can_change(database: Database, outsider: ModuleType) -> None:
    await a_log(database, 6)
    text = await prove(database, await id_at(database, 3))
    for place, character in enumerate(text):
        changed = f"{text[:place]}{'B' if character == 'A' else 'A'}{text[place + 1 :]}"
        with pytest.raises((NoteRefused, ProofRefused)):
            verify_proof(changed, KEY)
        with pytest.raises(outsider.Refused):
            outsider.verify(changed, str(KEY))


async def test_lines_cannot_go_or_come(database: Database, outsider: ModuleType) -> None:
    await a_log(database, 6)
    text = await prove(database, await id_at(database, 3))
    lines = text.split("\n")
    for place in range(len(lines)):
        for changed in (lines[:place] + lines[place + 1 :], lines[:place] + lines[place : place + 1] + lines[place:]):
            if (altered := "\n".join(changed)) in (text, text[:-1] + "\n\n"):
                continue
            if altered == text + text[text.rindex("—") :]:
                continue  # the same signature twice is the same statement
            with pytest.raises((NoteRefused, ProofRefused)):
                verify_proof(altered, KEY)
            with pytest.raises(outsider.Refused):
                outsider.verify(altered, str(KEY))


async def test_another_logs_key_proves_nothing(database: Database, outsider: ModuleType) -> None:
    await a_log(database, 3)
    text = await prove(database, await id_at(database, 0))
    stranger = VerifierKey.of(KEY.name, Keys("stranger").checkpoint_key)
    with pytest.raises(NoteRefused):
        verify_proof(text, stranger)
    with pytest.raises(outsider.Refused):
        outsider.verify(text, str(stranger))


async def test_witnesses_may_sign_as_well(database: Database, outsider: ModuleType) -> None:
    await a_log(database, 3)
    text = await prove(database, await id_at(database, 0))
    cosigned = text + str(Signature("witness.example", b"wxyz", bytes(72)))
    assert verify_proof(cosigned, KEY).index == 0
    outsider.verify(cosigned, str(KEY))


FIRST_LINE = "c2sp.org/tlog-proof@v1\n"


@pytest.mark.parametrize("text", ["", "\n\n", f"{FIRST_LINE}\n", FIRST_LINE * 99, "x" * 1_000_000])
def test_what_is_no_proof(outsider: ModuleType, text: str) -> None:
    with pytest.raises(NoteRefused):
        verify_proof(text, KEY)
    with pytest.raises(outsider.Refused):
        outsider.verify(text, str(KEY))


async def test_the_verifier_on_its_command_line(database: Database, tmp_path: Path) -> None:
    ledger = await a_log(database, 300)
    entry_id = await id_at(database, 123)
    proof, leaf = tmp_path / "entry.tlog-proof", tmp_path / "entry.bin"
    proof.write_text(await prove(database, entry_id), "utf-8")
    sealed = await ledger.find(entry_id)
    assert sealed is not None
    leaf.write_bytes(sealed.leaf)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", str(VERIFIER), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)

    good = run("--key", str(KEY), str(proof))
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"OK: entry 123 of {KEY.name} is in the log of 300 entries")
    assert run("--key", str(KEY), "--entry", str(leaf), str(proof)).returncode == 0
    leaf.write_bytes(sealed.leaf[:-1] + b"x")
    refused = run("--key", str(KEY), "--entry", str(leaf), str(proof))
    assert (refused.returncode, refused.stdout.split(":")[0]) == (1, "NOT PROVEN")
    assert run("--key", str(KEY), str(tmp_path / "none")).returncode == 2


def test_the_verifier_stands_alone() -> None:
    text = VERIFIER.read_text("utf-8")
    assert "carekeep." not in text.replace("carekeep_verify", "")
    assert "import carekeep" not in text
    assert len(text.splitlines()) < 700  # all of it is to be read before it is trusted

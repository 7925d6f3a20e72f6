"""The task that anchors: when it does, what it keeps, and what it says when the chain is down or contradicts."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carekeep.audit import Ledger
from carekeep.audit.anchors import (
    AnchorContradicts,
    AnchoredCheckpoints,
    Anchoring,
    AnchorSettings,
    AnchorSettingsRefused,
    AnchorUnreachable,
    Receipt,
)
from carekeep.audit.checkpoint import Checkpoint
from carekeep.encryption import Cipher
from carekeep.storage import Database
from tests.audit.logs import KEY, NOON, Attacker, a_ledger, a_sequencer, findings_of, integrate_all, record_all

HOUR_MS = 3_600_000
CIPHER = Cipher(bytes(32))


@dataclass(slots=True)
class Wall:
    """An anchor: a wall on which checkpoints are written, or that has fallen."""

    heads: list[Checkpoint] = field(default_factory=list)
    fault: Exception | None = None

    async def publish(self, checkpoint: Checkpoint) -> Receipt:
        if self.fault is not None:
            raise self.fault
        self.heads.append(checkpoint)
        return Receipt("wall:1", len(self.heads) - 1)

    async def check(self, receipt: Receipt, checkpoint: Checkpoint) -> None:
        assert self.heads[receipt.number] == checkpoint


@dataclass(slots=True)
class Office:
    """A log and what anchors it; ``now`` is the clock."""

    database: Database
    ledger: Ledger
    kept: AnchoredCheckpoints
    wall: Wall = field(default_factory=Wall)
    now: int = NOON
    task: Anchoring = field(init=False)

    def __post_init__(self) -> None:
        self.task = Anchoring(self.database, self.ledger, self.kept, self.wall, 6 * HOUR_MS, lambda: self.now)

    async def turn_after(self, hours: int, entries: int) -> bool:
        self.now += hours * HOUR_MS
        await record_all(self.ledger, range(entries))
        await integrate_all(a_sequencer(self.database))
        return await self.task.turn()

    async def said(self) -> list[tuple[str, str]]:
        """What the ledger says of anchoring: outcome and reason."""
        opened = [self.ledger.open(each.leaf)[0] async for each in self.ledger.entries()]
        opened += [self.ledger.open(each.leaf)[0] async for each in self.ledger.waiting()]
        return [(each.outcome, each.reason) for each in opened if each.action == "audit:checkpoint:anchor"]


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database, a_ledger(database), AnchoredCheckpoints(database, CIPHER, KEY))


async def test_checkpoints_are_anchored_when_it_is_time(office: Office) -> None:
    assert not await office.turn_after(0, entries=0), "there is no checkpoint yet"
    assert await office.turn_after(0, entries=3)
    assert not await office.turn_after(5, entries=2), "it is not time"
    assert await office.turn_after(1, entries=0)
    assert not await office.turn_after(100, entries=0), "nothing is new but the entry of the anchoring itself"
    assert await office.turn_after(0, entries=1)
    sizes = [each.size async for each in office.kept.all()]
    assert sizes == [head.size for head in office.wall.heads] == [3, 6, 8]
    assert [outcome for outcome, _ in await office.said()] == ["permitted"] * 3
    assert await findings_of(office.kept.verify()) == []


async def test_a_chain_that_is_down_is_tried_again(office: Office) -> None:
    office.wall.fault = AnchorUnreachable("the node does not answer")
    assert not await office.turn_after(0, entries=3)
    assert await office.said() == []
    office.wall.fault = None
    assert await office.turn_after(0, entries=0)


async def test_a_contradiction_is_an_alarm_once(office: Office) -> None:
    office.wall.fault = AnchorContradicts("900 entries are anchored, and the log has 3")
    for _ in range(3):
        assert not await office.turn_after(0, entries=1)
    alarm = "the chain contradicts the ledger: 900 entries are anchored, and the log has 3"
    assert await office.said() == [("failed", alarm)]


async def test_a_log_that_was_rewritten_is_not_what_was_anchored(office: Office) -> None:
    await office.turn_after(0, entries=3)
    attacker = Attacker(office.database)
    tile = await attacker.value("SELECT hashes FROM ledger_tile WHERE level = 0 AND number = 0")
    await attacker.run("UPDATE ledger_tile SET hashes = $1 WHERE level = 0", bytes(32) + tile[32:])
    (finding,) = await findings_of(office.kept.verify())
    assert finding.what == "the first 3 entries are not those that were anchored"


@pytest.mark.parametrize("column", ["size", "anchored_ms"])
async def test_a_receipt_stays_where_it_was_kept(office: Office, column: str) -> None:
    await office.turn_after(0, entries=3)
    await Attacker(office.database).run(f"UPDATE ledger_anchor SET {column} = {column} - 1")  # noqa: S608
    (finding,) = await findings_of(office.kept.verify())
    assert finding.where.startswith("anchored checkpoint")


GOOD = {"url": "https://node.example.org/rpc", "chain": 1, "key_file": "key"}


def test_the_table_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0x" + "ab" * 32)
    (tmp_path / "key").chmod(0o600)
    read = AnchorSettings.read(GOOD | {"contract": "0x" + "12" * 20, "every": 6}, tmp_path)
    assert (read.facts.chain, read.facts.confirmations, read.every) == (1, 12, 6)
    assert read.key is not None
    assert read.key.reveal() == b"\xab" * 32
    assert "ab" * 8 not in repr(read)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": ""}, "url is missing"),
        ({"url": "http://node.example.org"}, "https"),
        ({"chain": "1"}, "must be a int"),
        ({"chain": -1}, "at least 1"),
        ({"every": 0}, "at least 1"),
        ({"every": True}, "must be a int"),
        ({"contract": "0x12"}, "40 hexadecimal"),
        ({"key_file": "nothing"}, "does not exist"),
        ({"key_file": "open"}, "chmod 600"),
        ({"key_file": "short"}, "64 hexadecimal"),
        ({"words": 1}, "'words' is not known"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, change: dict[str, object], says: str) -> None:
    for name, content, mode in (("key", "ab" * 32, 0o600), ("open", "ab" * 32, 0o644), ("short", "ab", 0o600)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(mode)
    with pytest.raises(AnchorSettingsRefused, match=says):
        AnchorSettings.read(GOOD | change, tmp_path)

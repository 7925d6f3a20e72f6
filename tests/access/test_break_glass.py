"""Emergency access, on both databases: opened with a reason, for one patient, for a while; and forgotten with them."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from carekeep.access import BreakGlass, BreakGlassRefused, Grant
from carekeep.access.break_glass import TOPIC
from carekeep.encryption import KeyDestroyed, Keyring
from carekeep.storage import Change, Conflict, Database, Prepared
from tests.access.people import PRACTITIONER
from tests.encryption.keys import new_keyring

REASON = "Unconscious, no relatives reachable, allergies unknown."
HOUR = 3600 * 1000
COLLEAGUE = replace(PRACTITIONER, account_id="b2" * 16)


@dataclass
class Hands:
    """A clock that is set by hand."""

    now: int = 10**12

    def __call__(self) -> int:
        return self.now


@dataclass
class Ward:
    """A break-glass room with patients p1 and p2."""

    database: Database
    keyring: Keyring
    clock: Hands
    room: BreakGlass

    async def commit(self, *prepared: Prepared[Any]) -> None:
        await self.database.commit([step for one in prepared for step in one.steps])
        self.room.forget_cached()

    async def open(self, patient: str = "p1", lifetime_ms: int = HOUR) -> Grant:
        prepared = await self.room.prepare_open(PRACTITIONER, patient, REASON, lifetime_ms)
        await self.commit(prepared)
        return prepared.value


@pytest.fixture
async def ward(database: Database, tmp_path: Path) -> Ward:
    keyring = await new_keyring(database, tmp_path)
    for patient in ("p1", "p2"):
        await database.commit(keyring.prepare_scope(keyring.scope_of(patient)).steps)
    clock = Hands()
    return Ward(database, keyring, clock, BreakGlass(database, keyring, clock))


async def test_it_is_open_for_this_person_and_patient_until_it_expires(ward: Ward) -> None:
    assert await ward.room.is_open(PRACTITIONER, "p1") is None
    grant = await ward.open()
    assert await ward.room.is_open(PRACTITIONER, "p1") == grant
    assert await ward.room.is_open(PRACTITIONER, "p2") is None
    assert await ward.room.is_open(COLLEAGUE, "p1") is None
    ward.clock.now += HOUR - 1
    assert await ward.room.is_open(PRACTITIONER, "p1") == grant
    ward.clock.now += 1
    assert await ward.room.is_open(PRACTITIONER, "p1") is None


async def test_what_is_prepared_is_not_yet_open(ward: Ward) -> None:
    await ward.room.prepare_open(PRACTITIONER, "p1", REASON)
    assert await ward.room.is_open(PRACTITIONER, "p1") is None


async def test_the_grant_says_who_why_and_until_when_and_prints_neither_patient_nor_reason(ward: Ward) -> None:
    grant = await ward.open()
    assert (grant.account, grant.patient, grant.reason) == (PRACTITIONER.account_id, "p1", REASON)
    assert (grant.opened_ms, grant.expires_ms) == (ward.clock.now, ward.clock.now + HOUR)
    assert grant.session == PRACTITIONER.session
    assert "Unconscious" not in repr(grant)
    assert "p1" not in repr(grant)


async def test_the_pin_is_the_digest_of_the_row(ward: Ward) -> None:
    prepared = await ward.room.prepare_open(PRACTITIONER, "p1", REASON)
    await ward.commit(prepared)
    (pin,) = prepared.pins
    assert (pin.table, pin.key, pin.digest) == ("break_glass", *await the_row(ward))
    assert pin.key == prepared.value.id
    for change in ("expires_ms = expires_ms + 1", "holder = id"):
        step = Change(f"UPDATE break_glass SET {change}", [()], expect=1)  # noqa: S608
        await ward.database.commit([step])
        assert pin.digest != (await the_row(ward))[1]


async def the_row(ward: Ward) -> tuple[str, bytes]:
    """The key and the digest that the pin of the only row must have."""
    ((key, content),) = [row async for row in ward.room.pinned_rows()]
    assert b"Unconscious" not in content
    return key, hashlib.sha256(content).digest()


async def test_other_workers_are_told(ward: Ward) -> None:
    grant = await ward.open()
    await ward.commit(await ward.room.prepare_close(grant))
    assert await ward.database.fetch_one("SELECT n FROM generation WHERE topic = $1", (TOPIC,)) == (2,)


async def test_an_answer_is_remembered_until_something_changes(ward: Ward) -> None:
    """Another worker opens it; this one knows when the generation says so, or after a minute at the latest."""
    assert await ward.room.is_open(PRACTITIONER, "p1") is None
    prepared = await ward.room.prepare_open(PRACTITIONER, "p1", REASON)
    await ward.database.commit(prepared.steps)
    assert await ward.room.is_open(PRACTITIONER, "p1") is None
    ward.clock.now += 60_000
    assert await ward.room.is_open(PRACTITIONER, "p1") == prepared.value


async def test_it_is_closed_early_and_once(ward: Ward) -> None:
    grant = await ward.open()
    ward.clock.now += 1000
    first, second = await ward.room.prepare_close(grant), await ward.room.prepare_close(grant)
    await ward.commit(first)
    assert await ward.room.is_open(PRACTITIONER, "p1") is None
    assert first.value.closed
    with pytest.raises(Conflict):
        await ward.commit(second)
    assert first.pins[0].digest == (await the_row(ward))[1]


async def test_grants_are_listed_the_longest_first(ward: Ward) -> None:
    short, long = await ward.open("p1", HOUR), await ward.open("p2", 2 * HOUR)
    assert await ward.room.open_for(PRACTITIONER) == (long, short)
    assert await ward.room.open_for(COLLEAGUE) == ()
    ward.clock.now += HOUR
    assert await ward.room.open_for(PRACTITIONER) == (long,)
    assert await ward.room.recent(ward.clock.now - HOUR) == (long, short)
    assert await ward.room.recent(ward.clock.now - HOUR, limit=1) == (long,)
    assert await ward.room.recent(ward.clock.now) == (long,)


@pytest.mark.parametrize(
    "reason",
    [
        "",
        " " * 50,
        "too short",
        "x" * 1001,
        "aaaaaaaaaaaaaaaa",
        "...............",
        "1234567890123",
        "Emergency \x1b[2J here",
    ],
)
async def test_a_reason_that_nobody_can_answer_for_is_refused(ward: Ward, reason: str) -> None:
    with pytest.raises(BreakGlassRefused, match="reason"):
        await ward.room.prepare_open(PRACTITIONER, "p1", reason)


@pytest.mark.parametrize(
    "reason",
    ["Collapsed\nin the ward.", "  Emergency: sepsis  ", "患者昏迷,无法沟通,急需查看过敏史", "é" * 3 + "abcdefgh"],
)
async def test_a_written_reason_is_kept_as_written(ward: Ward, reason: str) -> None:
    prepared = await ward.room.prepare_open(PRACTITIONER, "p1", reason)
    assert prepared.value.reason == reason.strip()


@pytest.mark.parametrize("lifetime_ms", [-1, 0, 59_999, 4 * HOUR + 1])
async def test_it_lasts_between_a_minute_and_four_hours(ward: Ward, lifetime_ms: int) -> None:
    with pytest.raises(BreakGlassRefused, match="four hours"):
        await ward.room.prepare_open(PRACTITIONER, "p1", REASON, lifetime_ms)


async def test_a_patient_of_whom_nothing_is_known_is_refused_without_naming_them(ward: Ward) -> None:
    with pytest.raises(BreakGlassRefused, match="no records of this patient") as refused:
        await ward.room.prepare_open(PRACTITIONER, "p9", REASON)
    assert "p9" not in str(refused.value)


async def test_what_was_opened_is_forgotten_with_the_patient(ward: Ward) -> None:
    await ward.open("p1")
    kept = await ward.open("p2")
    await ward.commit(await ward.keyring.prepare_destroy(ward.keyring.scope_of("p1")))
    assert await ward.room.is_open(PRACTITIONER, "p1") is None
    assert await ward.room.open_for(PRACTITIONER) == (kept,)
    assert await ward.room.recent(0) == (kept,)
    assert [finding async for finding in ward.room.verify()] == []
    with pytest.raises(KeyDestroyed):
        await ward.room.prepare_open(PRACTITIONER, "p1", REASON)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("UPDATE break_glass SET expires_ms = expires_ms + $1", (HOUR,)),
        ("UPDATE break_glass SET holder = $1", (bytes.fromhex(COLLEAGUE.account_id),)),
        ("UPDATE break_glass SET scope = $1", ("p2",)),
        ("UPDATE break_glass SET id = $1", (b"0123456789abcdef",)),
        ("UPDATE break_glass SET sealed = $1", (b"\x01" + b"0" * 60,)),
    ],
)
async def test_a_row_that_was_tampered_with_lets_nobody_in_and_is_found(
    ward: Ward, sql: str, values: tuple[Any, ...]
) -> None:
    await ward.open()
    assert [finding async for finding in ward.room.verify()] == []
    values = tuple(ward.keyring.scope_of(value) if value == "p2" else value for value in values)
    await ward.database.commit([Change(sql, [values], expect=1)])
    ward.room.forget_cached()
    for person in (PRACTITIONER, COLLEAGUE):
        for patient in ("p1", "p2"):
            assert await ward.room.is_open(person, patient) is None
    findings = [finding async for finding in ward.room.verify()]
    assert [finding.what for finding in findings] == ["it does not open: changed, or not where it belongs"]


async def test_a_row_whose_patient_has_no_key_is_found(ward: Ward) -> None:
    grant = await ward.open()
    await ward.database.commit([Change("UPDATE break_glass SET scope = $1", [(5,)], expect=1)])
    (finding,) = [finding async for finding in ward.room.verify()]
    assert finding.where == f"break_glass/{grant.id}"
    assert "key is missing" in finding.what

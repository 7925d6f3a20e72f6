"""Events from the ledger: what counts as a write, and where the reading stands."""

from dataclasses import replace

import pytest

from carekeep.access import Purpose
from carekeep.identity import Session
from carekeep.storage import Change, Conflict
from carekeep.web.subscriptions import feed as feed_module
from carekeep.web.subscriptions.feed import Feed, Written
from carekeep.web.subscriptions.table import KEPT_EVENTS, Happened, Subscribed, Subscriptions
from tests.web.clinic import Clinic, observation

TYPES = frozenset({"Observation"})


def feed_of(clinic: Clinic) -> Feed:
    return Feed(clinic.system.services.ledger, clinic.system.keyring)


async def everything(clinic: Clinic, start: int = 0) -> list[tuple[str, int]]:
    await clinic.integrate()
    found: list[Written] = []
    while True:
        written, end = await feed_of(clinic).read(start, TYPES)
        found += written
        if end == start:
            return [(each.id, each.version) for each in found]
        start = end


async def test_writes_are_found_in_order_and_reads_are_not(clinic: Clinic) -> None:
    await clinic.integrate()
    start = await clinic.system.services.ledger.size()
    await clinic.put(observation("a", "ada", 1, "2026-05-01"))
    await clinic.ask("GET", "Observation/a")
    await clinic.put(observation("a", "ada", 2, "2026-05-01"))
    await clinic.ask("GET", "Observation?patient=Patient/ada")
    await clinic.ask("GET", "Observation/a/_history")
    await clinic.ask("DELETE", "Observation/a")
    await clinic.ask("DELETE", "Observation/a")
    await clinic.put({"resourceType": "Location", "id": "ward"})
    assert await everything(clinic, start) == [("a", 1), ("a", 2), ("a", 3)]


async def test_what_a_condition_found_was_not_written(clinic: Clinic) -> None:
    """The entry of a transaction names it, as it was looked at; only what was written is pinned."""
    await clinic.integrate()
    start = await clinic.system.services.ledger.size()
    entries = [
        {
            "request": {"method": "POST", "url": "Observation", "ifNoneExist": "_id=ada-pulse"},
            "resource": observation("ada-pulse", "ada", 1, "2026-05-01"),
        },
        {"request": {"method": "PUT", "url": "Observation/a"}, "resource": observation("a", "ada", 1, "2026-05-01")},
    ]
    answer = await clinic.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status == 200
    assert answer.entry is not None
    assert "Observation/ada-pulse" in [what.reference for what in answer.entry.what]
    assert await everything(clinic, start) == [("a", 1)]


async def test_an_entry_in_many_parts_is_read_as_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names stand in the first parts and the pins in the last, and a reading may end between them."""
    monkeypatch.setattr(feed_module, "BATCH", 2)
    await clinic.integrate()
    start = await clinic.system.services.ledger.size()
    entries = [
        {
            "request": {"method": "PUT", "url": f"Observation/n{n}"},
            "resource": observation(f"n{n}", "ada", n, "2026-05-01"),
        }
        for n in range(1200)
    ]
    await clinic.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    await clinic.put(observation("last", "ada", 1, "2026-05-01"))
    found = await everything(clinic, start)
    assert await clinic.system.services.ledger.size() - start > 3
    assert sorted(found) == sorted([*((f"n{n}", 1) for n in range(1200)), ("last", 1)])


async def subscribed(clinic: Clinic) -> Subscribed:
    table = clinic.system.services.subscriptions
    new = table.prepare_add("s", b"a" * 16, purpose=Purpose.TREAT, session=Session("", 1, 5, 0), address="10.1.2.3")
    await clinic.record("subscribed", new)
    return new.value


def happened(first: int, count: int) -> list[Happened]:
    return [Happened(number, "Observation", f"o{number}", 1, 7) for number in range(first, first + count)]


async def test_the_place_moves_with_the_events_or_not_at_all(clinic: Clinic) -> None:
    table, of = clinic.system.services.subscriptions, await subscribed(clinic)
    assert await table.next_entry(10) == 10
    await table.advance([(of, happened(1, 3))], 10, 20)
    assert await table.next_entry(99) == 20
    with pytest.raises(Conflict):  # another engine read the same entries
        await table.advance([(replace(of, events=3), happened(4, 1))], 10, 20)
    with pytest.raises(Conflict):  # the subscription is not as it was read
        await table.advance([(of, happened(1, 1))], 20, 30)
    assert await table.next_entry(99) == 20
    (now,) = await table.all()
    assert (now.events, now.delivered) == (3, 0)
    assert await table.events(now, 2, 9, 9) == happened(2, 2)


async def test_only_the_last_events_are_kept(clinic: Clinic) -> None:
    table, of = clinic.system.services.subscriptions, await subscribed(clinic)
    await table.next_entry(0)
    await table.advance([(of, happened(1, KEPT_EVENTS + 5))], 0, 1)
    kept = await table.events(of, 1, KEPT_EVENTS + 5, 3)
    assert [event.number for event in kept] == [6, 7, 8]


async def test_delivered_never_goes_back(clinic: Clinic) -> None:
    table, of = clinic.system.services.subscriptions, await subscribed(clinic)
    await table.mark_delivered(of, 5)
    await table.mark_delivered(of, 3)
    (now,) = await table.all()
    assert now.delivered == 5


async def test_a_row_that_was_changed_is_nobodys(clinic: Clinic) -> None:
    of = await subscribed(clinic)
    database = clinic.system.database
    await database.commit([Change("UPDATE subscription SET account = $1 WHERE id = $2", [(b"b" * 16, of.rid)])])
    table = Subscriptions(database, clinic.system.keyring)
    assert await table.all() == []
    assert [finding.where async for finding in table.verify()] == [f"subscription/{of.rid.hex()}"]

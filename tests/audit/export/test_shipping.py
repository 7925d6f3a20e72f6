"""Delivery to a receiver: in order, nothing lost, from where it stopped; on both databases."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from carekeep.audit import Followed, Ledger
from carekeep.audit.export import Destination, NotTaken, Shipper, ocsf_event, standing_of, told_of
from carekeep.audit.export.shipping import IDLE_S, LONGEST_WAIT_S
from carekeep.storage import Change, Database, Lease
from tests.audit.export.said import ORIGIN, pseudonym
from tests.audit.logs import NOON, a_ledger, a_log, a_sequencer, an_entry, integrate_all, record_all

SOC = Destination("soc", "webhook", "https://siem.example.org/", "siem.example.org", 443, "ocsf")


class Killed(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Receiver:
    """Takes messages, or fails as often as it is told."""

    taken: list[str] = field(default_factory=list)
    failures: int = 0
    most_at_once: int = 0

    async def __call__(self, messages: Sequence[bytes]) -> None:
        self.most_at_once = max(self.most_at_once, len(messages))
        if self.failures:
            self.failures -= 1
            raise NotTaken("it is down")
        self.taken += [json.loads(message)["metadata"]["uid"] for message in messages]


def render(followed: Followed) -> bytes:
    return ocsf_event(told_of(followed, pseudonym), ORIGIN)


def a_shipper(database: Database, ledger: Ledger, receiver: Receiver, destination: Destination = SOC) -> Shipper:
    return Shipper(database, ledger, destination, render, receiver)


async def ids_of(ledger: Ledger) -> list[str]:
    return [sealed.entry_id.hex() async for sealed in ledger.entries()]


async def deliver_all(shipper: Shipper) -> None:
    while await shipper.turn():
        pass


async def test_everything_is_delivered_in_order(database: Database) -> None:
    ledger = await a_log(database, 5)
    receiver = Receiver()
    await deliver_all(a_shipper(database, ledger, receiver))
    assert receiver.taken == await ids_of(ledger)
    await record_all(ledger, [5])
    await integrate_all(a_sequencer(database))
    await deliver_all(a_shipper(database, ledger, receiver))
    assert receiver.taken == await ids_of(ledger)


async def test_a_receiver_that_is_down_misses_nothing(database: Database) -> None:
    ledger = await a_log(database, 3)
    receiver = Receiver(failures=2)
    shipper = a_shipper(database, ledger, receiver)
    for _ in range(2):
        with pytest.raises(NotTaken):
            await shipper.turn()
    assert (await standing_of(SOC, database, ledger)).behind == 3
    await deliver_all(shipper)
    assert receiver.taken == await ids_of(ledger)
    assert (await standing_of(SOC, database, ledger)).behind == 0


async def test_killed_between_delivery_and_remembering_it_comes_again_and_is_known_by_its_id(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = await a_log(database, 3)
    receiver = Receiver()
    shipper = a_shipper(database, ledger, receiver)

    async def die(_: Sequence[Change]) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr(database, "commit", die)
        with pytest.raises(Killed):
            await shipper.turn()
    await deliver_all(a_shipper(database, ledger, receiver))  # another process
    expected = await ids_of(ledger)
    assert receiver.taken == [*expected, *expected]
    assert list(dict.fromkeys(receiver.taken)) == expected


async def test_two_processes_at_once_lose_nothing(database: Database) -> None:
    ledger = await a_log(database, 4)
    receiver = Receiver()
    shippers = [a_shipper(database, ledger, receiver) for _ in range(2)]
    await asyncio.gather(*map(deliver_all, shippers))
    assert list(dict.fromkeys(receiver.taken)) == await ids_of(ledger)
    assert (await standing_of(SOC, database, ledger)).behind == 0


async def test_each_receiver_has_a_place_of_its_own(sqlite: Database) -> None:
    ledger = await a_log(sqlite, 2)
    one, other = Receiver(), Receiver(failures=1)
    await deliver_all(a_shipper(sqlite, ledger, one))
    with pytest.raises(NotTaken):
        await a_shipper(sqlite, ledger, other, replace(SOC, name="other")).turn()
    assert len(one.taken) == 2
    standing = await standing_of(replace(SOC, name="other"), sqlite, ledger)
    assert (standing.behind, standing.waiting_since_ms) == (2, NOON)


async def test_what_a_receiver_did_not_ask_for_is_passed_over(sqlite: Database) -> None:
    ledger = a_ledger(sqlite)
    for number, changes in enumerate(
        [{}, {"outcome": "denied"}, {"action": "identity:session:open", "outcome": "denied"}]
    ):
        await ledger.record(an_entry(number, **changes))
    await integrate_all(a_sequencer(sqlite))
    receiver = Receiver()
    picky = replace(SOC, actions=("identity:", "access:"), outcomes=("denied",))
    await deliver_all(a_shipper(sqlite, ledger, receiver, picky))
    assert receiver.taken == (await ids_of(ledger))[2:]


async def test_a_long_log_goes_in_bounded_batches(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.audit.export.shipping.BATCH", 3)
    ledger = await a_log(sqlite, 10)
    receiver = Receiver()
    await deliver_all(a_shipper(sqlite, ledger, receiver))
    assert receiver.taken == await ids_of(ledger)
    assert receiver.most_at_once == 3


async def test_it_waits_longer_after_each_failure_and_goes_on_at_once_when_it_can(sqlite: Database) -> None:
    ledger = await a_log(sqlite, 2)
    receiver = Receiver(failures=11)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if receiver.taken:
            raise Killed

    shipper = Shipper(sqlite, ledger, SOC, render, receiver, sleep)
    lease = Lease(sqlite, "siem/soc", "here", lambda: NOON)
    with suppress(Killed):
        await shipper.run(lease)
    assert waits[:3] == [2.0, 4.0, 8.0]
    assert waits[8:11] == [LONGEST_WAIT_S] * 3
    assert waits[-1] == IDLE_S
    assert receiver.taken == await ids_of(ledger)


async def test_without_the_lease_nothing_is_sent(sqlite: Database) -> None:
    ledger = await a_log(sqlite, 1)
    receiver = Receiver()
    assert await Lease(sqlite, "siem/soc", "elsewhere", lambda: NOON).hold()

    async def stop(_: float) -> None:
        raise Killed

    with suppress(Killed):
        await Shipper(sqlite, ledger, SOC, render, receiver, stop).run(
            Lease(sqlite, "siem/soc", "here", partial(int, NOON))
        )
    assert not receiver.taken

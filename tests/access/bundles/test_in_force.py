"""Bundles in the database, on both: who is in force and on trial, in every worker, and what is done about bad rows."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from carekeep.access import Action, Decider, PolicyFile, Purpose, Relation
from carekeep.access.bundles import Bundle, PolicyBundles, PolicyKeeper, PolicyRow, Role
from carekeep.storage import Change, Conflict, Database, Generations, Insert, Prepared
from tests.access.people import ADMINISTRATOR, PRACTITIONER, ask
from tests.encryption.keys import new_keyring

READ = ask(PRACTITIONER, Action.READ, relations=[Relation.CARE_TEAM])
HEAD = '@title("t") @reason("Denied: so it is.") @law("l")'
READING = 'action == Action::"fhir:record:read", resource is PatientRecord'


def bundle(version: str, policy: str) -> Bundle:
    return Bundle("rules", version, files=(PolicyFile("rules.cedar", policy),))


STRICT = bundle("1", f'@id("strict") {HEAD}\nforbid (principal is Practitioner, {READING});')
LAX = bundle("2", f'@id("lax") {HEAD}\nforbid (principal is App, {READING});')
BROKEN = bundle("3", "permit (principal is Nurse, action, resource);")
OVERFLOWS = bundle(
    "4", f'@id("over") {HEAD}\nforbid (principal, {READING}) when {{ context.risk + 9223372036854775807 > 0 }};'
)


@dataclass
class House:
    """A database, and the workers that look at it."""

    database: Database
    bundles: PolicyBundles
    workers: tuple[PolicyKeeper, ...]

    async def put(self, role: Role, what: Bundle | None) -> PolicyRow:
        prepared = await self.bundles.prepare_put(role, what, "somebody", "loaded")
        await self.commit(prepared)
        return prepared.value

    async def commit(self, prepared: Prepared[Any]) -> None:
        await self.database.commit(list(prepared.steps))

    async def look(self) -> None:
        for worker in self.workers:
            await worker.refresh()

    def answers(self) -> list[tuple[bool, tuple[str, ...], str]]:
        decisions = [worker.decider.decide(READ) for worker in self.workers]
        return [(each.permitted, each.policies, each.trial) for each in decisions]


SPOILT = ("flipped", "of another role", "does not validate")
DENIED, PERMITTED = (False, ("strict",), ""), (True, ("care.read",), "")


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> House:
    bundles = PolicyBundles(database, await new_keyring(database, tmp_path))
    workers = tuple(PolicyKeeper(Decider.load(), bundles) for _ in range(2))
    found = House(database, bundles, workers)
    await found.look()
    return found


async def test_the_newest_of_a_role_counts_and_the_one_before_comes_back(house: House) -> None:
    assert house.answers() == [PERMITTED] * 2
    first = await house.put(Role.IN_FORCE, LAX)
    second = await house.put(Role.IN_FORCE, STRICT)
    await house.look()
    assert house.answers() == [DENIED] * 2
    assert await house.bundles.before(second) == first
    third = await house.put(Role.IN_FORCE, first.bundle)
    await house.look()
    assert house.answers() == [PERMITTED] * 2
    assert await house.bundles.all() == (third, second, first)
    assert await house.bundles.current(Role.IN_FORCE) == third
    await house.put(Role.IN_FORCE, None)
    await house.look()
    assert house.answers() == [PERMITTED] * 2


async def test_every_worker_hears_of_it_by_the_generation(house: House) -> None:
    generations = Generations(house.database)
    for worker in house.workers:
        generations.watch("policies", worker.changed)
    await generations.poll()
    await house.put(Role.IN_FORCE, STRICT)
    await generations.poll()
    for worker in house.workers:
        assert worker.looking is not None
        await worker.looking
    assert house.answers() == [DENIED] * 2


async def test_of_two_at_once_one_comes_too_late(house: House) -> None:
    one = await house.bundles.prepare_put(Role.IN_FORCE, STRICT, "a", "loaded")
    other = await house.bundles.prepare_put(Role.IN_FORCE, LAX, "b", "loaded")
    await house.commit(one)
    with pytest.raises(Conflict):
        await house.commit(other)


async def test_a_bundle_that_cannot_be_used_leaves_the_old_in_force(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    for what in SPOILT:
        caplog.clear()
        await house.put(Role.IN_FORCE, STRICT)
        await house.look()
        await spoil(house, what)
        await house.look()
        assert house.answers() == [DENIED] * 2
        assert "the old policies stay in force" in caplog.text
        assert all(worker.problem for worker in house.workers)
        await house.put(Role.IN_FORCE, LAX)
        await house.look()
        assert house.answers() == [PERMITTED] * 2
        assert not any(worker.problem for worker in house.workers)


async def test_a_worker_that_starts_with_such_a_bundle_permits_emergencies_only(house: House) -> None:
    for what in SPOILT:
        await house.put(Role.IN_FORCE, STRICT)
        await spoil(house, what)
        started = PolicyKeeper(Decider.load(), house.bundles)
        await started.refresh()
        decide = started.decider.decide
        assert decide(READ).policies == ("policies.unreadable",)
        assert decide(ask(PRACTITIONER, Action.READ, purpose=Purpose.ETREAT, break_glass=True)).permitted
        assert decide(ask(PRACTITIONER, Action.BREAK_GLASS, purpose=Purpose.ETREAT)).permitted
        manage = ask(replace(ADMINISTRATOR, assurance=3), Action.POLICY_MANAGE, purpose=Purpose.HSYSADMIN)
        assert decide(manage).permitted
        await house.put(Role.IN_FORCE, LAX)
        await started.refresh()
        assert decide(READ).permitted


async def spoil(house: House, what: str) -> None:
    """The next row is no good: the generation moves, and a row is there, but it cannot be used."""
    if what == "does not validate":
        await house.put(Role.IN_FORCE, BROKEN)
        return
    prepared = await house.bundles.prepare_put(Role.IN_FORCE, LAX, "a", "loaded")
    trial = await house.bundles.prepare_put(Role.ON_TRIAL, LAX, "a", "trial")
    good, other = sealed_in(prepared), sealed_in(trial)
    content = bytes([*good[:-1], good[-1] ^ 1]) if what == "flipped" else other
    row = (prepared.value.number, Role.IN_FORCE.value, content)
    await house.database.commit([Insert("policy_bundle", ("number", "role", "sealed"), [row])])
    found = [finding.where async for finding in house.bundles.verify()]
    assert f"policy_bundle/{prepared.value.number}" in found


def sealed_in(prepared: Prepared[PolicyRow]) -> bytes:
    (sealed,) = [step.rows[0][2] for step in prepared.steps if isinstance(step, Insert)]
    assert isinstance(sealed, bytes)
    return sealed


async def test_a_trial_is_told_and_changes_nothing(house: House) -> None:
    await house.put(Role.ON_TRIAL, STRICT)
    await house.look()
    assert house.answers() == [(True, ("care.read",), "denied by strict")] * 2
    await house.put(Role.IN_FORCE, STRICT)
    await house.put(Role.ON_TRIAL, LAX)
    await house.look()
    assert house.answers() == [(False, ("strict",), "permitted by care.read")] * 2
    await house.put(Role.ON_TRIAL, OVERFLOWS)
    await house.look()
    assert house.answers() == [(False, ("strict",), "")] * 2  # it denies as well, until it cannot be evaluated
    risky = replace(READ, risk=1)
    assert house.workers[0].decider.decide(risky).trial == "policy error"
    await house.put(Role.ON_TRIAL, None)
    await house.look()
    assert house.answers() == [DENIED] * 2


@pytest.mark.parametrize("spoilt", [True, False])
async def test_a_trial_that_cannot_be_used_is_only_told(
    house: House, spoilt: bool, caplog: pytest.LogCaptureFixture
) -> None:
    row = await house.put(Role.ON_TRIAL, BROKEN if not spoilt else LAX)
    if spoilt:
        change = Change("UPDATE policy_bundle SET sealed = $1 WHERE number = $2", [(b"nothing at all", row.number)])
        await house.database.commit([change])
    await house.put(Role.IN_FORCE, STRICT)
    await house.look()
    assert house.answers() == [DENIED] * 2
    assert "nothing is tried" in caplog.text

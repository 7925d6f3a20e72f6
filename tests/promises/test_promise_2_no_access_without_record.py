"""Promise 2: no access without its record.

The server is killed (-9) at random moments under mixed load, and started again. At the end what the clients were told
is compared with what is there: every acknowledged version with its content, every answer's ledger entry, and that the
ledger, the records and the index verify.
"""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from carekeep.app import System
from carekeep.audit import Entry, EntryId, Ledger, LedgerBroken
from carekeep.cli.installation import with_system
from carekeep.cli.integrity import checks
from carekeep.cli.operator import operator_agent
from carekeep.identity import Kind
from carekeep.records import NotFound, Vault
from carekeep.storage import Change, Finding
from tests.promises.installation import Installation, new_installation
from tests.promises.load import PATIENTS, Client, Told, load_until_killed
from tests.storage.postgres_server import running_server

KILLS = {"sqlite": 40, "postgres": 20}  # over all parts
PARTS = 2
VERIFY_EVERY = 10
CLIENTS = 6
MOST_ANSWERS = 150  # before a kill: counted, so that a busy machine gives no other test than a quiet one
LONGEST_S = 0.01  # after the last of them: an answer takes less

CASES = [
    pytest.param(database, kills // PARTS, id=f"{database}-{part}")
    for database, kills in KILLS.items()
    for part in range(PARTS)
]


def prepare(installation: Installation) -> dict[str, str]:
    """Who works, and the patients."""
    tokens = {
        "engine": installation.open_account(Kind.APP, "engine"),
        "stranger": installation.open_account(Kind.PRACTITIONER, "stranger", fhir_user="Practitioner/stranger"),
    }

    async def work(system: System) -> None:
        draft = system.services.vault.draft()
        for number in range(PATIENTS):
            await draft.create({"resourceType": "Patient", "id": f"p{number}"}, f"p{number}")
        await system.services.ledger.record(an_entry(system), draft.prepared())

    with_system(installation.home, work)
    return tokens


def an_entry(system: System) -> Entry:
    return Entry(
        action="test",
        agent=operator_agent(),
        purpose="HSYSADMIN",
        outcome="permitted",
        request_id="test",
        at_ms=system.services.clock(),
    )


@pytest.mark.parametrize(("database_url", "kills"), CASES, indirect=["database_url"])
def test_nothing_that_was_answered_is_lost(installation: Installation, kills: int) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - chance that must repeat
    tokens = prepare(installation)
    clients = [Client(f"c{number}", tokens, chance.randrange(1 << 32)) for number in range(CLIENTS)]
    installation.preload()
    for number in range(1, kills + 1):
        installation.start()
        answers, and_then_s = chance.randrange(MOST_ANSWERS), chance.uniform(0, LONGEST_S)
        asyncio.run(load_until_killed(installation, clients, answers, and_then_s=and_then_s))
        if number % VERIFY_EVERY == 0 or number == kills:
            compare(installation, [told for client in clients for told in client.told])
    told = [told for client in clients for told in client.told]
    assert {each.what for each in told} == {"read", "create", "update", "transaction", "search", "denied"}


def compare(installation: Installation, told: list[Told]) -> None:
    assert differences(installation, told) == []


def differences(installation: Installation, told: list[Told]) -> list[str]:
    """What is there against what was said, and against itself."""

    async def work(system: System) -> list[str]:
        await let_lease_end(system)
        wrong: list[str] = []
        try:
            while await system.sequencer.integrate():
                pass
        except LedgerBroken as broken:
            wrong.append(str(broken))
        wrong += [each async for each in lost(system.services.vault, told)]
        wrong += [each async for each in unrecorded(system.services.ledger, told)]
        witness = installation.settings.witness_file
        known = witness.read_text() if witness.exists() else None
        for check in checks(system, known):
            wrong += [f"{step.where}: {step.what}" async for step in check.run() if isinstance(step, Finding)]
        return wrong

    return with_system(installation.home, work)


async def let_lease_end(system: System) -> None:
    """As if the time of the dead server's lease were over, so that the next one's keeper works from its start."""
    await system.database.commit([Change("DELETE FROM lease", [()])])


async def lost(vault: Vault, told: list[Told]) -> AsyncIterator[str]:
    """Acknowledged versions that are not there as they were acknowledged."""
    for each in told:
        for reference, version, body in each.made:
            type_, _, id_ = reference.partition("/")
            try:
                stored = await vault.read_version(type_, id_, version)
            except NotFound:
                yield f"{reference} v{version} was acknowledged and is lost"
                continue
            if body is not None and stored.resource != body:
                yield f"{reference} v{version} is not what was acknowledged"


async def unrecorded(ledger: Ledger, told: list[Told]) -> AsyncIterator[str]:
    """Answers whose entry is missing, or says something else than what happened."""
    for each in told:
        sealed = await ledger.find(EntryId(bytes.fromhex(each.entry)))
        if sealed is None:
            yield f"{each.request_id} ({each.what}, {each.status}) was answered and is not in the ledger"
            continue
        entry = ledger.open(sealed.leaf)[0]
        if not agrees(entry, each):
            yield f"{each.request_id} ({each.what}, {each.status}) is in the ledger as something else"


def agrees(entry: Entry, told: Told) -> bool:
    """Whether the entry says what the client saw."""
    versions = {(what.reference, what.version) for what in entry.what}
    outcome = {403: "denied", 404: "failed"}.get(told.status, "permitted")
    return (
        entry.request_id == told.request_id
        and entry.outcome == outcome
        and {(reference, version) for reference, version, _ in told.made} <= versions
        and (told.read is None or told.read in versions)
        and (told.what != "denied" or entry.agent.who == "Practitioner/stranger")
    )


@pytest.fixture
def worked(installation: Installation) -> list[Told]:
    """A short load, killed once."""
    tokens = prepare(installation)
    clients = [Client(f"c{number}", tokens, number) for number in range(2)]
    installation.start()
    asyncio.run(load_until_killed(installation, clients, 40))
    return [told for client in clients for told in client.told]


def test_a_lost_write_would_be_seen(installation: Installation, worked: list[Told]) -> None:
    """The comparison can fail: take away one acknowledged version, and the entry of one answer."""
    compare(installation, worked)
    write = next(each for each in reversed(worked) if each.made)

    async def lose(system: System) -> None:
        type_, _, id_ = write.made[0][0].partition("/")
        rid = system.keyring.rid(type_, id_)
        where = "seq = (SELECT seq FROM record WHERE rid = $1) AND version = $2"
        await system.database.commit(
            [
                Change(f"DELETE FROM record_version WHERE {where}", [(rid, write.made[0][1])], expect=1),  # noqa: S608
                Change("DELETE FROM ledger_entry WHERE entry_id = $1", [(bytes.fromhex(write.entry),)], expect=1),
            ]
        )

    with_system(installation.home, lose)
    seen = " ".join(differences(installation, worked))
    assert "was acknowledged and is lost" in seen
    assert "was answered and is not in the ledger" in seen


def test_an_entry_that_says_something_else_would_be_seen(installation: Installation, worked: list[Told]) -> None:
    write = next(each for each in worked if each.made)
    assert differences(installation, [write]) == []
    for other in (
        replace(write, request_id="another"),
        replace(write, status=403),
        replace(write, made=(("Observation/other", 1, None),)),
    ):
        assert differences(installation, [other]), other


def test_postgres_is_killed_under_the_server(tmp_path: Path) -> None:
    """Kill -9 of the backends that work for Carekeep, so that PostgreSQL recovers: some answers are 503, none lies."""
    with running_server() as server:
        name = server.create_migrated()
        installation = new_installation(tmp_path, server.url(name))
        tokens = prepare(installation)
        clients = [Client(f"c{number}", tokens, number) for number in range(CLIENTS)]
        installation.start()
        try:
            asyncio.run(with_postgres_killed(installation, clients, server.url(name)))
        finally:
            installation.abandon()
        told = [told for client in clients for told in client.told]
        assert {each.status for each in told if each.status >= 500} == {503}
        compare(installation, [each for each in told if each.status != 503])


async def with_postgres_killed(installation: Installation, clients: list[Client], url: str) -> None:
    """Load, in the midst of which PostgreSQL dies, recovers, and is used again."""
    working = asyncio.create_task(load_until_killed(installation, clients, MOST_ANSWERS, and_then_s=4.0))
    await asyncio.sleep(0.5)
    with psycopg.connect(url, autocommit=True) as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'carekeep' AND backend_type = 'client backend'"
        )
        backends = [pid for (pid,) in connection.execute(query).fetchall()]
        assert backends
        os.kill(backends[0], signal.SIGKILL)
        with suppress(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(10)")
    before = [len(client.told) for client in clients]
    await working
    after = [[told for told in client.told[count:] if told.made] for client, count in zip(clients, before, strict=True)]
    assert any(after), "it went on"

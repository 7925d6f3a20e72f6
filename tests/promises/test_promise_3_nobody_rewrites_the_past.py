"""Promise 3: nobody rewrites the past.

One bit of any column of any table that speaks of the past is changed, rows are swapped, deleted, put back; the log is
cut; an old database is put back as a whole. Each is found, and named. And outsiders check the log without the server.
"""

import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from carekeep.access.bundles import Bundle, Role
from carekeep.access.sharing import GuestOrder, LinkOrder, SharedFile
from carekeep.app import System
from carekeep.audit import EntryId, LedgerFiles, entry_index
from carekeep.audit.anchors import Receipt
from carekeep.audit.witnessing import find_split
from carekeep.identity import Binding, BindingKind, SignedIn
from carekeep.identity.apps.client import Client, ClientAuthentication
from carekeep.identity.apps.grant import Context, Grant
from carekeep.records.disposal import Ground
from carekeep.storage import Change, Database, Row, StorageError
from carekeep.web.exchange.chain_node import anchored_checkpoints
from tests.audit.witnessing.parties import Log
from tests.house.tree import ROOT
from tests.identity.authenticator import Authenticator
from tests.promises import outsider
from tests.promises.tampering import (
    COUNTERS,
    NO_PAST,
    PAST,
    Table,
    findings,
    flipped,
    put_back,
    signs_nothing,
    snapshot,
)
from tests.web.clinic import Clinic, chart, new_clinic, observation, open_clinic
from tests.web.sharing.viewer import encrypt
from tests.web.subscriptions.ward import subscription

SEED = 3
ROWS = {"sqlite": 2, "postgres": 1}  # of each table, for each column
LEAVES = 700  # more than two tiles, so that there is a level above them
VERIFIER = ROOT / "verifier" / "carekeep_verify.py"
TABLES_OF_SQLITE = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
TABLES_OF_POSTGRES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def lived_in(tmp_path: Path, database_url: str) -> AsyncIterator[Clinic]:
    """A clinic with a past: rows in every table, keys rotated, one patient forgotten, some entries still waiting."""
    async with new_clinic(tmp_path / "home", database_url) as clinic:
        await live(clinic)
        assert await findings(clinic.system) == []
        yield clinic


async def live(clinic: Clinic) -> None:
    services = clinic.system.services
    for resource in chart("eve", "Rossi"):
        await clinic.put(resource)
    for patient in ("bob", "eve"):
        reason = {"name": "reason", "valueString": "Brought in unconscious"}
        body = {"resourceType": "Parameters", "parameter": [reason]}
        answer = await clinic.ask("POST", f"Patient/{patient}/$break-glass", body, who="emergency")
        assert answer.status == 200, answer.body
    assert (await clinic.ask("POST", "Subscription", subscription(None), who="physician")).status == 201
    await clinic.put(observation("ada-pulse", "bob", 90, "2026-04-01"))  # moves to another patient
    for value in range(5):
        await clinic.put(observation("ada-pulse-2", "ada", value, "2026-04-01"))
    await clinic.ask("DELETE", "Condition/bob-asthma")
    await hold_and_propose(clinic)
    await clinic.record("eve is forgotten", await services.vault.prepare_forget("eve"))
    async for batch in clinic.system.keyring.rotate():
        await clinic.record("keys were rotated", batch)
    account = clinic.accounts["app"]
    changed = services.accounts.prepare_change(replace(account, disabled=True))
    await clinic.record("the app is disabled", changed)
    await administer(clinic)
    await let_in(clinic)
    await share(clinic)
    while await size(clinic.system) < LEAVES:
        for _ in range(100):
            await clinic.ask("GET", "Patient/ada", who="physician")
        await clinic.integrate()
    note = await LedgerFiles(services.database).checkpoint()
    assert note is not None
    anchors = anchored_checkpoints(services)
    await clinic.record("anchored", anchors.prepare_add(note, Receipt("eip155:1:0xa:0xb", 0), services.clock()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry_index, "BATCH", 20)  # the others are not noted yet
        await entry_index.EntryIndexer(services.database, services.ledger, clinic.system.keyring.index).step()
    await clinic.put(observation("late", "ada", 70, "2026-05-01"))  # waits for the sequencer


async def share(clinic: Clinic) -> None:
    """Links and guests of two patients."""
    sharing, until = clinic.system.services.sharing, clinic.time() + 86_400_000
    for patient in ("ada", "bob"):
        file = SharedFile("application/fhir+json", encrypt(bytes(32), b"{}"))
        link = LinkOrder(patient=patient, label="Summary", flags="", expires_ms=until, files=(file,))
        name, address, types = "L. Wang", "w@example.org", frozenset[str]()
        guest = GuestOrder(patient, name, address, "Riverside", types, sensitive=False, expires_ms=until)
        await clinic.record("a link", await sharing.links.prepare_create(link, "00" * 16))
        await clinic.record("a guest", await sharing.guests.prepare_invite(guest, "00" * 16, mailed=False))


async def hold_and_propose(clinic: Clinic) -> None:
    """A hold that was lifted, one that holds, and two disposals that are proposed, one of somebody who is forgotten."""
    services, reason = clinic.system.services, "court order 17 of 2026"
    by = clinic.accounts["administrator"].id
    for patient in ("eve", "ada"):
        proposed = await services.disposals.prepare_propose(patient, by, Ground.ERASURE, reason)
        await clinic.record("proposed", proposed)
    lifted = await services.holds.prepare_place("eve", "operator", reason)
    await clinic.record("held", lifted)
    await clinic.record("held", await services.holds.prepare_place("ada", "operator", reason))
    await clinic.record("lifted", await services.holds.prepare_lift(lifted.value, "operator", reason))


async def administer(clinic: Clinic) -> None:
    """A device, a code for another one, and a recovery, of which its account is told."""
    services, account = clinic.system.services, clinic.accounts["physician"]
    key = Binding(BindingKind.DPOP, "k" * 43)
    await clinic.record("enrolled", await services.devices.prepare_enrol(account.id, key, name="PC", platform="linux"))
    await clinic.record("a code", await services.invitations.prepare_device_code(account, "operator"))
    opened = await services.recoveries.prepare_open(account, clinic.accounts["administrator"], "lost the telephone")
    notice = await services.notices.prepare_add(account.id, "recovery.opened", {})
    await clinic.record("a recovery was opened", opened, notice)
    await clinic.record("the notice was read", await services.notices.prepare_read(account.id, notice.value.number))
    for role in Role:
        bundle = Bundle("rules", "1", ("clinic",))
        put = await services.policies.bundles.prepare_put(role, bundle, "operator", "loaded")
        await clinic.record("policies", put)


async def let_in(clinic: Clinic) -> None:
    """Somebody with a passkey is signed in and has let an app act for them; they are known to a directory, too."""
    services, account = clinic.system.services, clinic.accounts["physician"]
    host = services.auth_url.removeprefix("https://").partition(":")[0]
    key = Authenticator(origin=services.auth_url, rp_id=host)
    asked = await services.passkeys.begin_registration(account)
    state = asked.state.reveal_text()
    made = await services.passkeys.prepare_registration(account, state, key.create(asked.options), "key")
    await clinic.record("a passkey", made)
    who = SignedIn(account, 2, ("swk", "user", "mfa"))
    await clinic.record("signed in", services.browser_sessions.prepare_start(who, address=None))
    apps = services.apps
    client = Client(
        id=apps.clients.new_id(),
        name="Pocket Chart",
        authentication=ClientAuthentication.NONE,
        created_ms=services.clock(),
        redirect_uris=("https://app.example.org/back",),
        scopes="patient/*.rs",
    )
    given = Grant(
        id=b"",
        account=account.id,
        client=client.id,
        scopes="patient/*.rs",
        context=Context(patient="ada"),
        assurance=2,
        authenticated_ms=services.clock(),
        methods=(),
        given_ms=0,
        last_used_ms=0,
        ends_ms=services.clock() + 86_400_000,
        expires_ms=services.clock() + 86_400_000,
    )
    await clinic.record("an app", apps.clients.prepare_create(client))
    await clinic.record("allowed", apps.grants.prepare_give(given, refreshable=True))
    await clinic.record("keys that sign", await apps.signing_keys.ready())
    await clinic.record("linked", services.links.prepare_add("https://idp.example.org", "s", account))
    log, fork = Log(), Log(fork_at=0)
    split = find_split(log.keys, log.note(5), fork.note(5))
    assert split is not None
    kept = await services.witnesses.split_views.prepare_keep(split)
    assert kept is not None
    await clinic.record("a log showed two pasts", kept)


async def size(system: System) -> int:
    row = await system.database.fetch_one("SELECT size FROM ledger_head")
    return int(row[0]) if row else 0


async def test_the_list_of_tables_is_complete(database: Database) -> None:
    sql = TABLES_OF_SQLITE if database.dialect == "sqlite" else TABLES_OF_POSTGRES
    assert {name for (name,) in await database.fetch(sql)} == PAST.keys() | NO_PAST.keys()
    for name in PAST:
        row = await database.fetch_one(f"SELECT count(*) FROM {name}")  # noqa: S608
        assert row is not None


async def test_the_list_of_columns_is_complete(database: Database) -> None:
    sql = (
        "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        if database.dialect == "sqlite"
        else "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found = {(table, column) for table, column in await database.fetch(sql) if table in PAST}
    assert found == {(name, column) for name in PAST for column in Table(database, name).columns}


async def test_a_flipped_bit_in_any_column_is_found(lived_in: Clinic) -> None:
    system = lived_in.system
    chance = random.Random(SEED)  # noqa: S311 - chance that must repeat
    unseen = []
    for name in PAST:
        table = Table(system.database, name)
        rows = await table.rows()
        assert rows, name
        for at, column in enumerate(table.columns):
            if (name, column) in COUNTERS:
                continue
            for row in chance.sample(rows, min(ROWS[system.database.dialect], len(rows))):
                changed = (*row[:at], flipped(row[at], chance.randrange(1 << 16)), *row[at + 1 :])
                try:
                    await table.replace(row, changed)
                except StorageError:
                    continue  # the database itself does not hold such a row
                if not await findings(system) and (name, column) not in unspoken(system, row):
                    unseen.append((name, column, row[: len(table.key)]))
                await table.replace(changed, row)
    assert unseen == []
    assert await findings(system) == []


def unspoken(system: System, row: Row) -> set[tuple[str, str]]:
    """What nobody can tell any more of a patient who is forgotten: in which order the records were written.

    It is a number that the key of the patient's records speaks for, and is used for nothing once that is gone.
    """
    return {("record_version", "written")} if row[0] == system.keyring.scope_of("eve") else set()


async def test_a_row_that_is_taken_away_is_found(lived_in: Clinic) -> None:
    system = lived_in.system
    chance = random.Random(SEED)  # noqa: S311 - chance that must repeat
    unseen = []
    for name in PAST:
        table = Table(system.database, name)
        rows = await table.rows()
        for row in chance.sample(rows, min(2 * ROWS[system.database.dialect], len(rows))):
            await table.delete(row)
            if not await findings(system):
                unseen.append((name, row[: len(table.key)]))
            await table.insert(row)
    assert unseen == []
    assert await findings(system) == []


async def test_swapped_contents_are_found(lived_in: Clinic) -> None:
    """Every table's rows keep their keys and change the rest with a neighbour's: of one patient, and of two."""
    system = lived_in.system
    unseen = []
    for name in ("system_key", "patient_key", "record", "record_version", "account", "access_token", "ledger_entry"):
        table = Table(system.database, name)
        rows = await table.rows()
        for one, other in pairwise(rows[:7]):
            width = len(table.key)
            if one[width:] == other[width:]:
                continue
            copy = await snapshot(system.database)
            for row in (one, other):
                await table.delete(row)
            await table.insert((*one[:width], *other[width:]))
            await table.insert((*other[:width], *one[width:]))
            if not await findings(system):
                unseen.append((name, one[:width], other[:width]))
            await put_back(system.database, copy)
    assert unseen == []
    assert await findings(system) == []


async def test_the_finding_names_what_was_changed(lived_in: Clinic) -> None:
    system = lived_in.system
    rid = system.keyring.rid("Observation", "ada-pulse-2").hex()
    changed = await damage(system, "record_version", lambda row: row[2] == 3)
    assert any(f"record_version {rid}/3" in finding for finding in changed), changed
    table = Table(system.database, "account")
    account = (await table.rows())[0]
    changed = await damage(system, "account", lambda row: row[0] == account[0])
    assert any(account[0].hex() in finding for finding in changed), changed
    changed = await damage(system, "ledger_entry", lambda row: row[0] == 300)
    assert "300" in changed[0], changed
    changed = await damage(system, "ledger_tile", lambda row: row[:2] == (0, 1))
    assert "tile 0/1" in changed[0], changed
    changed = await damage(system, "ledger_head", lambda _: True)
    assert "checkpoint" in changed[0], changed


async def damage(system: System, name: str, wanted: Callable[[Row], bool]) -> list[str]:
    """Flip a bit in the last column of the first row that is wanted; what is found; and repair it."""
    table = Table(system.database, name)
    row = next(row for row in await table.rows() if wanted(row))
    changed = (*row[:-1], flipped(row[-1], 77))
    await table.replace(row, changed)
    found = await findings(system)
    await table.replace(changed, row)
    assert await findings(system) == []
    assert found
    return found


async def test_a_log_that_was_cut_is_found(lived_in: Clinic) -> None:
    """The tail alone; the tail with its tiles; and all of it, with the signed head of that time."""
    system = lived_in.system
    copy = await snapshot(system.database)
    await system.database.commit([Change("DELETE FROM ledger_entry WHERE leaf_index >= 600", [()])])
    assert any("600" in finding for finding in await findings(system))
    await system.database.commit([Change("UPDATE ledger_head SET size = 600", [()])])
    assert any("checkpoint" in finding for finding in await findings(system))
    await put_back(system.database, copy)
    assert await findings(system) == []


async def test_an_old_database_is_found_by_a_newer_checkpoint(lived_in: Clinic) -> None:
    system = lived_in.system
    await lived_in.integrate()
    old = await snapshot(system.database)
    await lived_in.ask("GET", "Patient/bob", who="physician")  # what somebody would like to unmake
    await lived_in.integrate()
    witness = system.settings.witness_file.read_text()
    await put_back(system.database, old)
    assert any("rolled back" in finding for finding in await findings(system, witness))
    assert await findings(system) == [], "as a whole it is sound: only the witness shows that it is old"
    async with open_clinic(system.settings.home, system.settings.database_url) as again:
        await again.record("work goes on")
        assert await signs_nothing(again.system)


async def test_a_record_cannot_be_set_back_to_an_older_version(lived_in: Clinic) -> None:
    system = lived_in.system
    table = Table(system.database, "record")
    for id_ in ("Observation/ada-pulse-2", "Condition/bob-asthma", "Observation/ada-pulse"):
        rid = system.keyring.rid(*id_.split("/"))
        row = next(row for row in await table.rows() if row[1] == rid)
        for scope in {row[2], system.keyring.scope_of("ada")}:
            await table.replace(row, (row[0], rid, scope, row[3] - 1))
            assert await findings(system), id_
            await table.replace((row[0], rid, scope, row[3] - 1), row)
    assert await findings(system) == []


async def test_an_account_cannot_be_set_back(lived_in: Clinic) -> None:
    """A disabled account's old row opens by itself; the ledger knows the newer one. So do tokens, grants, keys."""
    services, database = lived_in.system.services, lived_in.system.database
    accounts = Table(database, "account")
    old = {row[0]: row for row in await accounts.rows()}
    account = lived_in.accounts["physician"]
    await lived_in.record("disabled", services.accounts.prepare_change(replace(account, disabled=True)))
    new = next(row for row in await accounts.rows() if row[0] == account.id)
    await accounts.replace(new, old[account.id])
    assert any(account.id.hex() in finding for finding in await findings(lived_in.system))
    await accounts.replace(old[account.id], new)
    assert await findings(lived_in.system) == []


async def test_a_revoked_token_and_a_destroyed_key_cannot_be_brought_back(lived_in: Clinic) -> None:
    database = lived_in.system.database
    tokens, keys = Table(database, "access_token"), Table(database, "patient_key")
    before = {table.name: await table.rows() for table in (tokens, keys)}
    await lived_in.ask("POST", "/auth/sign-out", who="physician")
    await lived_in.record("forgotten", await lived_in.system.services.vault.prepare_forget("bob"))
    assert await findings(lived_in.system) == []
    (revoked,) = set(before["access_token"]) - set(await tokens.rows())
    await tokens.insert(revoked)
    assert any(revoked[0].hex() in finding for finding in await findings(lived_in.system))
    await tokens.delete(revoked)
    (key,) = set(before["patient_key"]) - set(await keys.rows())
    new = next(row for row in await keys.rows() if row[0] == key[0])
    await keys.replace(new, key)
    assert any(f"{key[0]:016x}" in finding for finding in await findings(lived_in.system))


def run_verifier(key: str, proof: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(VERIFIER), "--key", key, str(proof)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_a_proof_convinces_an_outsider_and_a_changed_one_does_not(lived_in: Clinic, tmp_path: Path) -> None:
    read = await lived_in.ask("GET", "Patient/ada", who="physician")
    await lived_in.integrate()
    key = str(lived_in.system.sequencer.key)
    answer = await lived_in.ask("GET", f"/ledger/proof/{read.headers['x-ledger-entry']}", who="auditor")
    path = tmp_path / "access.tlog-proof"
    path.write_bytes(answer.body)
    accepted = run_verifier(key, path)
    assert (accepted.returncode, accepted.stdout[:3]) == (0, "OK:"), accepted.stdout
    chance = random.Random(SEED)  # noqa: S311 - chance that must repeat
    for at in chance.sample(range(len(answer.body)), 8):
        changed = bytearray(answer.body)
        changed[at] ^= 1
        path.write_bytes(changed)
        refused = run_verifier(key, path)
        assert refused.returncode in {1, 2}, (at, refused.stdout)
    other = EntryId(bytes.fromhex((await lived_in.ask("GET", "Patient/ada")).headers["x-ledger-entry"]))
    await lived_in.integrate()
    sealed = await lived_in.system.services.ledger.find(other)
    assert sealed is not None
    entry = tmp_path / "entry"
    entry.write_bytes(sealed.leaf)
    path.write_bytes(answer.body)
    command = [sys.executable, str(VERIFIER), "--key", key, "--entry", str(entry), str(path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1  # noqa: ASYNC221


async def test_an_outsider_checks_the_whole_log(lived_in: Clinic) -> None:
    """With nothing of ours but bytes over HTTP and the public key: the verifier's functions, and RFC 6962 by hand."""

    async def fetch(path: str) -> bytes:
        answer = await lived_in.ask("GET", f"/ledger/{path}", who=None)
        assert answer.status == 200, path
        return answer.body

    key = str(lived_in.system.sequencer.key)
    assert await outsider.check_log(fetch, key) == await size(lived_in.system)
    table = Table(lived_in.system.database, "ledger_entry")
    row = (await table.rows())[500]
    await table.replace(row, (*row[:-1], flipped(row[-1], 9)))
    with pytest.raises(outsider.Refused):
        await outsider.check_log(fetch, key)

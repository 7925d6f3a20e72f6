"""Disposal at the machine: what is due, a hold that stops `keys destroy`, two people by their passwords, papers."""

import asyncio
import json
from pathlib import Path

from carekeep.app import System, open_system
from carekeep.cli.installation import read_passphrase
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret, new_totp_key, totp_code
from carekeep.identity import Kind
from carekeep.settings import load_settings
from carekeep.storage import system_clock
from tests.cli.conftest import Run

PASSWORD = "a long password for tests"  # noqa: S105
REASON = ("--reason", "on the list of due records of this month")
PATIENT = {"resourceType": "Patient", "id": "old", "birthDate": "1930-01-01", "name": [{"family": "Old"}]}


async def furnish(system: System) -> dict[str, Secret]:
    """Two administrators with one-time codes."""
    services, keys = system.services, {}
    for login in ("jdoe", "mroe"):
        keys[login] = new_totp_key()
        made = await services.accounts.prepare_create(
            Kind.ADMINISTRATOR, name=f"The {login}", login=login, password=Secret(PASSWORD), totp_key=keys[login]
        )
        await record_operation(services, "test", "an account", made)
    return keys


def test_a_hold_stops_the_machine_and_two_people_dispose(run: Run, home: Path, tmp_path: Path) -> None:
    settings = load_settings(home)

    async def work() -> dict[str, Secret]:
        async with open_system(settings, read_passphrase(settings)) as system:
            return await furnish(system)

    folder = tmp_path / "bulk"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(json.dumps(PATIENT) + "\n")
    assert run("import", str(folder)).code == 0
    keys = asyncio.run(work())

    def as_(login: str) -> str:
        return f"{PASSWORD}\n{totp_code(keys[login], system_clock())}\n"

    held = run("disposal", "hold", "old", "--reason", "court order 17/2026")
    assert held.code == 0, held.err
    refused = run("keys", "destroy", "old", "--reason", "asked for", "--yes")
    assert (refused.code, "legal hold" in refused.err) == (3, True)
    (assessed,) = json.loads(run("disposal", "due", "--all", "--json").out)["patients"]
    assert (assessed["patient"], assessed["held"], assessed["rule"]) == ("old", True, "cautious.adults")
    assert run("disposal", "lift", held.out.strip(), "--reason", "the case was closed").code == 0
    proposed = run("disposal", "propose", "old", "--as", "jdoe", "--erasure", *REASON, typed=as_("jdoe"))
    assert proposed.code == 0, proposed.err
    number = proposed.out.strip()
    assert number in run("disposal", "list").out
    done = run("disposal", "approve", number, "--as", "mroe", typed=f"{number}\n{as_('mroe')}")
    assert done.code == 0, done.err
    assert run("keys", "rotate").code == 0
    papers = tmp_path / "papers"
    written = run("disposal", "certificate", number, "--proof", str(papers))
    assert written.code == 0, written.err
    assert "epoch 1 of the keys has ended" in written.out
    outsiders_check(run, papers / f"disposal-{number}.json", run("ledger", "key").out.strip())


def outsiders_check(run: Run, certificate: Path, key: str) -> None:
    """What needs no installation, and finds a certificate, statement or proof that is another one."""
    checked = run("disposal", "check", str(certificate), "--key", key)
    assert (checked.code, "speaks of this certificate" in checked.out) == (0, True), checked.err
    text = certificate.read_text()
    assert not any(secret in text for secret in ('"old"', "Old", "due records"))
    certificate.write_text(text.replace('"Patient": 1', '"Patient": 2'))
    assert run("disposal", "check", str(certificate), "--key", key).code == 1
    certificate.write_text(text)
    statement = certificate.with_suffix(".statement")
    said = statement.read_text()
    statement.write_text(said.replace("entry 0", "entry 1"))
    assert run("disposal", "check", str(certificate), "--key", key).code == 1
    statement.write_text(said)
    proof = certificate.with_suffix(".tlog-proof")
    proof.write_text(proof.read_text().replace("index ", "index 1"))
    assert run("disposal", "check", str(certificate), "--key", key).code == 1

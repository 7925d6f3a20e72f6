"""``carekeep ledger import``: a CSV log by MRN, taken over once."""

import json
from pathlib import Path
from typing import Any

from carekeep.app import System
from carekeep.audit import Entry
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from tests.cli.conftest import Run

MRN = "https://old.example.org/mrn|s"  # a system that searches would take apart
MAPPING = """
delimiter = ";"
time_format = "%d.%m.%Y %H:%M:%S"
time_zone = "Europe/Berlin"
[columns]
when = "Time"
who = "User"
patient = "MRN"
action = "Act"
[actions]
VIEW = "read"
"""
LOG = """Time;User;MRN;Act
02.01.2026 03:04:05;Jane;7;VIEW
02.01.2026 03:04:06;Jane;8,9;EDIT
02.01.2026 03:04:07;Jane;unknown;VIEW
never;Jane;7;VIEW
"""


async def befall(system: System) -> None:
    """The number 7 is ada's; two patients share the number 8,9, so nobody is meant by it."""
    services = system.services
    draft = services.vault.draft()
    for id_, number in (("ada", "7"), ("bob", "8,9"), ("eve", "8,9")):
        other = {"system": "https://other.example.org", "value": "unknown"}
        patient: dict[str, Any] = {"resourceType": "Patient", "id": id_}
        await draft.create({**patient, "identifier": [{"system": MRN, "value": number}, other]}, id_)
    await record_operation(services, "test", "patients were loaded", draft.prepared())


async def foreign(system: System) -> list[Entry]:
    ledger = system.services.ledger
    waiting = [ledger.open(each.leaf)[0] async for each in ledger.waiting()]
    integrated = [ledger.open(each.leaf)[0] async for each in ledger.entries()]
    return [each for each in (*integrated, *waiting) if each.action.startswith("foreign:")]


def test_a_csv_log_is_taken_over_once(run: Run, home: Path, tmp_path: Path) -> None:
    with_system(home, befall)
    log, mapping = tmp_path / "access.csv", tmp_path / "ehr.toml"
    log.write_text(LOG, encoding="utf-8")
    mapping.write_text(MAPPING, encoding="utf-8")
    given = ("--format", "csv", "--mapping", str(mapping), "--source", "old-ehr", "--patient-system", MRN)
    command = ("ledger", "import", str(log), *given)
    dry = run(*command, "--dry-run")
    assert dry.code == 1
    assert "3 entries would be taken over, 0 known already, 1 lines refused." in dry.out
    assert with_system(home, foreign) == []
    first = json.loads(run(*command, "--json").out)
    assert (first["taken"], first["seen"], first["nameless"], first["refused"]) == (3, 0, 2, 1)
    assert first["refusals"] == [{"line": 5, "reason": "its time cannot be read"}]
    again = run(*command)
    assert "0 entries taken over, 3 known already, 1 lines refused." in again.out
    found = sorted(with_system(home, foreign), key=lambda each: each.happened_ms or 0)
    assert [(each.action, each.patients) for each in found] == [
        ("foreign:read", ("ada",)),
        ("foreign:other", ()),
        ("foreign:read", ()),
    ]
    assert found[0].happened_ms == 1_767_319_445_000  # 02:04:05 UTC
    assert {each.source for each in found} == {"old-ehr"}
    mapping.write_text("[columns]\n", encoding="utf-8")
    refused = run(*command)
    assert refused.code == 3
    assert "columns name at least when and who" in refused.err

"""``carekeep ledger looks``, ``carekeep disclosures`` and ``carekeep ledger reindex``."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from carekeep.app import System
from carekeep.audit import Agent, Entry, EntryIndexer, What
from carekeep.audit.views import Accounting, Disclosure
from carekeep.cli.disclosures import as_csv
from carekeep.cli.installation import with_system
from carekeep.storage import Change
from tests.cli.conftest import Run


async def befall(system: System) -> None:
    """Somebody looks at ada's record, something of it is given out twice, and the entries are noted."""
    services = system.services
    facts: dict[str, Any] = {
        "agent": Agent("a" * 32, "practitioner", "Practitioner/physician"),
        "outcome": "permitted",
        "what": (What("Observation/1", 1),),
        "patients": ("ada",),
        "request_id": "r",
        "at_ms": services.clock(),
    }
    await services.ledger.record(Entry(action="fhir:record:read", purpose="TREAT", **facts))
    await services.ledger.record(Entry(action="fhir:record:read", purpose="TREAT", recipient="A hospital", **facts))
    for _ in range(2):
        recipient = '=HYPERLINK("https://x.example") <r@registry.example>'
        await services.ledger.record(Entry(action="fhir:record:read", purpose="PUBHLTH", recipient=recipient, **facts))
    while await system.sequencer.integrate():
        pass
    while await EntryIndexer(system.database, services.ledger, system.keyring.index).step():
        pass


FORMULAS = ('=HYPERLINK("https://x.example")', "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1")


@pytest.mark.parametrize("text", FORMULAS)
def test_no_spreadsheet_takes_a_cell_for_a_formula(text: str) -> None:
    """Who receives something may have chosen their name."""
    told = Disclosure(1, 1, 1, text, text, "records", text, "", ())
    (row,) = csv.DictReader(io.StringIO(as_csv(Accounting((told,), ())), newline=""))
    assert row["recipient"] == row["address"] == row["purpose"] == f"'{text}"


async def tamper(system: System) -> None:
    await system.database.commit([Change("DELETE FROM ledger_view", [()])])


def test_what_was_done_with_a_record_is_told_by_commands(run: Run, home: Path) -> None:
    with_system(home, befall)
    said = run("ledger", "looks", "--patient", "ada").out
    assert "looked at your measurements and test results, to treat you." in said
    looks = json.loads(run("ledger", "looks", "--patient", "ada", "--each", "--json").out)
    assert sum(look["role"] == "operator of the server" for look in looks) == 2  # this asking, and the one before
    assert {look["role"] for look in looks} == {"practitioner", "operator of the server"}
    text = run("disclosures", "--patient", "ada").out
    assert "2 times, the last on" in text
    assert "1 are not listed: treatment, payment or health care operations" in text
    (line,) = csv.DictReader(io.StringIO(run("disclosures", "--patient", "ada", "--format", "csv").out))
    assert (line["times"], line["address"]) == ("2", "r@registry.example")
    assert line["recipient"].startswith("'=HYPERLINK")  # no spreadsheet takes it for a formula
    every = json.loads(run("disclosures", "--patient", "ada", "--all", "--format", "json").out)
    assert [each["recipient"] for each in every["disclosures"]] == ["A hospital", line["recipient"][1:]]
    assert every["left_out"] == []
    with_system(home, tamper)
    assert run("ledger", "reindex").out.strip() == "4 entries are in the index."

"""``carekeep policy``: from a folder of rules to policies in force, and back."""

import json
from pathlib import Path

import pytest

from carekeep.settings import load_settings
from tests.cli.conftest import Run

HEAD = '@title("t") @reason("Denied: so it is.") @law("l")'
GOOD = f'@id("ward.night") {HEAD}\nforbid (principal is App, action == Action::"fhir:record:delete", resource);'
HARMFUL = f'\n@id("ward.all") {HEAD}\nforbid (principal is Practitioner, action, resource is PatientRecord);'
CASE = """
[[case]]
title = "No app deletes"
who = "app"
grants = ["system"]
action = "fhir:record:delete"
type = "Observation"
expect = "denied"
by = "ward.night"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle: a pack, a rule and a case."""
    path = tmp_path / "ward"
    path.mkdir()
    (path / "bundle.toml").write_text('name = "ward"\nversion = "1"\npacks = ["clinic"]\n')
    (path / "ward.cedar").write_text(GOOD)
    (path / "ward.cases.toml").write_text(CASE)
    return path


def test_rules_are_tested_without_an_installation(run: Run, folder: Path) -> None:
    ran = run("policy", "test", str(folder))
    assert (ran.code, "1 of 1 cases as expected." in ran.out) == (0, True)
    (folder / "ward.cases.toml").write_text(CASE.replace('"denied"', '"permitted"'))
    told = json.loads((failed := run("policy", "test", str(folder), "--json")).out)
    assert failed.code == 1
    assert (told["passed"], told["cases"][0]["by"]) == (False, ["ward.night"])
    (folder / "ward.cedar").write_text(GOOD + HARMFUL)
    refused = run("policy", "test", str(folder))
    assert refused.code == 3
    assert "ward.cedar, line 3: ward.all: " in refused.err


def test_policies_come_into_force_are_tried_and_go_back(run: Run, home: Path, folder: Path) -> None:
    assert home.exists()
    assert run("policy", "load", str(folder)).out == "ward 1 is in force (number 1).\n"
    (folder / "ward.cedar").write_text(GOOD + HARMFUL)
    refused = run("policy", "load", str(folder))
    assert (refused.code, "those in force stay" in refused.err) == (1, True)
    (folder / "ward.cedar").write_text(GOOD)
    assert run("policy", "trial", str(folder)).out == "On trial: ward 1 (number 2).\n"
    assert run("policy", "rollback").out == "In force: built-in (number 3).\n"
    listed = json.loads(run("policy", "list", "--json").out)
    assert [(each["number"], each["role"], each["bundle"]) for each in listed] == [
        (3, "in force", "built-in"),
        (2, "on trial", "ward 1"),
        (1, "in force", "ward 1"),
    ]
    entries = json.loads(run("ledger", "show", "--json").out)
    said = [(each["outcome"], each["reason"]) for each in entries if each["action"] == "access:policy:manage"]
    assert [outcome for outcome, _ in said].count("denied") == 1
    assert any("policies in force: ward 1, SHA-256" in reason for _, reason in said)
    assert any("policies on trial: ward 1" in reason for _, reason in said)
    compared = json.loads(run("policy", "diff", str(folder), "--json").out)
    assert (compared["changed"], compared["unreadable"]) == (0, 0)


def test_only_signed_bundles_are_taken_where_signers_are_named(run: Run, home: Path, folder: Path) -> None:
    key, bundle = folder.parent / "k", folder.parent / "ward.bundle"
    public = run("policy", "new-key", str(key), "--name", "officer").out.strip()
    assert key.stat().st_mode & 0o777 == 0o600
    with (home / "carekeep.toml").open("a") as file:
        file.write(f'policy_signers = "{public}"\n')
    assert load_settings(home).policy_signers == public
    unsigned = run("policy", "load", str(folder))
    assert (unsigned.code, "signed bundles only" in unsigned.err) == (1, True)
    run("policy", "sign", str(folder), "--key", str(key), "--name", "officer")
    assert run("policy", "load", str(bundle)).code == 0
    assert json.loads(run("policy", "list", "--json").out)[0]["signed_by"] == "officer"

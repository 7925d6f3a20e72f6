"""The import contracts of pyproject.toml hold, and each of them would notice if it did not."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# Contract → (a file, an import that breaks it).
VIOLATIONS = {
    "rooms": ("storage/broken.py", "import carekeep.records"),
    "fhir": ("fhir/broken.py", "import carekeep.storage"),
    "simulation": ("simulation/broken.py", "import carekeep.identity"),
    "demo": ("web/broken.py", "import carekeep.simulation"),
    "cryptography": ("records/broken.py", "import cryptography"),
    "databases": ("audit/broken.py", "import sqlite3"),
    "http": ("access/broken.py", "import granian"),
    "policies": ("web/broken.py", "import cedarpy"),
}


def check_contracts(source: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Runs the contracts (all, if none is named) over the package in ``source``."""
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    return subprocess.run(
        [LINT_IMPORTS, "--no-logo", "--no-cache", *chosen, "--config", ROOT / "pyproject.toml"],
        cwd=source,  # the current folder comes first in the search for the package
        capture_output=True,
        text=True,
        check=False,
    )


def test_contracts_are_kept() -> None:
    run = check_contracts(PACKAGE.parent)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_contract_has_its_violation() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]} == set(VIOLATIONS)


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_contract_notices(contract: str, tmp_path: Path) -> None:
    file, statement = VIOLATIONS[contract]
    copy = tmp_path / "carekeep"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "tables"))
    (copy / file).write_text(f'"""Breaks a contract."""\n\n{statement}\n', "utf-8")
    run = check_contracts(tmp_path, contract)
    assert run.returncode == 1, run.stdout + run.stderr
    room = Path(file).parent.name
    assert f"carekeep.{room}.broken -> {statement.split()[-1]}" in run.stdout

"""Style, format and types are tests too, so that one command gives one verdict."""

import subprocess
import sys

import pytest

from tests.house.tree import ROOT


@pytest.mark.parametrize(
    "command",
    [("ruff", "check", "--output-format=concise"), ("ruff", "format", "--check", "--output-format=concise"), ("mypy",)],
    ids=["style", "format", "types"],
)
def test_code_is_clean(command: tuple[str, ...]) -> None:
    run = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr

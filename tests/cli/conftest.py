"""An installation of its own for a test, and the command run on it in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from carekeep.cli.init import create_unattended
from carekeep.cli.main import main
from carekeep.settings import Settings


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``carekeep`` with arguments, on the installation of the test."""

    def run_command(*args: str, typed: str = "") -> Ran:
        runner = CliRunner()
        with runner.isolation(input=typed) as (out, err, _):
            try:
                main(["--home", str(tmp_path / "home"), *args])
                code = 0
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    return run_command


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new installation."""
    settings = Settings(tmp_path / "home")
    create_unattended(settings)
    return settings.home

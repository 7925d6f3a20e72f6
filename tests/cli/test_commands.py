"""Every command explains itself; wrong use and missing things end with one sentence and the right code."""

from pathlib import Path

import click
import pytest

from carekeep.cli.main import carekeep
from tests.cli.conftest import Run


def commands() -> list[tuple[str, ...]]:
    """The words of every command."""
    context = click.Context(carekeep)
    found: list[tuple[str, ...]] = []
    for name in carekeep.list_commands(context):
        command = carekeep.get_command(context, name)
        if isinstance(command, click.Group):
            found += [(name, verb) for verb in command.list_commands(context)]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words, "--help")
    assert ran.code == 0
    assert "Example: " in ran.out


def test_help_names_the_exit_codes(run: Run) -> None:
    assert "Exit codes" in run("--help").out


def test_an_unknown_command_suggests_the_nearest(run: Run) -> None:
    ran = run("leger")
    assert ran.code == 2
    assert "Did you mean 'ledger'?" in ran.err


@pytest.mark.parametrize(
    "words", [("keys", "status"), ("user", "list"), ("ledger", "verify"), ("serve",)], ids=" ".join
)
def test_without_an_installation_it_says_what_to_do(run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert ran.code == 3
    assert "carekeep init" in ran.err


def test_a_wrong_passphrase_is_said_and_not_shown(run: Run, home: Path) -> None:
    passphrase = home / "passphrase"
    passphrase.write_bytes(b"not the passphrase at all")
    ran = run("keys", "status")
    assert ran.code == 3
    assert "passphrase" in ran.err.lower()
    assert "not the passphrase at all" not in ran.err


def test_a_passphrase_file_that_others_can_read_is_refused(run: Run, home: Path) -> None:
    (home / "passphrase").chmod(0o644)
    ran = run("keys", "status")
    assert ran.code == 3
    assert "chmod 600" in ran.err


def test_an_unknown_setting_is_refused_by_name(run: Run, home: Path) -> None:
    settings = home / "carekeep.toml"
    settings.write_text(settings.read_text() + "wokers = 4\n")
    ran = run("keys", "status")
    assert ran.code == 3
    assert "wokers" in ran.err
    assert "workers" in ran.err

"""How the command talks: facts on stdout, talk and progress on stderr, one place for both."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from carekeep.access.labelling import RulesRefused
from carekeep.encryption import EncryptionError
from carekeep.settings import SettingsError
from carekeep.storage import StorageError

DOMAIN_ERRORS = (EncryptionError, RulesRefused, SettingsError, StorageError, OSError)
"""What a command could not do for reasons that its text explains: exit code 3."""

talk = Console(stderr=True, highlight=False, markup=False, emoji=False)
json_option = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON, for machines.")


def fail(text: str) -> NoReturn:
    """Say what could not be done, and end with exit code 3."""
    click.echo(f"carekeep: {text}", err=True)
    sys.exit(3)


def put(text: str) -> None:
    """A line of the answer, on stdout."""
    click.echo(text)


def put_json(facts: Any) -> None:
    """The answer as one JSON object, on stdout."""
    click.echo(orjson.dumps(facts, option=orjson.OPT_INDENT_2))


def put_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Rows for people, on stdout; plain text where it is not a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else 160).print(table)


class Meter:
    """Progress of one long piece of work: a bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, progress: Progress | None, task: TaskID | None, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = task
        self._title = title
        self._total = total
        self._done = 0
        self._told = 0

    def advance(self, amount: int = 1) -> None:
        """``amount`` more is done."""
        self.reach(self._done + amount)

    def reach(self, done: int) -> None:
        """``done`` is done in all."""
        self._done = done
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)
        elif self._total and done * 10 // self._total > self._told:
            self._told = done * 10 // self._total
            click.echo(f"{self._title}: {done:,} of {self._total:,}", err=True)


@contextmanager
def meter(title: str, total: int | None = None) -> Iterator[Meter]:
    """A progress bar on stderr with rate and time left; ``total`` None where it is not known."""
    if not talk.is_terminal:
        yield Meter(None, None, title, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=talk, transient=True) as progress:
        yield Meter(progress, progress.add_task(title, total=total), title, total)

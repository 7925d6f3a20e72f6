"""What was acknowledged is there after kill -9, whole, also when several processes write at once."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from carekeep.storage import open_database
from tests.storage.rows import table

SCRIPT = Path(__file__).with_name("committing_process.py")


@dataclass(frozen=True, slots=True)
class Client:
    """A process that commits units whose topics begin with ``prefix``."""

    prefix: str
    process: subprocess.Popen[str]

    def units_until_killed(self, kill_after: int) -> list[str]:
        """Waits for a number of acknowledged units, kills the process, and returns all that it acknowledged."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(kill_after)]
        self.process.kill()
        lines += self.process.stdout.readlines()
        self.process.wait()
        return [self.prefix + line.strip() for line in lines if line.endswith("\n")]


@contextmanager
def client(url: str, prefix: str) -> Iterator[Client]:
    command = [sys.executable, str(SCRIPT), url, prefix]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield Client(prefix, process)


@pytest.mark.parametrize("kill_after", [1, 150])
async def test_no_acknowledged_unit_is_lost_and_none_is_half_there(database_url: str, kill_after: int) -> None:
    with client(database_url, "x") as first, client(database_url, "y") as second:
        acknowledged = [each.units_until_killed(kill_after) for each in (first, second)]
    database = open_database(database_url)
    found = set(await table(database))
    await database.close()
    for units in acknowledged:
        assert len(units) >= kill_after
        assert {unit + half for unit in units for half in "ab"} <= found
    assert {topic[:-1] for topic in found if topic[-1] == "a"} == {topic[:-1] for topic in found if topic[-1] == "b"}

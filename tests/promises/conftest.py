"""An installation on each database, which no test leaves running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.installation import Installation, new_installation
from tests.web.conftest import clinic, furnished, furnished_postgres, furnished_sqlite

# The clinic of tests/web serves the promises that need no process of their own.
__all__ = ["clinic", "furnished", "furnished_postgres", "furnished_sqlite", "installation"]


@pytest.fixture
def installation(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """Made, and not served yet. The SQLite file lies in the folder of the installation."""
    made = new_installation(tmp_path, database_url)
    yield made
    made.abandon()

"""A database for tables of cases whose outcome does not depend on which one it is."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from carekeep.storage import Database, open_database


@pytest.fixture
async def sqlite(migrated_sqlite_file: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An open, migrated SQLite database without rows."""
    opened = open_database(f"sqlite://{shutil.copy(migrated_sqlite_file, tmp_path / 'carekeep.db')}")
    yield opened
    await opened.close()

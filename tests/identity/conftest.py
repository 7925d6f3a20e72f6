"""One process's identity, on each database."""

from pathlib import Path

import pytest

from carekeep.storage import Database
from tests.identity.people import Office, new_office


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> Office:
    """An installation without accounts."""
    return await new_office(database, tmp_path)

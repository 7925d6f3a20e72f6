"""The clinic, on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.clinic import Clinic, open_clinic


@pytest.fixture
async def clinic(tmp_path: Path, database_url: str) -> AsyncIterator[Clinic]:
    """The application with its people and patients."""
    async with open_clinic(tmp_path / "home", database_url) as opened:
        yield opened

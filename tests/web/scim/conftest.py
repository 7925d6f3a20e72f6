"""The clinic and its directory."""

import pytest

from tests.web.clinic import Clinic
from tests.web.scim.directory import Directory, directory_of


@pytest.fixture
async def directory(clinic: Clinic) -> Directory:
    """A directory that may keep everybody but administrators."""
    return await directory_of(clinic)

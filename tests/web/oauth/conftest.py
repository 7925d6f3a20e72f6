"""The desk of the apps, in the clinic of the rooms around."""

import pytest

from tests.web.clinic import Clinic
from tests.web.oauth.desk import Desk


@pytest.fixture
def desk(clinic: Clinic) -> Desk:
    return Desk(clinic)

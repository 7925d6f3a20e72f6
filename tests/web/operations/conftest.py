"""The clinic with a fuller chart, which the operations can tell of."""

import pytest

from tests.web.clinic import Clinic
from tests.web.operations.charts import KEPT


@pytest.fixture
async def clinic(clinic: Clinic) -> Clinic:
    """The application with its people and patients, and more of ada."""
    for resource in KEPT:
        answer = await clinic.put(resource)
        assert answer.status == 201, answer.body
    return clinic

"""Which records belong to a time of care."""

from typing import Any

import pytest

from carekeep.fhir.documents import happened_within
from tests.fhir.documents.charts import PATIENT, condition, procedure, result

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("resource", "start", "end", "within"),
    [
        (result("x", "1-1", 1, "2026-03-01"), "2026-03-01", "2026-03-01", True),
        (result("x", "1-1", 1, "2026-03-01"), "2026-03-02", None, False),
        (result("x", "1-1", 1, "2026-03-01"), None, "2026-02", False),
        (result("x", "1-1", 1, "2026-03-01"), None, "2026-03", True),
        (procedure("x"), "2001-07-31", None, True),  # some time in July
        (condition("x", onsetDateTime="2010", abatementDateTime="2020"), "2015", "2016", True),
        (condition("x", onsetDateTime="2010", abatementDateTime="2020"), "2021", None, False),
        (condition("x"), "2015", "2016", True),  # no date at all
        (PATIENT, "2015", "2016", True),  # a birthday is no care
        (result("x", "1-1", 1, "2026-03-01", valueDateTime="1999"), "1999", "1999", False),
    ],
)
def test_dates_of_care(resource: Json, start: str | None, end: str | None, within: bool) -> None:
    resource = {key: value for key, value in resource.items() if key != "valueQuantity"}
    assert happened_within(resource, start, end) is within


def test_what_is_no_date_is_refused() -> None:
    with pytest.raises(ValueError, match="no FHIR date"):
        happened_within(PATIENT, "yesterday", None)

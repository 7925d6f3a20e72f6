"""What rules look at, of records as they are written: days of care, codes, and whether care is over."""

from datetime import date
from typing import Any

import pytest

from carekeep.records import Stored
from carekeep.records.disposal import gathering

Json = dict[str, Any]
WRITTEN_MS = 1_700_000_000_000  # 2023-11-14
WRITTEN = date(2023, 11, 14)

DAYS: tuple[tuple[Json, date], ...] = (
    ({"resourceType": "Observation", "effectiveDateTime": "2019-05-06"}, date(2019, 5, 6)),
    ({"resourceType": "Observation", "effectiveDateTime": "2019"}, date(2019, 12, 31)),
    ({"resourceType": "Observation"}, WRITTEN),
    ({"resourceType": "Patient", "birthDate": "1970-01-01"}, WRITTEN),  # not a patient from 1970
    ({"resourceType": "Encounter", "period": {"start": "2018-01-01", "end": "2018-01-09"}}, date(2018, 1, 9)),
    ({"resourceType": "Encounter", "period": {"start": "2018-01-01"}}, WRITTEN),
    ({"resourceType": "Encounter", "period": {"end": "2018-01-09"}}, date(2018, 1, 9)),
    ({"resourceType": "Appointment", "start": "2031-01-01T10:00:00Z"}, date(2031, 1, 1)),  # in the future, then
)


@pytest.mark.parametrize(("resource", "day"), DAYS)
def test_the_last_day_of_a_record(resource: Json, day: date) -> None:
    stored = Stored(
        resource["resourceType"], "x", 1, WRITTEN_MS, deleted=False, patients=("p",), labels=(), written=1, body=b""
    )
    stored.__dict__["resource"] = resource
    assert gathering._last_day(stored) == day  # noqa: SLF001


@pytest.mark.parametrize(
    ("type_", "status", "is_open"),
    [
        ("Encounter", "in-progress", True),
        ("Encounter", "planned", True),
        ("Encounter", "finished", False),
        ("Encounter", "cancelled", False),
        ("EpisodeOfCare", "active", True),
        ("EpisodeOfCare", "finished", False),
        ("Condition", "active", False),
    ],
)
def test_whether_care_goes_on(type_: str, status: str, *, is_open: bool) -> None:
    assert gathering._is_open({"resourceType": type_, "status": status}) is is_open  # noqa: SLF001


def test_codes_are_found_at_every_depth_and_in_bounded_number() -> None:
    coding = {"system": "urn:s", "code": "1"}
    resource: Json = {"code": {"coding": [coding]}, "series": [{"modality": {"system": "urn:dcm", "code": "MG"}}]}
    assert set(gathering._codes(resource)) == {"urn:s|1", "urn:dcm|MG"}  # noqa: SLF001
    many = {"a": [{"system": "urn:s", "code": str(number)} for number in range(1000)]}
    assert len(set(gathering._codes(many))) <= 101  # noqa: SLF001
    deep: Json = coding
    for _ in range(10_000):
        deep = {"a": deep}
    assert set(gathering._codes(deep)) == set()  # noqa: SLF001

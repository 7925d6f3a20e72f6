"""The hospital as a whole: repeatable, independent of its size, and written as it is read."""

import hashlib
import subprocess
import sys
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import orjson
import pytest

from carekeep.simulation import Hospital
from tests.simulation.worlds import NOW, charts, directory


def digest(hospital: Hospital) -> str:
    hashed = hashlib.sha256()
    for resource in hospital.directory():
        hashed.update(orjson.dumps(resource))
    for chart in hospital.people():
        hashed.update(orjson.dumps(chart.resources))
    return hashed.hexdigest()


def test_same_seed_same_bytes_in_another_process() -> None:
    program = (
        "from datetime import UTC, datetime\n"
        "from carekeep.simulation import Hospital\n"
        "from tests.simulation.test_hospital import digest\n"
        "print(digest(Hospital(7, 25, datetime(2026, 11, 24, 10, 30, tzinfo=UTC))))"
    )
    # Another hash seed: nothing may depend on the order of a set.
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={"PYTHONHASHSEED": "99"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == digest(Hospital(7, 25, NOW))


def test_another_seed_is_another_hospital() -> None:
    one, other = charts(5), charts(5, seed=2)
    assert not {chart.patient_id for chart in one} & {chart.patient_id for chart in other}


def test_more_patients_change_nothing_for_the_first_ones() -> None:
    assert charts(200)[:31] == charts(31)
    assert directory(200) == directory(31)


def test_a_second_district_adds_its_own_team() -> None:
    small, large = directory(200), directory(400)
    assert large[: len(small)] == small
    assert len(large) > len(small)


@pytest.mark.parametrize("patients", [1, 2, 7, 200])
def test_as_many_patients_as_asked_for(patients: int) -> None:
    ids = [chart.patient_id for chart in charts(patients)]
    assert len(ids) == len(set(ids)) == patients


def test_ids_do_not_depend_on_the_time() -> None:
    later = Hospital(1, 20, NOW + timedelta(days=400)).people()
    assert [chart.patient_id for chart in later] == [chart.patient_id for chart in charts(20)]


def test_now_is_one_moment_in_any_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5))).replace(microsecond=5)
    assert Hospital(1, 3, elsewhere) == Hospital(1, 3, NOW)


@pytest.mark.parametrize(
    ("patients", "now", "message"),
    [(0, NOW, "at least one patient"), (5, datetime(2026, 1, 1), "time zone")],  # noqa: DTZ001  that is the point
)
def test_refuses_what_it_cannot_be(patients: int, now: datetime, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Hospital(1, patients, now)


def test_a_huge_hospital_is_written_as_it_is_read() -> None:
    hospital = Hospital(3, 1_000_000, NOW)
    tracemalloc.start()
    assert sum(len(chart.resources) for chart in islice(hospital.people(), 150)) > 10_000
    assert sum(1 for _ in islice(hospital.directory(), 2000)) == 2000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All 150 charts together would take tens of MB.
    assert peak < 3_000_000


def test_about_a_hundred_resources_a_patient() -> None:
    total = sum(len(chart.resources) for chart in charts(200)) + len(directory(200))
    assert 18_000 < total < 25_000


def test_proportions_are_believable() -> None:
    counts = Counter(resource["resourceType"] for chart in charts(400) for resource in chart.resources)
    total = counts.total()
    expected = {
        "Observation": (0.45, 0.65),
        "Immunization": (0.05, 0.15),
        "Encounter": (0.05, 0.10),
        "DocumentReference": (0.04, 0.09),
        "DiagnosticReport": (0.03, 0.08),
        "MedicationRequest": (0.015, 0.06),
        "Procedure": (0.015, 0.06),
        "Condition": (0.01, 0.04),
        "Appointment": (0.01, 0.04),
    }
    shares = {kind: counts[kind] / total for kind in expected}
    assert {kind: share for kind, share in shares.items() if not expected[kind][0] < share < expected[kind][1]} == {}
    assert counts["Patient"] == counts["CareTeam"] == counts["Coverage"] == 400
    assert (
        min(counts[kind] for kind in ("AllergyIntolerance", "CarePlan", "Goal", "Consent", "MedicationStatement")) > 10
    )


def test_population_is_believable() -> None:
    patients = [chart.resources[0] for chart in charts(400)]
    ages = [2026 - int(patient["birthDate"][:4]) for patient in patients]
    assert 0.15 < sum(age < 18 for age in ages) / 400 < 0.35
    assert 0.10 < sum(age > 65 for age in ages) / 400 < 0.30
    assert max(ages) < 105
    assert 0.45 < sum(patient["gender"] == "female" for patient in patients) / 400 < 0.62
    assert 0.005 < sum("deceasedDateTime" in patient for patient in patients) / 400 < 0.06
    languages = {patient["communication"][0]["language"]["coding"][0]["code"] for patient in patients}
    assert len(languages) >= 6


def test_now_may_be_any_day() -> None:
    for month in range(1, 13):
        hospital = Hospital(4, 6, datetime(2027, month, 28, 23, 59, tzinfo=UTC))
        assert sum(len(chart.resources) for chart in hospital.people()) > 100

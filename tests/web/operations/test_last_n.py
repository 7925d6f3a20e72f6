"""Observation/$lastn over the store: what it needs, what it gives, and to whom."""

import pytest

from tests.fhir.documents.charts import labelled
from tests.web.clinic import Clinic, observation, on_sqlite
from tests.web.operations.charts import disclosed, found
from tests.web.operations.hiding import labels_count, secret


async def test_the_newest_of_each_kind(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/$lastn?patient=ada&code=8867-4,4548-4", who="physician")
    assert answer.status == 200
    assert set(found(answer.json)) == {"Observation/ada-pulse-2", "Observation/ada-hba1c"}
    assert answer.json["total"] == 2
    assert disclosed(answer.entry) == set(found(answer.json))
    assert answer.entry is not None
    assert answer.entry.query == "Observation/$lastn?patient=ada&code=8867-4%2C4548-4"


async def test_max_is_for_each_kind_and_the_newest_come_first(clinic: Clinic) -> None:
    path = "Observation/$lastn?subject=Patient/ada&code=http://loinc.org|8867-4&max=2"
    answer = await clinic.ask("GET", path, who="ada")
    assert found(answer.json) == ["Observation/ada-pulse-2", "Observation/ada-pulse"]


@on_sqlite
async def test_what_one_may_not_see_does_not_count_as_the_newest(clinic: Clinic) -> None:
    await clinic.put(secret(observation("ada-hidden", "ada", 200, "2026-06-01")))
    path = "Observation/$lastn?patient=ada&code=8867-4"
    with labels_count():
        hidden = await clinic.ask("GET", path, who="physician")
    assert found(hidden.json) == ["Observation/ada-pulse-2"]
    assert found((await clinic.ask("GET", path, who="physician")).json) == ["Observation/ada-hidden"]


@on_sqlite
async def test_the_highest_label_is_on_the_bundle(clinic: Clinic) -> None:
    await clinic.put(labelled(observation("ada-pulse-2", "ada", 88, "2026-04-01"), "R"))
    answer = await clinic.ask("GET", "Observation/$lastn?patient=ada&code=8867-4", who="physician")
    assert [label["code"] for label in answer.json["meta"]["security"]] == ["R"]


@on_sqlite
async def test_of_a_stranger_it_is_denied_and_that_is_recorded(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/$lastn?patient=bob&code=8867-4", who="physician")
    assert answer.status == 403
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.patients) == ("denied", ("bob",))


@on_sqlite
async def test_of_several_patients_only_those_in_sight(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/$lastn?patient=ada,bob&code=8867-4&max=9", who="physician")
    assert set(found(answer.json)) == {"Observation/ada-pulse", "Observation/ada-pulse-2"}


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [
        "code=8867-4",
        "patient=ada",
        "patient=ada&date=2026",
        "patient=ada&code=8867-4&max=0",
        "patient=ada&code=8867-4&max=1&max=2",
        "patient=ada&code=8867-4&_sort=date",
        "patient=ada&code=8867-4&_count=2",
        "patient=ada&code=8867-4&_include=Observation:subject",
        "patient=ada&code=8867-4&patient.name=x",
        "patient=ada&code=8867-4&nonsense=1",
        "performer=Patient/ada&code=8867-4",
    ],
)
async def test_what_it_needs_and_does_not_take(clinic: Clinic, query: str) -> None:
    assert (await clinic.ask("GET", f"Observation/$lastn?{query}", who="physician")).status == 400


@on_sqlite
async def test_a_category_is_enough(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/$lastn?patient=ada&category=laboratory", who="ada")
    assert found(answer.json) == ["Observation/ada-hba1c"]

"""What the chart is made of, without a server: ages, allergies that speak up, results of one kind, names that fit."""

from decimal import Decimal

import pytest

from carekeep.fhir import dump_json
from carekeep.records import Stored
from carekeep.web.console.chart.allergy_check import conflicts
from carekeep.web.console.chart.items import age_at, day, header, item_of
from carekeep.web.console.chart.results import results_of
from carekeep.web.console.chart.trend import course_of, spark_of
from carekeep.web.console.patients import fits
from tests.web.clinic import NOON, Json, observation


def stored(resource: Json, written: int = 1) -> Stored:
    type_, id_ = resource["resourceType"], resource.get("id", "x")
    return Stored(type_, id_, 1, NOON, False, ("ada",), (), written, dump_json(resource))  # noqa: FBT003 - not deleted


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("1970-02-28", (56, "years")),
        ("2026-09-06", (1, "months")),
        ("2024-11-05", (2, "years")),
        ("2024-11-06", (23, "months")),
        ("1970-02", None),
        ("2030-01-01", None),
        ("", None),
    ],
)
def test_ages(born: str, age: tuple[int, str] | None) -> None:
    assert age_at(day(born), NOON) == age


@pytest.mark.parametrize(
    ("medicine", "code", "allergy", "speaks"),
    [
        ("Amoxicillin 500 mg", "", {"text": "Penicillin"}, True),
        ("Ibuprofen 400 mg tablet", "", {"text": "NSAIDs"}, True),
        ("aspirin 100 mg", "", {"coding": [{"display": "Allergy to aspirin"}]}, True),
        ("Brand", "s|1", {"text": "?", "coding": [{"system": "s", "code": "1"}]}, True),
        ("Paracetamol oral tablet", "", {"text": "Oral contrast substance"}, False),
        ("Metformin", "s|2", {"text": "Peanut", "coding": [{"system": "s", "code": "1"}]}, False),
    ],
)
def test_allergies_speak_up(medicine: str, code: str, allergy: Json, *, speaks: bool) -> None:
    assert bool(conflicts(medicine, frozenset({code}), [{"code": allergy}])) is speaks


def test_results_of_one_kind_stand_together_and_the_newest_speaks() -> None:
    usual = {"referenceRange": [{"low": {"value": 50}, "high": {"value": 80}}]}
    values = [observation(f"o{n}", "ada", value, f"2026-0{n}-01") | usual for n, value in ((1, 72), (3, 88), (2, 90))]
    wrong = observation("wrong", "ada", 400, "2026-05-01") | {"status": "entered-in-error"}
    grams = observation("g", "ada", 1, "2025-01-01")
    grams["valueQuantity"] = {"value": 1, "unit": "g"}
    (pulse, other) = results_of(stored(each) for each in (*values, wrong, grams))
    assert ([value.id for value in pulse.values], pulse.moved, pulse.last.unusual) == (
        ["o3", "o2", "o1"],
        "down",
        "high",
    )
    assert [number for _, number in pulse.trend] == [Decimal(72), Decimal(90), Decimal(88)]
    assert "band" in spark_of(pulse)
    assert course_of(pulse).count("<title>") == 3
    assert (other.unit, spark_of(other), course_of(other)) == ("g", "", "")


def test_the_head_shows_standing_allergies_and_says_when_there_are_none() -> None:
    patient = stored({"resourceType": "Patient", "id": "ada", "name": [{"family": "Moreau"}]})

    def allergy(text: str, **more: object) -> Stored:
        return stored({"resourceType": "AllergyIntolerance", "code": {"text": text}, **more})

    refuted = allergy("Latex", verificationStatus={"coding": [{"code": "refuted"}]})
    resolved = allergy("Milk", clinicalStatus={"coding": [{"code": "resolved"}]})
    peanut = allergy("Peanut", criticality="high")
    assert header(patient, [refuted, resolved, peanut], [], NOON).allergies == (("Peanut", True),)
    none = allergy("No known allergy", code={"coding": [{"code": "716186003"}]})
    assert header(patient, [none], [], NOON).none_known
    assert not header(patient, [], [], NOON).none_known


def test_a_line_says_who_wrote_what_when() -> None:
    order = {
        "resourceType": "MedicationRequest",
        "status": "stopped",
        "medicationCodeableConcept": {"text": "Metformin"},
        "dosageInstruction": [{"text": "daily"}],
        "authoredOn": "2026-01-02T10:00:00Z",
        "requester": {"display": "Dr Okafor"},
    }
    item = item_of(stored(order))
    assert (item.title, item.details, item.on.text, item.by, item.over) == (
        "Metformin", ("daily",), "2026-01-02", "Dr Okafor", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sought", "found"),
    [
        ("mor rob", True),
        ("Moreau, R", True),
        ("ore", False),
        ("42", True),
        ("4", False),
        ("1970-02-28", True),
        ("", False),
    ],
)
def test_names_days_and_numbers_fit(sought: str, *, found: bool) -> None:
    patient = {
        "name": [{"family": "Moreau", "given": ["Robin"]}],
        "birthDate": "1970-02-28",
        "identifier": [{"value": "42"}],
    }
    assert fits(patient, sought) is found

"""Charts tell lives that could be: in order of time, with courses that follow illness and treatment."""

import re
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from carekeep.fhir import labels_of
from carekeep.simulation import Chart, Resource
from tests.simulation.worlds import NOW, charts

DATE = re.compile(r"\d{4}-\d\d-\d\d")
R, V = (f"http://terminology.hl7.org/CodeSystem/v3-Confidentiality|{code}" for code in "RV")
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode|"
SENSITIVE = {"86406008": "HIV", "75544000": "ETH", "66590003": "ETH", "370143000": "PSY"}


def dates(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every date in a resource."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from dates(value, f"{path}.{key}")
    elif isinstance(node, list):
        for item in node:
            yield from dates(item, path)
    elif isinstance(node, str) and DATE.match(node):
        yield path, node


def of_type(chart: Chart, kind: str) -> list[Resource]:
    return [item for item in chart.resources if item["resourceType"] == kind]


def codes(resource: Resource) -> set[str]:
    return {coding["code"] for coding in resource["code"]["coding"]}


def values(chart: Chart, loinc: str) -> list[tuple[str, float]]:
    """(time, value) of a measurement, in order of time."""
    found = [item for item in of_type(chart, "Observation") if loinc in codes(item)]
    return sorted((item["effectiveDateTime"], item["valueQuantity"]["value"]) for item in found)


def test_nothing_before_birth_or_after_death_or_after_now() -> None:
    planned = {"Appointment.start", "Appointment.end", "Goal.target.dueDate"}
    for chart in charts(400):
        patient = chart.resources[0]
        birth, end = patient["birthDate"], patient.get("deceasedDateTime", NOW.isoformat())
        for item in chart.resources[1:]:
            for path, text in dates(item, item["resourceType"]):
                if path == "RelatedPerson.birthDate":
                    continue
                assert text[:10] >= birth, path
                assert path in planned or text <= end, (path, text, end)


def test_only_the_living_have_plans() -> None:
    booked = {"booked": 0, "past": 0}
    for chart in charts(400):
        dead = "deceasedDateTime" in chart.resources[0]
        for item in of_type(chart, "Appointment"):
            future = item["start"] > NOW.isoformat()
            assert future == (item["status"] == "booked")
            assert not (future and dead)
            booked["booked" if future else "past"] += 1
        if dead:
            assert not [item for item in of_type(chart, "MedicationRequest") if item["status"] == "active"]
            assert not [item for item in of_type(chart, "Encounter") if item["status"] == "in-progress"]
    assert min(booked.values()) > 200


def test_periods_end_after_they_start() -> None:
    for chart in charts(200):
        for item in chart.resources:
            period = item.get("period") or item.get("performedPeriod") or {}
            assert period.get("start", "") <= period.get("end", "9"), item["resourceType"]


def test_no_two_patients_are_booked_at_the_same_time() -> None:
    taken = Counter(
        (item["start"], participant["actor"]["reference"])
        for chart in charts(200)
        for item in of_type(chart, "Appointment")
        if item["status"] == "booked"
        for participant in item["participant"]
    )
    assert taken.total() > 200
    assert max(taken.values()) == 1


def test_treatment_brings_sugar_down() -> None:
    fell = 0
    for chart in charts(400):
        diabetes = [item for item in of_type(chart, "Condition") if "44054006" in codes(item)]
        measured = values(chart, "4548-4")
        if diabetes and len(measured) > 2:
            onset = datetime.fromisoformat(diabetes[0]["onsetDateTime"]).replace(tzinfo=NOW.tzinfo)
            if datetime.fromisoformat(measured[0][0]) - onset < timedelta(days=60):
                assert measured[0][1] > 7.5
                assert measured[-1][1] < measured[0][1] - 0.8
                fell += 1
    assert fell >= 5


def test_the_cast_is_a_course_worth_showing() -> None:
    chart = charts(1)[0]
    sugar, mood = values(chart, "4548-4"), values(chart, "44261-6")
    assert sugar[0][1] > 8
    assert sugar[-1][1] < 7.2
    assert mood[0][1] > 9 > mood[-1][1]


def test_children_grow() -> None:
    grown = 0
    for chart in charts(400):
        heights = values(chart, "8302-2")
        if chart.resources[0]["birthDate"] > "2014" and len(heights) > 2:
            assert heights[-1][1] > heights[0][1]
            grown += 1
    assert grown > 20


@pytest.mark.parametrize(
    ("loinc", "low", "high"),
    [
        ("8867-4", 40, 190),
        ("8310-5", 35, 40),
        ("2708-6", 80, 100),
        ("29463-7", 1.5, 190),
        ("8302-2", 40, 215),
        ("2823-3", 3, 6),
        ("4548-4", 4, 13),
        ("44261-6", 0, 27),
        ("20447-9", 0, 200_000),
    ],
)
def test_measurements_stay_within_what_is_possible(loinc: str, low: float, high: float) -> None:
    found = [value for chart in charts(400) for _, value in values(chart, loinc)]
    assert found
    assert low <= min(found)
    assert max(found) <= high


def test_interpretation_agrees_with_the_reference_range() -> None:
    seen: Counter[str] = Counter()
    for chart in charts(200):
        for item in of_type(chart, "Observation"):
            if "referenceRange" not in item:
                continue
            value, limits = item["valueQuantity"]["value"], item["referenceRange"][0]
            low, high = (limits.get(side, {}).get("value") for side in ("low", "high"))
            expected = "H" if high is not None and value > high else "L" if low is not None and value < low else "N"
            assert item["interpretation"][0]["coding"][0]["code"] == expected
            seen[expected] += 1
    assert min(seen["H"], seen["L"], seen["N"]) > 50


def test_reports_hold_results_of_the_same_encounter() -> None:
    for chart in charts(100):
        observations = {f"Observation/{item['id']}": item for item in of_type(chart, "Observation")}
        for report in of_type(chart, "DiagnosticReport"):
            for result in report.get("result", ()):
                assert observations[result["reference"]]["encounter"] == report["encounter"]


def test_mothers_give_birth_when_their_children_are_born() -> None:
    births = {chart.resources[0]["birthDate"] for chart in charts(400)}
    deliveries = [
        item["performedPeriod"]["start"][:10]
        for chart in charts(400)
        for item in of_type(chart, "Procedure")
        if codes(item) & {"177184002", "11466000"}
    ]
    assert len(deliveries) > 3
    assert set(deliveries) <= births


def test_a_pregnancy_is_over_when_the_child_is_born() -> None:
    over = going_on = 0
    for chart in charts(400):
        for item in of_type(chart, "Condition"):
            if "72892002" in codes(item):
                status = item["clinicalStatus"]["coding"][0]["code"]
                months = (NOW - datetime.fromisoformat(item["onsetDateTime"]).replace(tzinfo=NOW.tzinfo)).days / 30
                assert status == ("active" if months < 8 else "resolved")
                over += status == "resolved"
                going_on += status == "active"
    assert over > 3
    assert going_on > 0


def test_neighbours_live_in_one_street() -> None:
    houses = list(dict.fromkeys(orjson.dumps(chart.resources[0]["address"][0]) for chart in charts(200)))
    streets = [orjson.loads(house)["line"][0].split(" ", 1)[1] for house in houses]
    for first in range(0, 60, 6):
        assert len(set(streets[first : first + 6])) == 1
    assert len(set(streets)) > 5


def test_what_is_sensitive_is_labelled() -> None:
    seen: Counter[str] = Counter()
    for chart in charts(400):
        for item in of_type(chart, "Condition"):
            for sensitivity in {SENSITIVE[code] for code in codes(item) & set(SENSITIVE)}:
                assert labels_of(item) == (R, ACT + sensitivity)
                seen[sensitivity] += 1
        for item in of_type(chart, "DocumentReference"):
            psychotherapy = item["description"] == "Psychotherapy note"
            assert psychotherapy == (V in labels_of(item))
            seen["notes"] += psychotherapy
        for kind in ("MedicationRequest", "MedicationStatement"):
            for item in of_type(chart, kind):
                if "1999667" in {coding["code"] for coding in item["medicationCodeableConcept"]["coding"]}:
                    assert ACT + "HIV" in labels_of(item)
    assert seen["PSY"] > 5
    assert seen["ETH"] > 1
    assert seen["HIV"] > 0
    assert seen["notes"] > 50


def test_notes_are_texts() -> None:
    for item in of_type(charts(1)[0], "DocumentReference"):
        attachment = item["content"][0]["attachment"]
        raw = b64decode(attachment["data"], validate=True)
        assert len(raw) == attachment["size"]
        assert raw.decode().endswith(".")


def test_relatives_are_patients_of_the_same_household() -> None:
    by_number = {chart.resources[0]["identifier"][0]["value"]: chart.resources[0] for chart in charts(200)}
    kinship: defaultdict[str, int] = defaultdict(int)
    for chart in charts(200)[:150]:
        for item in of_type(chart, "RelatedPerson"):
            other = by_number[item["identifier"][0]["value"]]
            assert other["address"] == chart.resources[0]["address"]
            assert (other["name"], other["birthDate"]) == (item["name"], item["birthDate"])
            kinship[item["relationship"][0]["coding"][0]["code"]] += 1
            if item["relationship"][0]["coding"][0]["code"] in {"MTH", "FTH"}:
                assert int(other["birthDate"][:4]) + 16 <= int(chart.resources[0]["birthDate"][:4])
    assert set(kinship) >= {"MTH", "FTH", "SPS"}


def test_contacts_reach_nobody() -> None:
    for chart in charts(100):
        for telecom in chart.resources[0]["telecom"]:
            assert telecom["value"].startswith("555-") or telecom["value"].endswith("@example.org")


def test_shared_parts_are_not_changed_by_writing_more() -> None:
    before = orjson.dumps(charts(20)[3].resources)
    charts(60, seed=5)
    assert orjson.dumps(charts(20)[3].resources) == before

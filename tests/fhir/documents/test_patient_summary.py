"""The International Patient Summary: its structure, what it tells, and that text stays text."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from carekeep.fhir import validate
from carekeep.fhir.documents import Authorship, patient_summary, summary_content
from tests.fhir.documents.charts import (
    BASE,
    HOSTILE,
    MEDICATION,
    PACEMAKER,
    PATIENT,
    allergy,
    condition,
    device_use,
    immunization,
    labelled,
    prescription,
    procedure,
    result,
)
from tests.fhir.documents.ips import CHECKS, composition, resolved, sections, words_of

Json = dict[str, Any]
ORGANIZATION: Json = {"resourceType": "Organization", "id": "clinic", "name": "A clinic"}

FULL: tuple[Json, ...] = (
    condition("asthma"),
    allergy("peanut", reaction=[{"manifestation": [{"text": "Rash"}]}], criticality="high"),
    prescription("rx"),
    immunization("flu"),
    result("hba1c", "4548-4", 48, "2026-03-01"),
    procedure("appendix"),
    device_use("pacing"),
)


def summary(
    chart: Sequence[Json],
    directory: Sequence[Json] = (MEDICATION, PACEMAKER),
    *,
    patient: Json = PATIENT,
    organization: Json | None = None,
) -> Json:
    """The summary of a chart, with ids that do not change."""
    return patient_summary(
        patient,
        summary_content("ada", chart),
        directory,
        base_url=BASE,
        authorship=Authorship(UUID(int=1), "1.2.3", organization),
        composition_id=UUID(int=2),
        identifier=UUID(int=3),
        timestamp="2026-11-24T10:00:00.000Z",
    )


SHAPES: dict[str, tuple[Json, ...]] = {
    "empty": (),
    "full": FULL,
    "one section": (condition("asthma"),),
    "labelled": (labelled(condition("asthma"), "R"),),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_structure(shape: str, check: str) -> None:
    assert CHECKS[check](summary(SHAPES[shape], organization=ORGANIZATION)), check


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_valid_fhir(shape: str) -> None:
    assert validate(summary(SHAPES[shape], organization=ORGANIZATION)) == ()


def test_an_empty_chart_says_that_nothing_is_known_and_not_that_there_is_nothing() -> None:
    told = sections(summary(()))
    assert set(told) == {"11450-4", "48765-2", "10160-0"}
    assert {each["emptyReason"]["coding"][0]["code"] for each in told.values()} == {"unavailable"}


def test_recommended_sections_are_there_when_there_is_something() -> None:
    told = sections(summary(FULL))
    assert list(told) == ["11450-4", "48765-2", "10160-0", "11369-6", "30954-2", "47519-4", "46264-8"]
    assert [entry["reference"] for entry in told["30954-2"]["entry"]] == [f"{BASE}/Observation/hba1c"]


def test_the_tables_tell_what_a_clinician_needs() -> None:
    told = {code: words_of(section["text"]) for code, section in sections(summary(FULL)).items()}
    assert "Asthma active" in told["11450-4"]
    assert "Peanut high Rash" in told["48765-2"]
    assert "Metformin 500 mg twice a day active 2026-02-01" in told["10160-0"]
    assert "Influenza 2025-10-01" in told["11369-6"]
    assert "Test 4548-4 48 mmol/L" in told["30954-2"]
    assert "Appendectomy 2001-07" in told["47519-4"]
    assert "Pacemaker XY" in told["46264-8"]


@pytest.mark.parametrize(
    "resource",
    [
        condition("x", clinical="resolved"),
        condition("x", clinical="inactive"),
        condition("x", verificationStatus={"coding": [{"code": "refuted"}]}),
        allergy("x", verificationStatus={"coding": [{"code": "entered-in-error"}]}),
        prescription("x", "stopped"),
        prescription("x", doNotPerform=True),
        immunization("x", "not-done"),
        procedure("x", "entered-in-error"),
        device_use("x", "completed"),
        result("x", "8867-4", 70, "2026-01-01", category="vital-signs"),
        result("x", "1-1", 70, "2026-01-01", status="preliminary"),
    ],
)
def test_what_is_over_or_not_so_is_not_told(resource: Json) -> None:
    assert summary_content("ada", [resource]).resources == []


def test_a_condition_without_a_status_is_told() -> None:
    assert summary_content("ada", [condition("x", clinical=None)]).resources != []


def test_what_is_about_somebody_else_is_not_told() -> None:
    mine = result("mine", "1-1", 1, "2026-01-01", performer=[{"reference": "Patient/child"}])
    child = {**result("child", "1-1", 1, "2026-01-02", performer=[{"reference": "Patient/ada"}])}
    child["subject"] = {"reference": "Patient/child"}
    assert summary_content("ada", [mine, child]).resources == [mine]


def test_of_each_result_the_newest_is_told() -> None:
    old, new = result("old", "4548-4", 60, "2024-01-01"), result("new", "4548-4", 48, "2026-01-01")
    other = result("other", "2345-7", 5, "2020-01-01")
    assert [each["id"] for each in summary_content("ada", [old, other, new]).resources] == ["new", "other"]


def test_every_summary_says_that_protected_records_are_left_out() -> None:
    """Also one from which nothing is missing: else the sentence would give away what is hidden."""
    for chart in ((), FULL):
        document = summary(chart)
        narratives = [composition(document)["text"], *(each["text"] for each in composition(document)["section"])]
        assert all("special protection" in words_of(narrative) for narrative in narratives)


def test_organization_and_software_answer_for_it() -> None:
    document = summary(FULL, organization=ORGANIZATION)
    known = resolved(document)
    authors = [known[each["reference"]]["resourceType"] for each in composition(document)["author"]]
    assert authors == ["Organization", "Device"]
    assert known[composition(document)["custodian"]["reference"]] == ORGANIZATION
    assert known[f"urn:uuid:{UUID(int=1)}"]["version"] == [{"value": "1.2.3"}]
    alone = summary(FULL)
    assert [resolved(alone)[each["reference"]]["resourceType"] for each in composition(alone)["author"]] == ["Device"]


def test_labels_of_the_whole_are_the_high_water_mark() -> None:
    document = summary([labelled(condition("a"), "N"), labelled(allergy("b"), "R")])
    assert [each["code"] for each in document["meta"]["security"]] == ["R"]
    assert composition(document)["meta"]["security"] == document["meta"]["security"]
    assert "security" not in summary([condition("a")])["meta"]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_records_is_never_markup(text: str) -> None:
    note = [{"text": text}]
    coded = {"coding": [{"system": "http://loinc.org", "code": "x", "display": text}]}
    document = summary(
        [
            condition("a", text, note=note),
            allergy("b", text, note=note, reaction=[{"manifestation": [{"text": text}]}]),
            prescription("c", note=note, dosageInstruction=[{"text": text}]),
            {**result("d", "1-1", 1, "2026-01-01", note=note), "code": coded},
        ],
        [{**MEDICATION, "code": {"text": text}}],
        patient={**PATIENT, "name": [{"text": text}]},
    )
    assert validate(document) == ()  # among others: no element or attribute that narratives may not have
    narratives = [composition(document)["text"], *(each["text"] for each in composition(document)["section"])]
    told = " ".join(words_of(narrative) for narrative in narratives)
    assert told.count(text) >= 8
    assert not any("<script" in each["div"] or "<img" in each["div"] or "<a " in each["div"] for each in narratives)


def test_characters_that_xml_cannot_write_are_replaced() -> None:
    document = summary([condition("a", "x\x0by\ufffez")])
    assert "x\ufffdy\ufffdz" in words_of(sections(document)["11450-4"]["text"])

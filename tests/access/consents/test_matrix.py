"""The matrix: what a patient's consents say, case by case, and which of them decides."""

from datetime import UTC, datetime
from typing import Any

import pytest

from carekeep.access import Purpose, Target
from carekeep.access.consents import Question, evaluate, read_consent
from carekeep.access.consents.contents import Facts
from carekeep.access.consents.words import LOINC
from carekeep.access.rights import ANYTHING, Proposed
from carekeep.access.vocabulary import Agreement
from carekeep.fhir import labels_of
from tests.access.consents.writing import CONSENTS, MATRIX, consent, label

NOW = int(datetime(2023, 1, 15, tzinfo=UTC).timestamp() * 1000)
CASES = [tuple(cell.strip() for cell in line.split("|")) for line in MATRIX["matrix"]["cases"].strip().splitlines()]
LEAST = 60

PEOPLE = {
    "gp": {"Practitioner/gp", "PractitionerRole/gp-cardiology", "Organization/hospital"},
    "colleague": {"Practitioner/colleague", "Organization/hospital"},
    "other": {"Practitioner/other"},
    "researcher": {"Practitioner/researcher", "Organization/research"},
    "mother": {"RelatedPerson/mother"},
    "engine": set[str](),
}


def record(type_: str, id_: str, *labels: str, **elements: Any) -> dict[str, Any]:
    meta = {"security": [label(each) for each in labels]}
    return {"resourceType": type_, "id": id_, "meta": meta, **elements}


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code}]}


RECORDS: dict[str, dict[str, Any]] = {
    "pulse": record(
        "Observation",
        "pulse",
        code=coded("8867-4"),
        effectiveDateTime="2022-06-01",
        encounter={"reference": "Encounter/visit"},
        performer=[{"reference": "Practitioner/gp"}],
    ),
    "weight": record(
        "Observation",
        "weight",
        code=coded("29463-7"),
        effectiveDateTime="2023-01-03T10:00:00Z",
        performer=[{"reference": "Practitioner/colleague"}],
    ),
    "undated": record("Observation", "undated", code=coded("29463-7")),
    "some-time": record("Observation", "some-time", effectivePeriod={"start": "2021-12-01", "end": "2022-03-01"}),
    "alcohol": record("Observation", "alcohol", "ETHUD", effectiveDateTime="2022-06-01"),
    "visit": record("Encounter", "visit", period={"start": "2022-06-01", "end": "2022-06-02"}),
    "restricted": record("Condition", "restricted", "R", recordedDate="2022-01-01"),
    "secret": record("Condition", "secret", "V"),
    "psy": record("DocumentReference", "psy", "PSY"),
    "therapy": record("DocumentReference", "therapy", "PSYTHPN"),
    "violence": record("Condition", "violence", "SDV"),
    "hiv": record("Condition", "hiv", "HIV"),
    "pills": record("MedicationRequest", "pills", medicationReference={"reference": "Medication/m"}),
}


def target(name: str) -> Target:
    if name == "untold":
        return Target("Observation", ("p1",))
    resource = RECORDS[name]
    return Target(resource["resourceType"], ("p1",), labels_of(resource), Proposed(resource))


def said(names: str, who: str, purpose: str, to: Target) -> tuple[str, str]:
    rules = [read_consent(consent(CONSENTS[name], name)) for name in names.split() if name != "-"]
    question = Question(frozenset(PEOPLE[who]), Purpose(purpose), NOW, Facts.of(to))
    verdict = evaluate([each for each in rules if each is not None], question)
    word = "named" if verdict.named else verdict.agreement.value
    return word, " ".join(each.removeprefix("Consent/") for each in verdict.consents)


@pytest.mark.parametrize(("names", "who", "purpose", "record", "expected", "by"), CASES)
def test_the_matrix(names: str, who: str, purpose: str, record: str, expected: str, by: str) -> None:
    assert said(names, who, purpose, target(record)) == (expected, by)


def test_there_are_enough_cases_and_every_consent_is_in_one() -> None:
    assert len(CASES) >= LEAST
    assert {name for names, *_ in CASES for name in names.split()} == {*CONSENTS, "-"}


@pytest.mark.parametrize("name", sorted(CONSENTS))
def test_of_many_records_something_is_permitted_if_it_is_of_one(name: str) -> None:
    """What is asked before any record is looked at must not shut out a record that is permitted."""
    anything = Target("Observation", ("p1",), (), ANYTHING)
    for who in PEOPLE:
        for purpose in (Purpose.TREAT, Purpose.HRESCH, Purpose.PATRQT):
            of_all = said(name, who, purpose.value, anything)[0]
            of_each = {said(name, who, purpose.value, target(each))[0] for each in (*RECORDS, "untold")}
            if of_all == Agreement.DENY.value:
                assert of_each == {of_all}

"""What matches is found by the index, always; and what a resource costs."""

import json
from typing import Any

import pytest
from hypothesis import event, given, settings

from carekeep.fhir import patient_compartment, patients_of
from carekeep.fhir.search import QueryError, Term, index_terms, parse_query, search_parameters
from carekeep.fhir.search.index import OVERFLOW, TERMS_OF_A_PLACE
from carekeep.fhir.search.parameters import owner_place, searchable_types
from tests.fhir.search.made_up import searches

NOW_MS = 1_767_225_600_000
Search = tuple[dict[str, Any], list[tuple[str, str]]]


@settings(max_examples=200)
@given(searches())
def test_what_matches_is_never_missed(search: Search) -> None:
    resource, pairs = search
    before = json.dumps(resource)
    terms = index_terms(resource)
    try:
        query = parse_query(resource["resourceType"], pairs, lenient=False, clock=lambda: NOW_MS)
    except QueryError as refused:
        event(f"refused: {refused.issues[0].code}")
        return
    matches = query.matches(resource)
    event(f"matches: {matches}")
    assert query.clauses
    if matches:
        for clause in query.clauses:
            assert clause.terms is None or clause.terms & terms, clause
            assert clause.ids is None or resource["id"] in clause.ids
            assert clause.patients is None or patients_of(resource)[0] in clause.patients
    assert json.dumps(resource) == before


@given(searches())
def test_terms_are_bounded_and_of_known_places(search: Search) -> None:
    resource, _ = search
    terms = index_terms(resource)
    assert Term("_type", resource["resourceType"].encode()) in terms
    assert all(":" in term.parameter for term in terms if term.parameter != "_type")
    assert len(terms) <= 1 + 40 * TERMS_OF_A_PLACE


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": "as people say it"}]}


OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
    "code": concept("http://loinc.org", "8867-4"),
    "subject": {"reference": "Patient/1"},
    "encounter": {"reference": "Encounter/2"},
    "effectiveDateTime": "2020-05-06T07:08:09+02:00",
    "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
}


def test_a_typical_observation_costs_twenty_terms() -> None:
    terms = index_terms(OBSERVATION)
    assert len(terms) == 20
    assert {term.parameter for term in terms} == {
        "_type", "status:token", "category:token", "code:token", "subject:reference", "encounter:reference",
        "effective:date", "value:quantity",
    }  # fmt: skip


def test_a_place_with_too_many_values_overflows_and_is_still_found() -> None:
    members = [{"entity": {"reference": f"Patient/{number}"}} for number in range(TERMS_OF_A_PLACE + 1)]
    group = {"resourceType": "Group", "member": members}
    terms = index_terms(group)
    assert {term.value for term in terms if term.parameter == "member.entity:reference"} == {OVERFLOW}
    query = parse_query("Group", [("member", "Patient/7")], lenient=False)
    assert query.matches(group)
    assert all(clause.terms and clause.terms & terms for clause in query.clauses)
    full = index_terms({"resourceType": "Group", "member": members[:TERMS_OF_A_PLACE]})
    assert len([term for term in full if term.parameter == "member.entity:reference"]) == TERMS_OF_A_PLACE


def test_a_huge_resource_costs_no_more_than_its_places() -> None:
    words = [f"word{number}" for number in range(5000)]
    terms = index_terms({"resourceType": "Patient", "name": [{"given": words}], "address": [{"line": words}]})
    assert len(terms) == 4  # the type, two overflows, and that nobody died


def test_parameters_that_look_at_one_place_share_its_terms() -> None:
    by_patient = parse_query("Observation", [("patient", "1")], lenient=False).clauses[0]
    by_subject = parse_query("Observation", [("subject", "Patient/1")], lenient=False).clauses[0]
    assert by_patient == by_subject
    assert by_patient.patients == ("1",)


@pytest.mark.parametrize(
    ("type_", "pair", "patients"),
    [
        ("Observation", ("patient", "1,Patient/2"), ("1", "2")),
        ("Observation", ("subject:Patient", "1"), ("1",)),
        ("Observation", ("subject", "1"), None),  # may be a group
        ("Observation", ("subject", "Patient/1,Group/1"), None),
        ("Observation", ("subject", "http://x.org/Patient/1"), None),
        ("Observation", ("performer", "Patient/1"), None),  # the subject may be someone else
        ("Observation", ("subject:identifier", "s|1"), None),
        ("Observation", ("subject:missing", "true"), None),
        ("Encounter", ("patient", "1"), ("1",)),
        ("Coverage", ("beneficiary", "1"), None),  # the policy holder stands first in the compartment
        ("Coverage", ("policy-holder", "Patient/1"), ("1",)),
        ("Appointment", ("patient", "1"), None),  # several participants: another patient may stand first
        ("Account", ("patient", "1"), None),
        ("Practitioner", ("name", "x"), None),
        ("Patient", ("_id", "1,2"), ("1", "2")),
        ("Patient", ("link", "Patient/1"), None),
    ],
)
def test_names_the_patients_only_if_it_is_sure(type_: str, pair: tuple[str, str], patients: object) -> None:
    query = parse_query(type_, [pair], lenient=False)
    assert query.clauses[0].patients == patients


def test_the_place_of_the_owner_is_that_of_the_compartment() -> None:
    decided = 0
    for type_ in searchable_types():
        place = owner_place(type_)
        if place is not None:
            assert patient_compartment(type_)[0].paths == (tuple(place.split(".")),), type_
            decided += 1
    assert decided == 59


def test_every_supported_parameter_is_indexed_or_said_not_to_be() -> None:
    for type_ in searchable_types():
        for parameter in search_parameters(type_).values():
            if parameter.supported and parameter.type == "reference":
                query = parse_query(type_, [(parameter.code, "http://x.org/y")], lenient=False)
                assert all(clause.terms for clause in query.clauses), (type_, parameter.code)

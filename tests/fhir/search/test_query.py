"""Reading queries: what is refused, what is passed over, what shapes the result."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from carekeep.fhir import Issue
from carekeep.fhir.search import Query, QueryError, Term, modifiers, parse_query, search_parameters
from carekeep.fhir.search.asking import MAX_LENGTH, MAX_PAIRS, MAX_VALUES
from carekeep.fhir.search.criteria import TERMS_OF_A_CLAUSE

MARK = "Quincey-Marked"


def refused(type_: str, *pairs: tuple[str, str], lenient: bool = False) -> tuple[Issue, ...]:
    with pytest.raises(QueryError) as caught:
        parse_query(type_, pairs, lenient=lenient)
    return caught.value.issues


def read(type_: str, *pairs: tuple[str, str], lenient: bool = False) -> Query:
    return parse_query(type_, pairs, lenient=lenient)


@pytest.mark.parametrize(
    ("name", "value", "code", "says"),
    [
        ("nothing", "x", "not-supported", 'no search parameter "nothing"'),
        ("general-practitioner.nothing", "x", "not-supported", 'no search parameter "nothing"'),
        ("general-practitioner:Device.name", "x", "not-supported", "does not refer"),
        ("general-practitioner.gender", "male,", "value", "empty"),
        ("general-practitioner._count", "3", "not-supported", 'no search parameter "_count"'),
        ("gender.name", "x", "not-supported", "no reference"),
        ("organization.partof.partof.partof.partof.name", "x", "too-costly", "at most 4"),
        ("_has", "x", "not-supported", "no search parameter"),
        ("_has:Observation:patient", "x", "not-supported", "no search parameter"),
        ("_has:Vibration:patient:code", "x", "not-supported", "no resource type"),
        ("_has:Observation:nothing:code", "x", "not-supported", 'no search parameter "nothing"'),
        ("_has:Observation:device:code", "x", "not-supported", "does not refer to Patient"),
        ("_has:Observation:patient:nothing", "x", "not-supported", "no search parameter"),
        ("_list", "$current-problems", "value", "one List"),
        ("_text", "--", "value", "no letters"),
        ("_content:exact", "x", "not-supported", "modifier"),
        ("_type", "Patient", "invalid", "at the base"),
        ("_filter", "gender eq male", "not-supported", '"_filter"'),
        ("_query", "x", "not-supported", '"_query"'),
        ("_contained", "true", "not-supported", '"_contained"'),
        ("phonetic", "x", "not-supported", '"phonetic"'),
        ("gender:in", "x", "value", "canonical URL"),
        ("gender:in", "http://x,http://y", "not-supported", "one value"),
        ("gender:above", "x", "value", "system|code"),
        ("organization:above", "1", "not-supported", "modifier"),
        ("gender:of-type", "s|c|v", "not-supported", "modifier"),
        ("birthdate:exact", "2020", "not-supported", "modifier"),
        ("link:Observation", "1", "not-supported", "modifier"),
        ("birthdate", "yesterday", "value", '"birthdate"'),
        ("birthdate", "2020-13", "value", '"birthdate"'),
        ("birthdate", "2021-02-29", "value", '"birthdate"'),
        ("birthdate", "xx2020", "value", '"birthdate"'),
        ("family", "", "value", "empty"),
        ("family", "a,,b", "value", "empty"),
        ("family", "--", "value", "letters"),
        ("family", "a\ud800", "value", "Unicode"),
        ("gender", "|", "value", "token"),
        ("identifier:of-type", "a|b", "value", "of-type"),
        ("active:missing", "maybe", "value", ":missing"),
        ("organization", "Patient/1", "value", "refers to Organization"),
        ("organization", "not an id", "value", "Type/id"),
        ("_count", "-1", "value", '"_count"'),
        ("_count", "ten", "value", '"_count"'),
        ("_count", "²", "value", '"_count"'),
        ("_summary", "all", "value", '"_summary"'),
        ("_total", "yes", "value", '"_total"'),
        ("_elements", "a.b", "value", '"_elements"'),
        ("_pretty", "1", "value", '"_pretty"'),
        ("_sort", "nothing", "value", '"_sort"'),
        ("_sort", ",".join(["_id"] * 9), "value", '"_sort"'),
        ("family", "x" * (MAX_LENGTH + 1), "too-long", '"family"'),
        ("gender", ",".join(["a"] * (MAX_VALUES + 1)), "too-costly", '"gender"'),
    ],
)
def test_refuses_with_the_reason(name: str, value: str, code: str, says: str) -> None:
    (issue,) = refused("Patient", (name, value))
    assert (issue.severity, issue.code) == ("error", code)
    assert says in issue.diagnostics


@pytest.mark.parametrize(
    ("type_", "name", "value"),
    [
        ("RiskAssessment", "probability", "many"),
        ("RiskAssessment", "probability", "1e9999"),
        ("Observation", "value-quantity", "5|mg"),
        ("Observation", "value-quantity", "|s|mg"),
        ("Observation", "code-value-quantity", "a"),
        ("Observation", "code-value-quantity", "a$b"),
        ("Observation", "code-value-quantity", "a$5$6"),
        ("ValueSet", "url:below", "urn:oid:1"),
    ],
)
def test_refuses_values_of_other_types(type_: str, name: str, value: str) -> None:
    assert [issue.code for issue in refused(type_, (name, value))] == ["value"]


def test_every_parameter_at_fault_is_named_and_no_value_is_repeated() -> None:
    issues = refused("Patient", ("birthdate", MARK), ("nothing", MARK), (f"{MARK} of the house", "x"), ("_sort", MARK))
    assert [issue.expression for issue in issues] == ["http.birthdate", "http.nothing", "", "http._sort"]
    assert not any(MARK in issue.diagnostics for issue in issues)


def test_no_repr_shows_what_was_asked() -> None:
    linked = (("general-practitioner:Practitioner.family", MARK), ("_has:Observation:patient:code", MARK))
    sets = (("_list", MARK), ("gender:in", f"http://{MARK}"), ("gender:below", f"s|{MARK}"), ("_content", MARK))
    query = read("Patient", ("family", MARK), ("identifier", MARK), ("_id", MARK), *linked, *sets)
    assert len(query.links) == 3
    assert len(query.code_sets) == 2
    assert MARK not in repr(query)
    assert MARK not in repr(query.within(MARK).criteria)


def test_a_lenient_search_passes_over_what_is_unknown_but_not_over_what_is_wrong() -> None:
    query = read("Patient", ("nothing", "x"), ("_has:a:b", "x"), ("a.b", "x"), ("gender", "male"), lenient=True)
    assert query.ignored == ("nothing", "_has:a:b", "a.b")
    assert query.self_link == (("gender", "male"),)
    assert [issue.code for issue in refused("Patient", ("birthdate", "x"), lenient=True)] == ["value"]
    assert [issue.code for issue in refused("Patient", ("gender:exact", "x"), lenient=True)] == ["not-supported"]


def test_types_and_numbers_of_parameters_are_bounded() -> None:
    assert refused("Nothing")[0].code == "not-supported"
    assert refused("Patient", *[("gender", "male")] * (MAX_PAIRS + 1))[0].code == "too-costly"
    assert len(read("Patient", *[("gender", "male")] * MAX_PAIRS).criteria) == MAX_PAIRS


def test_shapes_of_the_result() -> None:
    shapes = "_count=5 _summary=count _elements=name,birthDate _total=accurate _format=json _pretty=true"
    pairs = [(name, value) for name, _, value in (shape.partition("=") for shape in shapes.split())]
    query = read("Patient", *pairs, ("_sort", "-birthdate,family"))
    assert (query.count, query.summary, query.elements, query.total) == (5, "count", ("name", "birthDate"), "accurate")
    assert (query.control.format, query.control.pretty) == ("json", True)
    assert [(sort.parameter.code, sort.descending) for sort in query.sort] == [("birthdate", True), ("family", False)]


def test_counts_are_bounded_and_the_self_link_says_so() -> None:
    assert read("Patient").count == 20
    assert read("Patient", ("_count", "0")).count == 0
    query = read("Patient", ("_count", "5000"), ("gender", "male"))
    assert query.count == 1000
    assert query.self_link == (("_count", "1000"), ("gender", "male"))


def test_a_shape_is_given_once() -> None:
    assert refused("Patient", ("_count", "1"), ("_count", "2"))[0].code == "invalid"


def test_a_query_without_help_from_the_index_lists_the_type() -> None:
    for pairs in ((), (("gender:not", "male"),), (("_lastUpdated", "lt2020"),), (("identifier", "urn:s|"),)):
        (clause,) = read("Patient", *pairs).clauses
        assert clause.terms == frozenset({Term("_type", b"Patient")})


def test_ids_are_no_terms() -> None:
    (clause,) = read("Encounter", ("_id", "a,b")).clauses
    assert (clause.ids, clause.terms, clause.patients) == (("a", "b"), None, None)


def in_order(query: Query, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By values that went through JSON, as those of a cursor do."""
    return sorted(resources, key=lambda each: query.sort_place(tuple(json.loads(json.dumps(query.sort_values(each))))))


def test_sorts_by_keys_and_puts_what_has_no_value_last() -> None:
    people = [
        {"resourceType": "Patient", "id": "1", "birthDate": "1990", "name": [{"family": "Ruiz"}]},
        {"resourceType": "Patient", "id": "2", "name": [{"family": "Abel"}]},
        {"resourceType": "Patient", "id": "3", "birthDate": "1980", "name": [{"family": "Ruiz"}]},
        {"resourceType": "Patient", "id": "4", "birthDate": "1990", "name": [{"family": "ábel"}]},
    ]

    def order(keys: str) -> str:
        return "".join(person["id"] for person in in_order(read("Patient", ("_sort", keys)), people))

    assert order("birthdate") == "3142"
    assert order("-birthdate") == "1432"
    assert order("-birthdate,family") == "4132"
    assert order("family,birthdate") == "4231"
    assert order("-_id") == "4321"


@pytest.mark.parametrize("code", ["probability", "condition", "_profile", "_lastUpdated"])
def test_sorts_by_every_kind(code: str) -> None:
    assessments = [
        {
            "resourceType": "RiskAssessment",
            "condition": {"reference": f"Condition/{number}"},
            "prediction": [{"probabilityDecimal": number}],
            "meta": {"lastUpdated": f"202{number}-01-01T00:00:00Z", "profile": [f"http://x/{number}"]},
        }
        for number in (2, 1, 3)
    ]
    ordered = in_order(read("RiskAssessment", ("_sort", code)), assessments)
    assert [assessments.index(each) for each in ordered] == [1, 0, 2]


def test_says_which_modifiers_a_parameter_takes() -> None:
    patient = search_parameters("Patient")
    assert modifiers(patient["identifier"]) == ("above", "below", "in", "missing", "not", "not-in", "of-type", "text")
    assert modifiers(patient["gender"]) == ("above", "below", "in", "missing", "not", "not-in", "text")
    assert modifiers(patient["family"]) == ("contains", "exact", "missing")
    assert modifiers(patient["birthdate"]) == ("missing",)


NAMES = [*search_parameters("Observation"), "_count", "_sort", "_has", "_include", "_summary", "_elements", "x"]
TAILS = ["", ":", ":not", ":text", ":Patient", ":exact", ":contains", ":missing", ":identifier", ":above", ".name"]
VALUES = st.text(max_size=12) | st.text(alphabet="0123456789-:TZ+.,|$\\eEgtlsabp/", max_size=20)
names = st.builds("{}{}".format, st.sampled_from(NAMES), st.sampled_from(TAILS)) | st.text(max_size=8)


@given(pairs=st.lists(st.tuples(names, VALUES), max_size=4), lenient=st.booleans())
@example(pairs=[("date", "ap9999")], lenient=False)
@example(pairs=[("date", "ap0001-01-01T00:00:00+14:00")], lenient=False)
@example(pairs=[("value-quantity", "ap1e999|a|b")], lenient=False)
@example(pairs=[("value-quantity", "1e-999")], lenient=False)
@example(pairs=[("code", "\\")], lenient=False)
def test_whatever_is_asked_is_read_or_refused(pairs: list[tuple[str, str]], lenient: bool) -> None:
    resource = {"resourceType": "Observation", "effectiveDateTime": "2020", "valueQuantity": {"value": 1}}
    try:
        query = parse_query("Observation", pairs, lenient=lenient)
    except QueryError:
        return
    answered = query.with_references([frozenset()] * len(query.links)).with_codes([frozenset()] * len(query.code_sets))
    assert answered.matches(resource) in {True, False}
    assert all(clause.terms is None or len(clause.terms) <= TERMS_OF_A_CLAUSE for clause in query.clauses)
    # The self link asks the same again.
    assert parse_query("Observation", query.self_link, lenient=False).self_link == query.self_link

"""What is in a value set."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir.terminology import MAX_CODES, Canonical, CodeSystem, Library, NotLoaded, TerminologyRefused, expand
from tests.fhir.terminology.sets import ANIMALS, CODE_SYSTEM, LIBRARY, codes, rule, value_set

Json = dict[str, Any]
ALL = "animal mammal dog cat cow bird hen dodo bat flier"


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (value_set(rule()), ALL),
        (value_set(rule(codes="dog hen unheard")), "dog hen unheard"),
        (value_set(rule(("concept", "is-a", "mammal"))), "mammal dog cat cow bat"),
        (value_set(rule(("concept", "descendent-of", "mammal"))), "dog cat cow bat"),
        (value_set(rule(("concept", "is-a", "flier"))), "bird hen dodo bat flier"),
        (value_set(rule(("concept", "is-not-a", "animal"))), "flier"),
        (value_set(rule(("concept", "generalizes", "bat"))), "animal mammal bat flier"),
        (value_set(rule(("concept", "=", "dog"))), "dog"),
        (value_set(rule(("code", "in", "dog, hen"))), "dog hen"),
        (value_set(rule(("diet", "=", "meat"))), "dog cat"),
        (value_set(rule(("diet", "in", "meat,grain"))), "dog cat hen"),
        (value_set(rule(("diet", "exists", "true"))), "dog cat cow hen"),
        (value_set(rule(("parent", "=", "bird"))), "hen dodo"),
        (value_set(rule(("concept", "is-a", "mammal"), ("diet", "not-in", "meat"))), "mammal cow bat"),
        (value_set(rule(codes="dog"), rule(codes="cat dog")), "dog cat"),
        (value_set(rule(("concept", "is-a", "mammal")), exclude=rule(codes="cow bat")), "mammal dog cat"),
        (value_set(rule(("concept", "is-a", "bird")), inactive=False), "bird hen"),
    ],
)
def test_definitions(definition: Json, expected: str) -> None:
    assert codes(definition) == expected


def test_displays_come_from_the_value_set_else_from_the_code_system() -> None:
    named = {"system": ANIMALS, "concept": [{"code": "dog", "display": "Best friend"}, {"code": "cat"}]}
    assert [each.display for each in expand(value_set(named), LIBRARY).values()] == ["Best friend", "Cat"]


def test_value_sets_inside_of_an_include_all_hold() -> None:
    mammals = value_set(rule(("concept", "is-a", "mammal")), url="https://example.org/mammals")
    meat = value_set(rule(("diet", "=", "meat"), ("code", "not-in", "cat")), url="https://example.org/meat")
    library = Library(
        {Canonical("https://example.org/mammals"): mammals, Canonical("https://example.org/meat"): meat},
        LIBRARY.code_systems,
    )
    both = {"valueSet": ["https://example.org/mammals", "https://example.org/meat"]}
    assert codes(value_set(both), library) == "dog"
    assert codes(value_set({"system": ANIMALS, "valueSet": ["https://example.org/meat"]}), library) == "dog"


def test_a_value_set_that_contains_itself_is_refused() -> None:
    url = "https://example.org/snake"
    snake = value_set({"valueSet": [url]}, url=url)
    with pytest.raises(TerminologyRefused, match="contains itself"):
        expand(snake, Library({Canonical(url): snake}))


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        (value_set({"system": "https://example.org/unknown"}), "no code system"),
        (value_set(rule(version="2")), "no code system"),
        (value_set({"valueSet": ["https://example.org/unknown"]}), "no value set"),
        (value_set(rule(("diet", "regex", "(a+)+$"))), "not supported"),
        (value_set(rule(("concept", "is-a", "unheard"))), "does not have"),
        (value_set({"valueSet": []}), "neither"),
        ({"resourceType": "ValueSet", "status": "active"}, "neither a definition nor an expansion"),
        (value_set(rule(), lockedDate="2020-01-01"), "locked"),
    ],
)
def test_what_cannot_be_told_is_refused(definition: Json, says: str) -> None:
    with pytest.raises(TerminologyRefused, match=says):
        expand(definition, LIBRARY)


def test_a_part_of_a_code_system_is_not_taken_for_the_whole() -> None:
    part = Library(code_systems={Canonical(ANIMALS): CodeSystem.read({**CODE_SYSTEM, "content": "fragment"})})
    with pytest.raises(TerminologyRefused, match="in part"):
        expand(value_set(rule()), part)
    assert codes(value_set(rule(codes="dog")), part) == "dog"


def test_a_hierarchy_that_is_no_subsumption_is_not_taken_for_one() -> None:
    grouped = Library(
        code_systems={Canonical(ANIMALS): CodeSystem.read({**CODE_SYSTEM, "hierarchyMeaning": "part-of"})}
    )
    with pytest.raises(TerminologyRefused, match="hierarchy"):
        expand(value_set(rule(("concept", "is-a", "mammal"))), grouped)


def test_expansions_are_bounded() -> None:
    many = value_set({"system": ANIMALS, "concept": [{"code": f"c{number}"} for number in range(MAX_CODES + 1)]})
    with pytest.raises(TerminologyRefused, match="more than") as refused:
        expand(many, Library())
    assert refused.value.code == "too-costly"


def test_what_r4_binds_is_loaded_without_being_stored() -> None:
    gender = Library().value_set(Canonical("http://hl7.org/fhir/ValueSet/administrative-gender"))
    assert codes(gender, Library()) == "female male other unknown"
    again = Library().value_set(Canonical("http://hl7.org/fhir/ValueSet/administrative-gender", "4.0.1"))
    assert again == gender
    for url, version in (("administrative-gender", "3.0.0"), ("all-languages-of-the-moon", None), ("mimetypes", None)):
        with pytest.raises(NotLoaded):
            Library().value_set(Canonical(f"http://hl7.org/fhir/ValueSet/{url}", version))


def test_a_stored_expansion_is_taken_if_it_is_whole() -> None:
    expansion: Json = {"contains": [{"system": "s", "code": "a", "contains": [{"system": "s", "code": "b"}]}]}
    stored: Json = {"resourceType": "ValueSet", "status": "active", "expansion": expansion}
    assert codes(stored) == "a b"
    expansion["total"] = 3
    with pytest.raises(TerminologyRefused, match="part of an expansion"):
        expand(stored, Library())


@given(st.sets(st.sampled_from(ALL.split())), st.sets(st.sampled_from(ALL.split())))
def test_includes_and_excludes_are_sets(inside: set[str], outside: set[str]) -> None:
    included = [rule(codes=" ".join(sorted(inside)))] if inside else []
    definition = value_set(*included, exclude=rule(codes=" ".join(sorted(outside))) if outside else None)
    assert set(codes(definition).split()) == inside - outside


def test_cycles_of_a_broken_hierarchy_end() -> None:
    ring = [
        {"code": code, "property": [{"code": "parent", "valueCode": parent}]}
        for code, parent in (("a", "b"), ("b", "c"), ("c", "a"))
    ]
    system = CodeSystem.read({**CODE_SYSTEM, "concept": ring})
    assert system.below("a") == system.above("a") == {"b", "c"}

"""Looking codes up, checking them, and expansions as they are written."""

from typing import Any
from uuid import UUID

import pytest

from carekeep.fhir import validate
from carekeep.fhir.terminology import (
    Asked,
    Canonical,
    CodeSystem,
    TerminologyRefused,
    Wish,
    expand,
    expanded_value_set,
    in_code_system,
    in_value_set,
    look_up,
    needed_by,
)
from tests.fhir.terminology.sets import ANIMALS, CODE_SYSTEM, LIBRARY, rule, value_set

Json = dict[str, Any]
SYSTEM = CodeSystem.read(CODE_SYSTEM)
BIRDS = value_set(rule(("concept", "is-a", "bird")))
ALL = value_set(rule())


def written(definition: Json, wish: Wish) -> Json:
    """The expansion as a resource."""
    codes = expand(definition, LIBRARY)
    return expanded_value_set(definition, codes, wish, identifier=UUID(int=1), timestamp="2026-01-01T00:00:00Z")


def told(parameters: Json, name: str) -> list[Any]:
    """The values of a parameter: those of parts as a dictionary."""
    return [
        {part["name"]: next(v for k, v in part.items() if k.startswith("value")) for part in each["part"]}
        if "part" in each
        else next(value for key, value in each.items() if key.startswith("value"))
        for each in parameters["parameter"]
        if each["name"] == name
    ]


def test_a_code_is_looked_up_with_all_that_is_known() -> None:
    answer = look_up(SYSTEM, "bat")
    assert validate(answer) == ()
    assert [told(answer, name) for name in ("name", "version", "display")] == [["Animals"], ["1"], ["Bat"]]
    assert told(answer, "designation") == [{"language": "de", "value": "Fledermaus"}]
    assert [each["value"] for each in told(answer, "property")] == ["mammal", "flier"]


def test_properties_can_be_chosen() -> None:
    assert told(look_up(SYSTEM, "dog", ["diet"]), "property") == [{"code": "diet", "value": "meat"}]


def test_a_code_that_is_not_there_is_not_looked_up() -> None:
    with pytest.raises(TerminologyRefused) as refused:
        look_up(SYSTEM, "unicorn")
    assert refused.value.code == "not-found"


def test_case_counts_as_the_code_system_says() -> None:
    assert SYSTEM.find("Dog") is None
    found = CodeSystem.read({**CODE_SYSTEM, "caseSensitive": False}).find("Dog")
    assert found is not None
    assert found.code == "dog"


@pytest.mark.parametrize(
    ("asked", "result", "says"),
    [
        (Asked(ANIMALS, "hen"), True, None),
        (Asked(ANIMALS, "hen", "hen  "), True, None),
        (Asked(ANIMALS, "hen", "Chicken"), False, "display"),
        (Asked(ANIMALS, "dodo"), True, "inactive"),
        (Asked(ANIMALS, "dog"), False, "not in the value set"),
        (Asked("https://example.org/other", "hen"), False, "not in the value set"),
    ],
)
def test_codes_of_a_value_set(asked: Asked, result: bool, says: str | None) -> None:
    verdict = in_value_set(expand(BIRDS, LIBRARY), [asked])
    assert verdict.result is result
    assert (verdict.message is None) if says is None else says in str(verdict.message)
    assert validate(verdict.parameters()) == ()


@pytest.mark.parametrize(
    ("asked", "result"),
    [
        (Asked(ANIMALS, "bat", "Fledermaus"), True),
        (Asked(ANIMALS, "animal"), False),  # it only groups others
        (Asked(ANIMALS, "unicorn"), False),
        (Asked("https://example.org/other", "bat"), False),
    ],
)
def test_codes_of_a_code_system(asked: Asked, result: bool) -> None:
    assert in_code_system(SYSTEM, [asked]).result is result


def test_one_good_translation_is_enough() -> None:
    codes = expand(BIRDS, LIBRARY)
    assert in_value_set(codes, [Asked("other", "x"), Asked(ANIMALS, "hen")]).result
    assert not in_value_set(codes, []).result


def test_a_display_without_any_known_is_not_checked_and_that_is_said() -> None:
    codes = expand(value_set({"system": "s", "concept": [{"code": "a"}]}), LIBRARY)
    verdict = in_value_set(codes, [Asked("s", "a", "Anything")])
    assert (verdict.result, verdict.message) == (True, "No name is loaded for the code; the display was not checked.")


@pytest.mark.parametrize(
    ("wish", "codes", "total"),
    [
        (Wish(), "animal mammal dog cat cow bird hen dodo bat flier", 10),
        (Wish(count=2), "animal mammal", 10),
        (Wish(count=2, offset=9), "flier", 10),
        (Wish(count=0), "", 10),
        (Wish(offset=20), "", 10),
        (Wish(filter="b"), "bird bat", 2),
        (Wish(filter="BÍRD"), "bird", 1),
        (Wish(filter="b x"), "", 0),
        (Wish(active_only=True, filter="d"), "dog", 1),
    ],
)
def test_pages_and_filters(wish: Wish, codes: str, total: int) -> None:
    answer = written(ALL, wish)
    assert validate(answer) == ()
    expansion = answer["expansion"]
    assert " ".join(each["code"] for each in expansion.get("contains", ())) == codes
    assert (expansion["total"], expansion["offset"]) == (total, wish.offset)


def test_expansions_say_what_codes_are() -> None:
    rows = {each["code"]: each for each in written(ALL, Wish(designations=True))["expansion"]["contains"]}
    assert rows["animal"]["abstract"]
    assert rows["dodo"]["inactive"]
    assert rows["bat"]["designation"] == [{"language": "de", "value": "Fledermaus"}]
    assert rows["dog"] == {"system": ANIMALS, "version": "1", "code": "dog", "display": "Dog"}
    assert "compose" not in written(ALL, Wish())


def test_what_a_value_set_is_made_from() -> None:
    definition = value_set(rule(version="2"), {"valueSet": ["https://example.org/a|1"]}, exclude={"system": "s"})
    sets, systems = needed_by(definition)
    assert sets == {Canonical("https://example.org/a", "1")}
    assert systems == {Canonical(ANIMALS, "2"), Canonical("s")}

"""$expand, $lookup and $validate-code over what is stored, and honest errors for the rest."""

from typing import Any
from urllib.parse import quote

import pytest

from carekeep.access import Action
from carekeep.fhir import validate
from carekeep.web.fhir.terminology import Terminology
from carekeep.web.http import Request
from carekeep.web.passage import Passage
from tests.fhir.terminology.sets import ANIMALS, CODE_SYSTEM, rule, value_set
from tests.web.clinic import Clinic, on_sqlite
from tests.web.operations.charts import Json, disclosed, parameters

MAMMALS = "https://example.org/mammals"
STORED: tuple[Json, ...] = (
    CODE_SYSTEM,
    {**value_set(rule(("concept", "is-a", "mammal")), url=MAMMALS), "id": "mammals", "version": "1"},
    {**value_set({"valueSet": [MAMMALS]}, exclude=rule(codes="cow"), url="https://example.org/pets"), "id": "pets"},
    {**value_set({"system": "https://example.org/unknown"}, url="https://example.org/broken"), "id": "broken"},
)
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"
BAT = {"system": ANIMALS, "code": "bat"}


@pytest.fixture
async def clinic(clinic: Clinic) -> Clinic:
    for resource in STORED:
        answer = await clinic.put(resource)
        assert answer.status == 201, answer.body
    return clinic


def codes(expanded: Json) -> list[str]:
    """The codes of an expansion."""
    assert validate(expanded) == ()
    return [each["code"] for each in expanded["expansion"].get("contains", ())]


def told(answer: Json, name: str) -> Any:
    """The first value of a parameter."""
    return next(
        value
        for each in answer["parameter"]
        if each["name"] == name
        for key, value in each.items()
        if key.startswith("value")
    )


@pytest.mark.parametrize("path", [f"ValueSet/$expand?url={MAMMALS}", "ValueSet/mammals/$expand"])
async def test_a_stored_value_set_is_expanded(clinic: Clinic, path: str) -> None:
    answer = await clinic.ask("GET", path, who="physician")
    assert codes(answer.json) == ["mammal", "dog", "cat", "cow", "bat"]
    assert answer.json["expansion"]["timestamp"] == "2026-11-05T12:00:00.000Z"
    assert disclosed(answer.entry) == {"ValueSet/mammals", "CodeSystem/animals"}


async def test_value_sets_of_value_sets(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "ValueSet/pets/$expand", who="ada")
    assert codes(answer.json) == ["mammal", "dog", "cat", "bat"]
    assert disclosed(answer.entry) == {"ValueSet/pets", "ValueSet/mammals", "CodeSystem/animals"}


@on_sqlite
async def test_a_value_set_can_come_along(clinic: Clinic) -> None:
    body = parameters(valueSet=value_set(rule(codes="dog cat")), count__valueInteger=1, filter__valueString="c")
    answer = await clinic.ask("POST", "ValueSet/$expand", body, who="physician")
    assert codes(answer.json) == ["cat"]


@on_sqlite
async def test_what_r4_binds_is_loaded(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", f"ValueSet/$expand?url={GENDER}", who="physician")
    assert codes(answer.json) == ["female", "male", "other", "unknown"]
    assert answer.entry is not None
    assert (answer.entry.what, answer.entry.policies) == ((), ("care.search",))
    check = f"ValueSet/$validate-code?url={GENDER}&system=http://hl7.org/fhir/administrative-gender&code="
    assert [told((await clinic.ask("GET", check + code)).json, "result") for code in ("male", "robot")] == [True, False]


@on_sqlite
async def test_pages(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "ValueSet/mammals/$expand?offset=1&count=2&activeOnly=true")
    assert codes(answer.json) == ["dog", "cat"]
    assert answer.json["expansion"]["total"] == 5


@pytest.mark.parametrize(
    ("path", "status", "code", "says"),
    [
        ("ValueSet/$expand?url=https://example.org/nothing", 404, "not-supported", "no value set"),
        (f"ValueSet/$expand?url={MAMMALS}&valueSetVersion=2", 404, "not-supported", "no value set"),
        (f"ValueSet/$expand?url={MAMMALS}{quote('|')}2", 404, "not-supported", "no value set"),
        ("ValueSet/broken/$expand", 422, "not-supported", "no code system"),
        ("ValueSet/nothing/$expand", 404, "not-found", "ValueSet/nothing"),
        ("CodeSystem/$lookup?system=http://snomed.info/sct&code=1", 404, "not-supported", "no code system"),
        (f"CodeSystem/$lookup?system={ANIMALS}&code=unicorn", 404, "not-found", "no such code"),
        ("CodeSystem/$validate-code?url=http://loinc.org&code=1", 404, "not-supported", "no code system"),
        ("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/mimetypes", 404, "not-supported", "no value set"),
    ],
)
@on_sqlite
async def test_what_is_not_loaded_is_said(clinic: Clinic, path: str, status: int, code: str, says: str) -> None:
    answer = await clinic.ask("GET", path, who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (status, code)
    assert says in answer.said
    assert answer.entry is not None
    assert answer.entry.outcome == "failed"


@on_sqlite
@pytest.mark.parametrize(
    "path",
    [
        "ValueSet/$expand",
        f"ValueSet/mammals/$expand?url={MAMMALS}",
        "ValueSet/mammals/$expand?count=x",
        "ValueSet/mammals/$expand?displayLanguage=de",
        "ValueSet/mammals/$expand?activeOnly=maybe",
        "ValueSet/$expand?valueSet=x",
        f"ValueSet/$validate-code?url={MAMMALS}",
        f"ValueSet/$validate-code?url={MAMMALS}&code=dog",
        "CodeSystem/$lookup?code=dog",
        "CodeSystem/$validate-code?code=dog",
    ],
)
async def test_bad_arguments_are_refused(clinic: Clinic, path: str) -> None:
    assert (await clinic.ask("GET", path, who="physician")).status == 400


@on_sqlite
async def test_an_invalid_value_set_is_refused(clinic: Clinic) -> None:
    broken = parameters(valueSet={"resourceType": "ValueSet", "compose": {"include": [{"filter": [{}]}]}})
    assert (await clinic.ask("POST", "ValueSet/$expand", broken)).status == 422


async def test_a_code_is_looked_up(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", f"CodeSystem/$lookup?system={ANIMALS}&code=bat", who="physician")
    assert validate(answer.json) == ()
    assert (told(answer.json, "name"), told(answer.json, "display")) == ("Animals", "Bat")
    assert disclosed(answer.entry) == {"CodeSystem/animals"}
    by_coding = await clinic.ask("POST", "CodeSystem/$lookup", parameters(coding__valueCoding=BAT), who="physician")
    assert by_coding.json == answer.json
    narrow = await clinic.ask("GET", f"CodeSystem/$lookup?system={ANIMALS}&code=dog&property=diet")
    assert [each["name"] for each in narrow.json["parameter"]].count("property") == 1


@on_sqlite
@pytest.mark.parametrize(
    ("path", "body", "result"),
    [
        ("ValueSet/mammals/$validate-code", parameters(coding__valueCoding=BAT), True),
        ("ValueSet/mammals/$validate-code", parameters(coding__valueCoding={**BAT, "display": "Bird"}), False),
        (
            "ValueSet/pets/$validate-code",
            parameters(codeableConcept__valueCodeableConcept={"coding": [{"system": ANIMALS, "code": "cow"}, BAT]}),
            True,
        ),
        ("ValueSet/mammals/$validate-code", parameters(coding__valueCoding={"system": ANIMALS, "code": "hen"}), False),
        ("CodeSystem/animals/$validate-code", parameters(code__valueCode="bat"), True),
        ("CodeSystem/$validate-code", parameters(url__valueUri=ANIMALS, coding__valueCoding=BAT), True),
        ("CodeSystem/$validate-code", parameters(url__valueUri=ANIMALS, code__valueCode="unicorn"), False),
    ],
)
async def test_codes_are_checked(clinic: Clinic, path: str, body: Json, result: bool) -> None:
    answer = await clinic.ask("POST", path, body, who="physician")
    assert answer.status == 200
    assert told(answer.json, "result") is result
    assert answer.entry is not None
    assert answer.entry.outcome == "permitted"


@on_sqlite
async def test_an_active_one_is_taken_and_of_these_the_newest(clinic: Clinic) -> None:
    for id_, status, code in (("one", "active", "dog"), ("two", "active", "cat"), ("three", "retired", "cow")):
        definition = value_set(rule(codes=code), url="https://example.org/again")
        await clinic.put({**definition, "id": id_, "status": status})
    answer = await clinic.ask("GET", "ValueSet/$expand?url=https://example.org/again")
    assert codes(answer.json) == ["cat"]


@on_sqlite
async def test_who_may_not_ask_is_denied(clinic: Clinic) -> None:
    for who in ("auditor", "administrator", "app"):
        answer = await clinic.ask("GET", f"ValueSet/$expand?url={MAMMALS}", who=who)
        assert (answer.status, answer.entry.outcome if answer.entry else "") == (403, "denied")


async def test_what_a_search_asks(clinic: Clinic) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    headers = {b"authorization": f"Bearer {clinic.tokens['physician']}".encode()}
    passage = Passage(clinic.system.services, Request("GET", ("fhir",), "", headers, "127.0.0.1", receive))
    await passage.authenticate(Action.SEARCH)
    terminology = Terminology(passage)
    assert await terminology.codes_in(MAMMALS) == animals("mammal", "dog", "cat", "cow", "bat")
    assert await terminology.codes_in(f"{MAMMALS}|2") is None
    assert await terminology.codes_in("https://example.org/broken") is None
    assert await terminology.codes_below(ANIMALS, "bird") == animals("bird", "hen", "dodo")
    assert await terminology.codes_above(ANIMALS, "hen") == animals("hen", "bird", "animal", "flier")
    assert await terminology.codes_below(ANIMALS, "unicorn") is None
    assert await terminology.codes_above("http://snomed.info/sct", "1") is None


def animals(*codes: str) -> frozenset[tuple[str, str]]:
    """Codings of the stored code system."""
    return frozenset((ANIMALS, code) for code in codes)

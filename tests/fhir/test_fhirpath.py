"""FHIRPath: what an expression says of a resource, what is refused, and that no expression runs for long."""

from collections.abc import Iterator

import fhirpathpy
import pytest
from fhirpathpy.engine.nodes import TypeInfo
from fhirpathpy.models import models

from carekeep.fhir.fhirpath import Undecided, Unsupported, Work, compile_predicate, resource_node

PATIENT = {
    "resourceType": "Patient",
    "contained": [{"resourceType": "Organization", "id": "o", "name": "A clinic"}],
    "extension": [{"url": "urn:a", "valueString": "x"}],
    "active": True,
    "name": [
        {"use": "official", "family": "Moreau", "given": ["Ada", "B."]},
        {"use": "nickname", "given": ["Addy"]},
    ],
    "birthDate": "1970-02-28",
    "_birthDate": {"extension": [{"url": "urn:t", "valueDateTime": "1970-02-28T10:00:00Z"}]},
    "deceasedDateTime": "2026-01-01T10:30:00+01:00",
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "#o"},
    "generalPractitioner": [{"reference": "Practitioner/d"}],
}


@pytest.fixture(autouse=True)
def oracle_left_as_found() -> Iterator[None]:
    """The library remembers the model of its last evaluation for the whole process: other tests shall not see it."""
    yield
    TypeInfo.model = None


def ask(expression: str, work: int = 10_000) -> bool | None:
    node = resource_node(PATIENT)
    return compile_predicate(expression).answer(node, node, node, Work(work))


# fhirpathpy must say the same, but for OURS_ALONE.
CASES: list[tuple[str, bool | None]] = [
    ("active", True),
    ("active.not()", False),
    ("Patient.name.exists()", True),
    ("photo.exists()", False),
    ("photo", None),
    ("name.given.count() = 3", True),
    ("name.where(use = 'official').family = 'Moreau'", True),
    ("name.all(given.exists())", True),
    ("name.all(family.exists())", False),
    ("name.select(given).count() = 3", True),
    ("name.given.first() = 'Ada' and name.given.last() = 'Addy'", True),
    ("name[1].use = 'nickname'", True),
    ("name[7].exists()", False),
    ("name.tail().use = 'nickname'", True),
    ("name.use.isDistinct()", True),
    ("name.given.combine(name.family).count() = 4", True),
    ("('a' | 'b' | 'a').count() = 2", True),
    ("name.given.intersect('Ada' | 'z').count() = 1", True),
    ("'Ada' in name.given", True),
    ("name.given contains 'z'", False),
    ("name.given.distinct().count() = 3", True),
    ("deceased.exists() and deceased is dateTime", True),
    ("deceased.ofType(boolean).exists()", False),
    ("(multipleBirth as integer) > 1", True),
    ("multipleBirth is Quantity", False),
    ("Patient.is(Patient)", True),
    ("photo.exists() or active", True),
    ("photo and active", None),
    ("(photo and active).empty()", True),
    ("active xor active", False),
    ("photo.exists() implies (1 = 2)", True),
    ("active implies photo.exists()", False),
    ("photo implies photo.exists()", None),
    ("photo implies active", True),
    ("1 + 2 = 3 and 5 - 2 >= 3", True),
    ("'a' & 'b' = 'ab' and 'a' + 'b' = 'ab'", True),
    ("birthDate.toString().length() = 10", True),
    ("birthDate < deceased", True),
    ("name.family.startsWith('Mor') and name.family.endsWith('au')", True),
    ("name.family.contains('rea')", True),
    ("name.family.matches('^[A-Z][a-z]+$')", True),
    ("name.family.substring(1, 2) = 'or'", True),
    ("name.family.substring(20).exists()", False),
    ("'12'.toInteger() = 12", True),
    ("'x'.toInteger().empty()", True),
    ("extension('urn:a').value = 'x'", True),
    ("birthDate.extension('urn:t').exists()", True),
    ("iif(active, 1, 2) = 1", True),
    ("iif(photo.exists(), 1).empty()", True),
    ("name.given.allTrue()", False),
    ("%resource.active and %context.active", True),
    ("%ucum = 'http://unitsofmeasure.org'", True),
    ("descendants().where($this = 'Addy').exists()", True),
    ("children().count() > 5", True),
    ("name.where($index = 1).use = 'nickname'", True),
    ("managingOrganization.resolve().name = 'A clinic'", True),
    ("generalPractitioner.resolve().empty()", True),
    ("`active`", True),
    ("'it\\'s' = 'it\\u0027s'", True),
    ("name.given.trace('x').count() = 3", True),
]
# It resolves nothing, compares no times with dates, and reads extensions of primitives and descendants differently.
OURS_ALONE = (
    "resolve",
    "extension('urn:t')",
    "$index",
    "descendants",
    "children",
    "%ucum",
    "allTrue",
    "birthDate <",
    "birthDate.toString",
    "toInteger().empty",
    "u0027",
)


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_an_expression_says(expression: str, expected: bool | None) -> None:
    assert ask(expression) is expected
    if not any(part in expression for part in OURS_ALONE):
        answer = fhirpathpy.evaluate(PATIENT, expression, {"context": PATIENT, "resource": PATIENT}, models["r4"])
        assert answer == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("2020", "2020-02", None),
        ("2020", "2021-02", True),
        ("2020-03", "2020-02-01T10:00:00Z", False),
        ("2020-02-01", "2020-02-01T10:00:00Z", None),
        ("2020-02-01T10:30:00+01:00", "2020-02-01T10:00:00Z", True),
        ("2020-02-01T10:00:00.5Z", "2020-02-01T10:00:00Z", False),
        ("2020-02-01", "2020-02-01", False),
    ],
)
def test_dates_are_compared_as_far_as_both_say(left: str, right: str, expected: bool | None) -> None:
    period = {"resourceType": "Basic", "meta": {}, "extension": [{"valuePeriod": {"start": left, "end": right}}]}
    node = resource_node(period)
    predicate = compile_predicate("extension.value.start < extension.value.end")
    assert predicate.answer(node, node, node, Work(1000)) is expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "name.",
        "name.where(",
        "name)",
        "name[0",
        "a # b",
        "memberOf('x')",
        "code.memberOf('http://example.org')",
        "@2020-01-01 < birthDate",
        "4 'mg' = 5",
        "a ~ b",
        "a * b",
        "%unknown",
        "exists(1, 2)",
        "conformsTo('x')",
        "name.matches(family)",
        "name.matches('(')",
        "(" * 60 + "a" + ")" * 60,
        "a" * 5000,
    ],
)
def test_what_is_left_out_is_refused(expression: str) -> None:
    with pytest.raises(Unsupported):
        compile_predicate(expression)


@pytest.mark.parametrize(
    "expression",
    ["name.given = 'x' and name", "birthDate > 5", "name.family > name.given", "name.use.substring(0) = 'x'"],
)
def test_what_cannot_be_decided_is_said(expression: str) -> None:
    with pytest.raises(Undecided):
        ask(expression)


def test_work_is_bounded() -> None:
    expression = "descendants().all(%resource.descendants().all(%resource.descendants().exists()))"
    with pytest.raises(Undecided):
        ask(expression, work=5000)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a*)*b", "(a|a+)*", "(a{1,9}){2,}", "a*a*a*b", "(?=a)b", r"(a)\1", "(?P<x>a)", "a{1,100000}", "((a+))+"],
)
def test_a_pattern_that_could_run_for_long_is_refused(pattern: str) -> None:
    with pytest.raises(Unsupported):
        compile_predicate(f"name.family.matches('{pattern}')".replace("\\", "\\\\"))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Mor", True),
        ("^(Mor|Mur)eau$", True),
        ("^[A-Z]([a-z]){0,9}$", True),
        ("[(*+]", False),
        (r"^\w+$", True),
        ("^(?:M|N)", True),
        ("[^]a]", True),
    ],
)
def test_other_patterns_are_tried(pattern: str, expected: bool) -> None:
    assert ask(f"name.family.matches('{pattern}')".replace("\\", "\\\\")) is expected


def test_a_pattern_is_not_tried_on_a_long_value() -> None:
    node = resource_node({"resourceType": "Patient", "language": "a" * 3000})
    with pytest.raises(Undecided):
        compile_predicate("language.matches('a*b')").answer(node, node, node, Work(10))

"""Policy files are read one policy at a time, and refused with file, line and reason."""

import re

import pytest

from carekeep.access import PolicyFile, PolicyRefused
from carekeep.access.policy_text import Policy, bundled_policies, bundled_schema, read_policies, read_schema
from carekeep.fhir import RESOURCE_TYPES

SCHEMA = read_schema(bundled_schema())
GOOD = """// A comment with a ; and a "quote
@id("good")
@title("A title; with a semicolon // and slashes")
@reason("A \\"quoted\\" reason.")
@law("none")
permit (principal is Patient, action, resource); // done; "really

"""


def read(*texts: str) -> tuple[Policy, ...]:
    return read_policies([PolicyFile(f"{n}.cedar", text) for n, text in enumerate(texts)], SCHEMA)


def policy(body: str, id_: str = "other") -> str:
    return f'@id("{id_}") @title("t") @reason("r") @law("l")\n{body}'


def test_a_policy_is_found_with_its_annotations_and_line() -> None:
    (good,) = read(GOOD)
    assert (good.id, good.file, good.line, good.permits) == ("good", "0.cedar", 2, True)
    assert good.title == "A title; with a semicolon // and slashes"
    assert good.reason == 'A "quoted" reason.'


def test_policies_keep_the_order_of_files_and_lines() -> None:
    more = (
        policy("permit (principal, action, resource);", "a")
        + "\n\n"
        + policy("forbid (principal, action, resource);", "b")
    )
    assert [(p.id, p.file, p.line, p.permits) for p in read(GOOD, more)] == [
        ("good", "0.cedar", 2, True),
        ("a", "1.cedar", 1, True),
        ("b", "1.cedar", 4, False),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0.cedar: holds no policy"),
        ("// nothing but a comment", "0.cedar: holds no policy"),
        (GOOD + "permit (principal, action, resource)", "0.cedar, line 8: unexpected end of input"),
        (GOOD + "permit (principal, action);", "0.cedar, line 8: "),
        (GOOD + "\n;", "0.cedar, line 9: "),
        (GOOD + '@id("unclosed)\npermit (principal, action, resource);', "0.cedar, line 8: "),
        (
            GOOD + "permit (principal, action, resource);",
            "0.cedar, line 8: the policy says no @id, @title, @reason, @law",
        ),
        (GOOD + '@id("x") @title("t") @reason("  ") @law("l")\npermit (principal, action, resource);', "no @reason"),
        (GOOD + policy("permit (principal, action, resource);", "No Spaces"), "0.cedar, line 8: @id is made of"),
        (GOOD + GOOD, "0.cedar, line 9: 0.cedar, line 2, has the id good"),
        (GOOD + policy("permit (principal == ?principal, action, resource);"), "0.cedar, line 8: a template permits"),
        (GOOD + policy("permit (principal is Nurse, action, resource);"), "0.cedar, line 8: other: .*`Nurse`"),
        (GOOD + policy('permit (principal, action == Action::"fhir:record:peek", resource);'), "fhir:record:peek"),
        (GOOD + policy("permit (principal, action, resource) when { context.colour };"), "line 8: .*`colour`"),
        (
            GOOD + policy('permit (principal, action, resource) when { context.purpose == Purpose::"FUN" };'),
            "line 8: .*FUN",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(PolicyRefused, match=message):
        read(text)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PolicyRefused) as refused:
        read("permit (;", GOOD, policy("permit (principal is Nurse, action, resource);"))
    assert [line.split(":")[0] for line in str(refused.value).split("\n")] == ["0.cedar, line 1", "2.cedar, line 1"]


def test_a_file_without_end_is_not_read() -> None:
    with pytest.raises(PolicyRefused, match="longer than 1000000 characters"):
        read(" " * 1_000_001)


def test_the_bundled_policies_name_only_types_of_fhir() -> None:
    spine = bundled_policies()[0]
    lists = re.findall(r"\[([^\[\]]*)\]\.contains\(resource\.type\)", spine.text)
    named = {word for found in lists for word in re.findall(r'"(\w+)"', found)}
    named |= set(re.findall(r'resource\.type [!=]= "(\w+)"', spine.text))
    assert {"Practitioner", "Medication", "CareTeam", "Patient", "Group"} <= named
    assert named <= RESOURCE_TYPES


def test_each_bundled_policy_has_a_sentence_for_people() -> None:
    for found in read_policies(bundled_policies(), SCHEMA):
        assert found.reason.endswith(".")
        assert found.reason.startswith("Denied: ") is not found.permits

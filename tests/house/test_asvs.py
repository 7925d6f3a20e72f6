"""``docs/asvs.toml`` says what holds of OWASP ASVS 5.0.0: every requirement once, and by tests that are there."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts import asvs_page
from scripts.asvs_page import Requirement, Status
from tests.house.tree import ROOT

# The levels of a section's requirements, in their order: "21" is one of level 2, then one of level 1.
SECTIONS = {
    "1.1": "22",
    "1.2": "1111122223",
    "1.3": "112222222223",
    "1.4": "222",
    "1.5": "123",
    "2.1": "122",
    "2.2": "112",
    "2.3": "12223",
    "2.4": "23",
    "3.1": "3",
    "3.2": "113",
    "3.3": "12223",
    "3.4": "11222233",
    "3.5": "11122333",
    "3.6": "3",
    "3.7": "22333",
    "4.1": "12233",
    "4.2": "23333",
    "4.3": "22",
    "4.4": "1222",
    "5.1": "2",
    "5.2": "112333",
    "5.3": "113",
    "5.4": "222",
    "6.1": "122",
    "6.2": "111111112222",
    "6.3": "11223333",
    "6.4": "112233",
    "6.5": "22222333",
    "6.6": "2223",
    "6.7": "33",
    "6.8": "2222",
    "7.1": "222",
    "7.2": "1111",
    "7.3": "22",
    "7.4": "11222",
    "7.5": "223",
    "7.6": "22",
    "8.1": "1233",
    "8.2": "1123",
    "8.3": "133",
    "8.4": "23",
    "9.1": "111",
    "9.2": "1222",
    "10.1": "22",
    "10.2": "223",
    "10.3": "22223",
    "10.4": "1111122222233333",
    "10.5": "22222",
    "10.6": "22",
    "10.7": "222",
    "11.1": "2233",
    "11.2": "22233",
    "11.3": "11233",
    "11.4": "1222",
    "11.5": "23",
    "11.6": "23",
    "11.7": "33",
    "12.1": "12233",
    "12.2": "11",
    "12.3": "22223",
    "13.1": "2333",
    "13.2": "222223",
    "13.3": "2233",
    "13.4": "1222233",
    "14.1": "22",
    "14.2": "12223333",
    "14.3": "122",
    "15.1": "12233",
    "15.2": "12233",
    "15.3": "1222222",
    "15.4": "3333",
    "16.1": "2",
    "16.2": "22222",
    "16.3": "2222",
    "16.4": "222",
    "16.5": "2223",
    "17.1": "23",
    "17.2": "22223333",
    "17.3": "22",
}
REASONED = frozenset({Status.PARTLY, Status.LATER, Status.NOT_APPLICABLE, Status.NOT_CLAIMED})
REQUIREMENTS = asvs_page.read()


@cache
def ids_in(file: Path) -> frozenset[str]:
    """The tests of a file as node ids name them, without running it."""
    return frozenset(_names(file))


def _names(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from (
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test_")
            )


def is_there(node_id: str) -> bool:
    name, _, test = node_id.partition("::")
    file = ROOT / name
    return file.is_file() and file.is_relative_to(ROOT / "tests") and test in ids_in(file)


def faults(requirement: Requirement) -> list[str]:
    """What is wrong with the entry of one requirement."""
    found = [f"{test} does not exist" for test in requirement.tests if not is_there(test)]
    if len(set(requirement.tests)) < len(requirement.tests):
        found.append("a test stands twice")
    if not requirement.topic:
        found.append("it says nothing of what it is about")
    if requirement.status is Status.SHOWN and not requirement.tests:
        found.append("no test shows it")
    if requirement.status in REASONED and not requirement.why:
        found.append("the reason is missing")
    if (requirement.status is Status.LATER) != bool(requirement.builds):
        found.append("what builds it belongs to what is later, and only there")
    return found


def test_every_requirement_is_there_once_with_its_level() -> None:
    levels = {each.id: each.level for each in REQUIREMENTS}
    assert levels == {
        f"{section}.{number}": int(level)
        for section, each in SECTIONS.items()
        for number, level in enumerate(each, start=1)
    }
    assert len(levels) == len(REQUIREMENTS)


def test_the_standard_is_told_whole() -> None:
    """The standard's own sums."""
    assert Counter("".join(SECTIONS.values())) == {"1": 70, "2": 183, "3": 92}


@pytest.mark.parametrize("chapter", sorted({each.chapter for each in REQUIREMENTS}))
def test_what_is_said_is_shown_or_reasoned(chapter: int) -> None:
    found = {each.id: faults(each) for each in REQUIREMENTS if each.chapter == chapter}
    assert not {id_: wrong for id_, wrong in found.items() if wrong}


THIS = "tests/house/test_asvs.py::test_the_standard_is_told_whole"


@pytest.mark.parametrize(
    ("status", "tests", "why", "builds", "fault"),
    [
        (Status.SHOWN, (), "", "", "no test shows it"),
        (Status.SHOWN, (THIS, THIS), "", "", "a test stands twice"),
        (Status.SHOWN, (f"{THIS}_twice",), "", "", f"{THIS}_twice does not exist"),
        (
            Status.SHOWN,
            ("tests/house/test_none.py::test_x",),
            "",
            "",
            "tests/house/test_none.py::test_x does not exist",
        ),
        (Status.PARTLY, (THIS,), "", "", "the reason is missing"),
        (Status.NOT_APPLICABLE, (), "", "", "the reason is missing"),
        (Status.LATER, (), "soon", "", "what builds it belongs to what is later, and only there"),
    ],
)
def test_faults_are_found(status: Status, tests: tuple[str, ...], why: str, builds: str, fault: str) -> None:
    assert faults(Requirement("1.1.1", 2, "x", status, tests, why, builds)) == [fault]
    assert not faults(Requirement("1.1.1", 2, "x", Status.SHOWN, (THIS,), "", ""))

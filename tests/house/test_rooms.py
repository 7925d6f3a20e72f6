"""The rooms keep their shape: each says what it is for, has its tests, and stays small enough to read."""

import ast

import pytest

from tests.house import ratchets
from tests.house.tree import PACKAGE, ROOT, functions, name_of, python_files, room_names

LONGEST_FILE = 400
LONGEST_TEST_FILE = 600
LONGEST_FUNCTION = 60
SHORTEST_DOCSTRING_LINES = 2

# Names that say nothing of what is inside, so that everything ends up there.
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc", "base"})

# Beside the rooms' own folders, tests/ has these.
OTHER_TESTS = frozenset({"benchmarks", "browser", "clients", "house", "plugins", "promises"})


@pytest.mark.parametrize("room", room_names())
def test_room_says_what_it_is_for_and_what_it_offers(room: str) -> None:
    face = PACKAGE / room / "__init__.py"
    assert face.is_file(), f"{name_of(face)} is missing"
    tree = ast.parse(face.read_text("utf-8"))
    docstring = ast.get_docstring(tree) or ""
    lines = [line for line in docstring.splitlines() if line.strip()]
    assert len(lines) >= SHORTEST_DOCSTRING_LINES, f"{name_of(face)} must tell the room's purpose and invariants"
    targets = {ast.unparse(t) for node in tree.body if isinstance(node, ast.Assign) for t in node.targets}
    assert "__all__" in targets, f"{name_of(face)} must name its public face in __all__"


@pytest.mark.parametrize("room", room_names())
def test_room_has_its_tests(room: str) -> None:
    assert list((ROOT / "tests" / room).glob("**/test_*.py")), f"tests/{room}/ has no test"


def test_tests_mirror_the_rooms() -> None:
    folders = {file.relative_to(ROOT / "tests").parts[0] for file in (ROOT / "tests").glob("*/**/*.py")}
    assert folders <= OTHER_TESTS | set(room_names())


def test_names_say_what_is_inside() -> None:
    files = python_files()
    assert not [name_of(file) for file in files if EMPTY_NAMES & {file.stem, *file.relative_to(ROOT).parts}]


def test_files_are_short_enough_to_read() -> None:
    long_files = {
        name: lines
        for file in python_files()
        if (lines := len(file.read_text("utf-8").splitlines()))
        > (LONGEST_TEST_FILE if (name := name_of(file)).startswith("tests/") else LONGEST_FILE)
    }
    assert long_files == ratchets.LONG_FILES


def test_functions_fit_on_a_screen() -> None:
    long_functions = {
        f"{name_of(file)}:{function.name}": lines
        for file in python_files()
        for function in functions(file)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert long_functions == ratchets.LONG_FUNCTIONS

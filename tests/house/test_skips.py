"""No test is skipped, or allowed to fail, unless the list says so and why."""

import ast
from collections import Counter

from tests.house import ratchets
from tests.house.tree import name_of, python_files

WAYS_OUT = frozenset({"skip", "skipif", "skipIf", "skipUnless", "SkipTest", "importorskip", "xfail", "expectedFailure"})


def test_every_skip_is_listed() -> None:
    found: Counter[str] = Counter()
    for file in python_files("tests/", "conftest.py"):
        nodes = ast.walk(ast.parse(file.read_text("utf-8")))
        found[name_of(file)] += sum(isinstance(node, ast.Attribute) and node.attr in WAYS_OUT for node in nodes)
    assert +found == Counter(ratchets.SKIPS)

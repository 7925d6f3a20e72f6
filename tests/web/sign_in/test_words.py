"""The pages have words for whatever happens to an account."""

import ast
import string
from functools import cache

import pytest

from carekeep.identity.notices import Notice
from carekeep.web.sign_in.words import _NOTICES, moment, notice_in_words, way
from tests.house.tree import name_of, python_files


@cache
def written() -> dict[str, set[str]]:
    """Every kind of notice that the product writes, and the facts that go with it, read from its code."""
    found: dict[str, set[str]] = {}
    for file in python_files("src/carekeep/"):
        tree = ast.parse(file.read_text("utf-8"))
        named = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            place = {"prepare_add": 1, "change": 2}.get(name)
            if place is None or len(call.args) <= place + 1 or (name == "change" and "sign_in" not in name_of(file)):
                continue
            kind, facts = call.args[place], call.args[place + 1]
            kind = named.get(kind.id, kind) if isinstance(kind, ast.Name) else kind
            if isinstance(kind, ast.Constant):
                keys = facts.keys if isinstance(facts, ast.Dict) else []
                found.setdefault(str(kind.value), set()).update(k.value for k in keys if isinstance(k, ast.Constant))  # type: ignore[misc]
    return found


def test_there_is_a_sentence_for_every_kind_of_notice_and_no_other() -> None:
    kinds = {kind for kind in written() if "." in kind}
    assert len(kinds) > 10
    assert kinds == set(_NOTICES)


@pytest.mark.parametrize("kind", sorted(_NOTICES))
def test_a_sentence_says_what_is_known(kind: str) -> None:
    asked = {name for _, name, _, _ in string.Formatter().parse(_NOTICES[kind]) if name}
    facts = written()[kind]
    if facts:  # else they are put together elsewhere
        assert asked <= facts
    notice = Notice(1, kind, 0, {name: f"the {name}" for name in asked})
    assert "(not known)" not in notice_in_words(notice)
    assert "(not known)" in notice_in_words(Notice(1, kind, 0, {})) or not asked


def test_what_stands_in_a_fact_is_no_sentence_of_its_own() -> None:
    assert "{by.__class__}" in notice_in_words(Notice(1, "passkey.added", 0, {"name": "{by.__class__}"}))


def test_times_and_ways() -> None:
    assert moment(1_793_880_000_000) == "5 November 2026, 12:00 UTC"
    assert way(("pwd",)) == "with a password alone"
    assert way(("pwd", "otp", "mfa")) == "with password and code"
    assert way(("hwk", "user", "mfa")) == "with a passkey of one device"
    assert way(("fed", "mfa")) == "at the organization's directory"

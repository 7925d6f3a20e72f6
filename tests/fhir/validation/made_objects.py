"""Objects of any shape, made at random around the elements that an expression speaks of."""

import re
from typing import Any

from hypothesis import strategies as st

from carekeep.fhir.validation.shapes import Member, Shape, shape_of

Json = dict[str, Any]
_WORDS = re.compile(r"'((?:[^'\\]|\\.)*)'")
_NAMES = re.compile(r"[A-Za-z]+")
_POOLS: dict[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "integer": (0, 1, 2, 101),
    "unsignedInt": (0, 1, 2),
    "positiveInt": (1, 2, 3),
    "decimal": (-1, 0, 1, 1.5, 100, 101),
    # Of one precision and zone: implementations differ there, and tests/fhir/test_fhirpath.py says what ours does.
    "date": ("2020-02-01", "2021-03-01"),
    "dateTime": ("2020-02-01T10:00:00Z", "2020-02-01T11:00:00Z"),
    "instant": ("2020-02-01T10:00:00Z", "2020-02-01T11:00:00Z"),
    "time": ("10:00:00",),
    "base64Binary": ("YQ==",),
    "xhtml": ('<div xmlns="http://www.w3.org/1999/xhtml">a</div>',),
}


def objects(shape: str, expression: str, depth: int = 4) -> st.SearchStrategy[Json]:
    """Objects of a shape; strings are often those that the expression compares with."""
    return _objects(shape_of(shape), _Hints(expression), depth)


class _Hints:
    def __init__(self, expression: str) -> None:
        self.names = frozenset(_NAMES.findall(expression))
        self.words = tuple(w for w in _WORDS.findall(expression) if w) or ("x",)
        # Whatever has descendants has them by any name.
        self.anywhere = bool(self.names & {"children", "descendants"})


@st.composite
def _objects(draw: st.DrawFn, shape: Shape, hints: _Hints, depth: int) -> Json:
    made: Json = {}
    if "resourceType" in shape.members:
        made["resourceType"] = shape.name
    chosen: set[str] = set()
    for name, member in shape.members.items():
        needed = any(name == required.first for required in shape.required)  # rules are asked of complete objects
        if not _is_spoken_of(name, member, hints) or not (needed or draw(st.booleans())):
            continue
        element = member.alternative[0] if member.alternative else name
        if element in chosen or (member.shape and depth == 0):
            continue
        chosen.add(element)
        made[name] = draw(_value(member, hints, depth))
    return made


def _is_spoken_of(name: str, member: Member, hints: _Hints) -> bool:
    if name == "resourceType" or member.extends:
        return False
    element = member.alternative[0] if member.alternative else name
    if member.alternative and "Quantity" not in name and "decimal" not in name.lower() and "Range" not in name:
        return element in hints.names and name.endswith(("String", "Boolean", "CodeableConcept", "DateTime", "Age"))
    return element in hints.names or (hints.anywhere and name == "item")


def _value(member: Member, hints: _Hints, depth: int) -> st.SearchStrategy[Any]:
    one: st.SearchStrategy[Any]
    if not member.shape:
        one = st.sampled_from(_POOLS.get(member.kind, (*hints.words, "x", "Xy_1", "http://example.org/x", "3", "*")))
    elif member.shape == "Resource":
        one = st.sampled_from(("Composition", "Patient", "MessageHeader")).map(lambda name: {"resourceType": name})
    else:
        one = _objects(shape_of(member.shape), hints, depth - 1).map(lambda made: made or {"id": "x"})
    return st.lists(one, min_size=1, max_size=3) if member.many else one

"""Equality and order of FHIRPath's values."""

from datetime import datetime
from typing import Any

from carekeep.fhir.fhirpath.nodes import Node, Undecided, only

_TIMES = frozenset({"date", "dateTime", "instant"})


def equal(left: list[Node], right: list[Node]) -> bool | None:
    """FHIRPath ``=``; None for an empty answer."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    answers = [same(one, other) for one, other in zip(left, right, strict=True)]
    return False if False in answers else None if None in answers else True


def same(one: Node, other: Node) -> bool | None:
    """Whether two items are equal; None where times of different precision leave it open."""
    if one.kind in _TIMES and other.kind in _TIMES:
        order = _order_of_times(one.value, other.value)
        return None if order is None else order == 0
    if isinstance(one.value, bool) != isinstance(other.value, bool):
        return False
    return bool(one.value == other.value)


def compare(left: list[Node], right: list[Node]) -> int | None:
    """-1, 0 or 1; None for an empty answer. Raises Undecided for what has no order."""
    if not left or not right:
        return None
    one, other = only(left), only(right)
    if one.kind in _TIMES and other.kind in _TIMES:
        return _order_of_times(one.value, other.value)
    if _number(one.value) and _number(other.value):
        return _sign(one.value, other.value)
    if isinstance(one.value, str) and isinstance(other.value, str) and not {one.kind, other.kind} & _TIMES:
        return _sign(one.value, other.value)
    raise Undecided


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sign(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _order_of_times(one: str | None, other: str | None) -> int | None:
    if one is None or other is None:
        return None
    if "T" in one and "T" in other:
        return _sign(_moment(one), _moment(other))
    if len(one) == len(other):
        return _sign(one, other)
    shared = min(len(one.partition("T")[0]), len(other.partition("T")[0]))
    return _sign(one[:shared], other[:shared]) or None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(":60", ":59"))

"""The parameters that shape a result (FHIR R4 3.1.1.5), read and checked. They do not decide what matches."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, cast

from carekeep.fhir.search.sorting import Sort, parse_sort
from carekeep.fhir.search.values.text import BadValue

Summary = Literal["true", "text", "data", "count", "false"]
Total = Literal["none", "estimate", "accurate"]
DEFAULT_COUNT = 20
MAX_COUNT = 1000
_SUMMARIES = frozenset({"true", "text", "data", "count", "false"})
_TOTALS = frozenset({"none", "estimate", "accurate"})
_ELEMENT = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
_MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Control:
    """``count`` is how many matches a page holds (0: only the total is wanted). None: not asked for."""

    count: int = DEFAULT_COUNT
    sort: tuple[Sort, ...] = ()
    summary: Summary | None = None
    elements: tuple[str, ...] = ()
    total: Total | None = None
    format: str | None = None
    pretty: bool | None = None


def read_control(control: Control, name: str, text: str, type_: str) -> Control:
    """The control with one more parameter of CONTROLS. Raises BadValue."""
    return _READERS[name](control, text, type_)


def _count(control: Control, text: str, _type: str) -> Control:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise BadValue("write a number, 0 or more")
    return replace(control, count=min(int(text), MAX_COUNT))


def _sort(control: Control, text: str, type_: str) -> Control:
    return replace(control, sort=parse_sort(text, type_))


def _summary(control: Control, text: str, _type: str) -> Control:
    if text not in _SUMMARIES:
        raise BadValue("choose one of true, text, data, count, false")
    return replace(control, summary=cast("Summary", text))


def _elements(control: Control, text: str, _type: str) -> Control:
    names = tuple(dict.fromkeys(text.split(",")))
    if not all(_ELEMENT.fullmatch(name) for name in names):
        raise BadValue("write names of elements, with commas between them")
    return replace(control, elements=names)


def _total(control: Control, text: str, _type: str) -> Control:
    if text not in _TOTALS:
        raise BadValue("choose one of none, estimate, accurate")
    return replace(control, total=cast("Total", text))


def _format(control: Control, text: str, _type: str) -> Control:
    return replace(control, format=text)


def _pretty(control: Control, text: str, _type: str) -> Control:
    if text not in {"true", "false"}:
        raise BadValue("choose true or false")
    return replace(control, pretty=text == "true")


_READERS: Mapping[str, Callable[[Control, str, str], Control]] = MappingProxyType(
    {
        "_count": _count,
        "_sort": _sort,
        "_summary": _summary,
        "_elements": _elements,
        "_total": _total,
        "_format": _format,
        "_pretty": _pretty,
    }
)

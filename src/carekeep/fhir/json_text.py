"""FHIR's JSON as text: read with bounds and without loss, and written back.

Two things that JSON libraries lose silently are kept or refused here:

* FHIR decimals carry their precision: 1.10 is not 1.1 (R4, "decimal"). Numbers that a float would not write in the
  same way become a :class:`WrittenNumber`, which counts as a float and is written as it was read.
* A name that is given twice in an object is refused. Parsers differ in which one they keep, so one that checks and
  another that acts would see two different resources.

The standard library's scanner with its hooks does both in one pass. orjson is faster without them (4 against 11 µs
for a resource of 1.2 KB) but slower with the second look at the text that it then needs (15 µs).
"""

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn, Self

import orjson

from carekeep.fhir.outcome import Issue

# The integers that orjson writes, and the length of the longest of them.
_INTEGERS = range(-(2**63), 2**63)
_LONGEST_INTEGER = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """How much JSON is read: bytes of text, and objects and arrays inside each other."""

    size: int = 16 * 2**20
    depth: int = 32


class JsonRefused(Exception):
    """The text is not JSON that FHIR allows; ``issue`` says why. Code "too-long" stands for the limits of size."""

    def __init__(self, code: str, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.issue = Issue("fatal", code, "", diagnostics)


class WrittenNumber(float):
    """A number that remembers how it was written. ``repr`` and ``str`` give the text: ``Decimal(str(n))`` is exact."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """The number that ``text`` writes in JSON. Raises ValueError if it writes none."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.text,)


def parse_json(body: bytes, limits: JsonLimits = JsonLimits()) -> dict[str, Any]:
    """The JSON object in ``body``. Raises JsonRefused."""
    value = _parse(body, limits)
    if type(value) is not dict:
        raise JsonRefused("structure", "The body must be one JSON object, a FHIR resource")
    return value


def parse_json_list(body: bytes, limits: JsonLimits = JsonLimits()) -> list[Any]:
    """The JSON array in ``body``. Raises JsonRefused."""
    value = _parse(body, limits)
    if type(value) is not list:
        raise JsonRefused("structure", "The body must be one JSON array")
    return value


def _parse(body: bytes, limits: JsonLimits) -> Any:
    if len(body) > limits.size:
        raise JsonRefused("too-long", f"The body has {len(body):,} bytes; at most {limits.size:,} are accepted")
    try:
        value = _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise JsonRefused("structure", f"The body is not UTF-8: byte {error.start} is broken") from None
    except json.JSONDecodeError as error:
        raise JsonRefused(
            "structure", f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise _too_deep(limits) from None
    if body.count(b"{") + body.count(b"[") > limits.depth and nesting(value, limits.depth) > limits.depth:
        raise _too_deep(limits)
    if b"\\u" in body:
        _refuse_lone_surrogates(value)
    return value


def dump_json(resource: dict[str, Any]) -> bytes:
    """The resource as compact UTF-8 JSON, numbers as they were written. The inverse of ``parse_json``."""
    return orjson.dumps(resource, default=_written)


def nesting(value: Any, limit: int) -> int:
    """How many objects and arrays are inside each other, counted until just above ``limit``."""
    level, depth = [value], 0
    while level and depth <= limit:
        depth += 1
        inner = [c.values() if type(c) is dict else c for c in level if type(c) is dict or type(c) is list]
        level = [item for items in inner for item in items if type(item) is dict or type(item) is list]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        shown = f'"{twice}"' if _NAME.fullmatch(twice) else f"of {len(twice)} characters"
        raise JsonRefused("structure", f"An object of the body has the name {shown} twice")
    return found


def _real(text: str) -> float:
    number = float(text)
    if repr(number) == text:
        return number
    if not isfinite(number):
        raise JsonRefused("value", "The body has a number that is too large")
    return WrittenNumber(text)


def _integer(text: str) -> int | float:
    if len(text) <= _LONGEST_INTEGER and text != "-0" and (number := int(text)) in _INTEGERS:
        return number
    return _real(text)


def _constant(_: str) -> NoReturn:
    raise JsonRefused("structure", "The body is not JSON: NaN and Infinity are no numbers there")


def _written(value: object) -> orjson.Fragment:
    if isinstance(value, WrittenNumber):
        return orjson.Fragment(value.text)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        orjson.dumps(value, default=_written)
    except TypeError:
        raise JsonRefused("structure", "The body has half of a surrogate pair: that is no character") from None


def _too_deep(limits: JsonLimits) -> JsonRefused:
    return JsonRefused("structure", f"The body is nested too deeply; at most {limits.depth} levels are accepted")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_real, parse_int=_integer, parse_constant=_constant)

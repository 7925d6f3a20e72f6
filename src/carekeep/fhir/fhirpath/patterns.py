"""Regular expressions of rules, as far as they cannot be made to run for long.

Python's engine backtracks, and whoever may store a profile writes the pattern. So no repetition stands inside of
another, and at most two have no upper bound; values are short enough for what remains.
"""

import re
from dataclasses import dataclass

from carekeep.fhir.fhirpath.grammar import Unsupported
from carekeep.fhir.fhirpath.nodes import Undecided

_MAX_PATTERN = 500
_MAX_VALUE = 2000
_MAX_UNBOUNDED = 2
_LARGEST_REPEAT = 1000
_REPEAT = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}")


@dataclass(frozen=True, slots=True)
class SafePattern:
    """A pattern and the values that it is tried on."""

    _pattern: re.Pattern[str]

    def search(self, value: str) -> bool:
        """Whether it is found in a value. Raises Undecided for long ones."""
        if len(value) > _MAX_VALUE:
            raise Undecided
        return self._pattern.search(value) is not None

    def replace(self, value: str, replacement: str) -> str:
        """The value with every match replaced. Raises Undecided for long ones."""
        if len(value) > _MAX_VALUE:
            raise Undecided
        return self._pattern.sub(lambda _: replacement, value)


def safe_pattern(text: str) -> SafePattern:
    """The pattern. Raises Unsupported when it is no pattern, or could run for long."""
    if len(text) > _MAX_PATTERN:
        raise Unsupported("a pattern is too long")
    if _is_risky(text):
        raise Unsupported("a pattern repeats what repeats, or looks around or back")
    try:
        return SafePattern(re.compile(text, re.ASCII | re.DOTALL))
    except (re.error, OverflowError):
        raise Unsupported("a pattern is not a regular expression") from None


def _is_risky(text: str) -> bool:
    unbounded, at = 0, 0
    repeats_inside = [False]  # for each open group
    closed = False  # whether the last thing was a group in which something repeats
    while at < len(text):
        character = text[at]
        if character == "\\":
            if text[at + 1 : at + 2].isdigit():
                return True  # refers back
            at, closed = at + 2, False
            continue
        if character == "[":
            at, closed = _end_of_class(text, at), False
            continue
        repeat = _REPEAT.match(text, at)
        if character == "(":
            if text[at + 1 : at + 2] == "?" and text[at + 1 : at + 3] != "?:":
                return True
            repeats_inside.append(False)
            at += 3 if text[at + 1 : at + 3] == "?:" else 1
            closed = False
            continue
        if character == ")":
            closed = repeats_inside.pop() if len(repeats_inside) > 1 else False
            repeats_inside[-1] = repeats_inside[-1] or closed
        elif repeat is not None:
            endless = repeat[0] in {"*", "+"} or bool(repeat[2] and not repeat[3])
            most = 1 if repeat[0] in {"*", "+", "?"} else int(repeat[3] or repeat[1])
            unbounded += endless
            many = endless or most > 1
            if (many and closed) or unbounded > _MAX_UNBOUNDED or most > _LARGEST_REPEAT:
                return True
            repeats_inside[-1] = repeats_inside[-1] or many
            at, closed = at + len(repeat[0]), False
            continue
        else:
            closed = False
        at += 1
    return False


def _end_of_class(text: str, at: int) -> int:
    """Behind the bracket that closes a character class."""
    at += 2 if text[at + 1 : at + 2] == "^" else 1
    at += text[at : at + 1] == "]"
    while at < len(text) and text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    return at + 1

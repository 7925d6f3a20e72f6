"""The primitive types of FHIR R4: for each, its JSON type, a test of the value, and the rule in words.

The patterns say the same as R4's regular expressions or less (a test compares them), with three differences: dates must
exist in the calendar, no string holds control characters or half of a surrogate pair, and none of the patterns
can be made to backtrack for long.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from carekeep.fhir.validation.narrative import narrative_is_safe

MAX_STRING = 2**20
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Primitive:
    """``json_type`` is the Python type that JSON values of it have; ``words`` completes "must be …"."""

    json_type: type
    test: Callable[[Any], object]
    words: str


def _pattern(expression: str) -> Callable[[Any], object]:
    return re.compile(expression).fullmatch


def _integer(smallest: int) -> Callable[[Any], object]:
    return range(smallest, _LARGEST + 1).__contains__


_YEAR = "(?!0000)[0-9]{4}"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    f"|{_LEAP_YEAR}-02-29)"
)
_PARTIAL_DAY = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,18})?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_NO_CONTROL = r"[^\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]"
_NO_SPACE = r"[^\s\x00-\x1f\ud800-\udfff]"

_text = _pattern(_NO_CONTROL + "+")


def _string(value: str) -> object:
    return len(value) <= MAX_STRING and _text(value)


def _base64(value: str) -> bool:
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError:
        return False
    return bool(value) and not value.isspace()


def _always(_: object) -> bool:
    return True


_STRING = Primitive(str, _string, "a string that is not empty, without control characters, of at most 1 MB")
_URI = Primitive(str, _pattern(_NO_SPACE + "+"), "a URI without spaces")

PRIMITIVE: Final = {
    "base64Binary": Primitive(str, _base64, "base64"),
    "boolean": Primitive(bool, _always, "true or false"),
    "canonical": _URI,
    "code": Primitive(str, _pattern(f"{_NO_SPACE}+(?: {_NO_SPACE}+)*"), "a code: no spaces but single ones inside"),
    "date": Primitive(str, _pattern(f"{_DAY}|{_PARTIAL_DAY}"), "a date that exists: YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": Primitive(
        str,
        _pattern(f"{_DAY}(?:T{_TIME}{_ZONE})?|{_PARTIAL_DAY}"),
        "a date that exists, with a time only if it has seconds and a time zone (2026-02-03T04:05:06Z)",
    ),
    "decimal": Primitive(float, isfinite, "a number"),
    "id": Primitive(str, _pattern(r"[A-Za-z0-9\-.]{1,64}"), "an id: 1 to 64 letters, digits, '-' and '.'"),
    "instant": Primitive(
        str, _pattern(f"{_DAY}T{_TIME}{_ZONE}"), "an instant that exists: 2026-02-03T04:05:06Z, time zone included"
    ),
    "integer": Primitive(int, _integer(-_LARGEST - 1), "a whole number of 32 bits"),
    "markdown": _STRING,
    "oid": Primitive(str, _pattern(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"), "an OID as URN (urn:oid:1.2.3)"),
    "positiveInt": Primitive(int, _integer(1), "a whole number from 1 to 2147483647"),
    "string": _STRING,
    "time": Primitive(str, _pattern(_TIME), "a time with seconds (04:05:06)"),
    "unsignedInt": Primitive(int, _integer(0), "a whole number from 0 to 2147483647"),
    "uri": _URI,
    "url": _URI,
    "uuid": Primitive(
        str,
        _pattern("urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        "a UUID as URN (urn:uuid:…, lower case)",
    ),
    "xhtml": Primitive(
        str, narrative_is_safe, "an XHTML <div> with formatting only: no script, form, style sheet or active content"
    ),
}

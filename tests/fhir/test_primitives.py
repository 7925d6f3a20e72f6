"""Primitive types: never laxer than R4's own regular expressions, and stricter only where we say so."""

import gzip
import json
import re
from importlib.resources import files

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carekeep.fhir.definitions import PRIMITIVES
from carekeep.fhir.validation.narrative import narrative_is_safe
from carekeep.fhir.validation.primitives import PRIMITIVE

_TYPES = json.loads(gzip.decompress(files("carekeep.fhir").joinpath("tables/structure.json.gz").read_bytes()))["types"]
# Those whose expressions R4 gives; of base64Binary Python's engine would backtrack for ages.
OFFICIAL = {name: re.compile(_TYPES[name]["regex"]) for name in PRIMITIVES if "regex" in _TYPES[name]}
TEXTUAL = sorted(
    n for n in OFFICIAL if PRIMITIVE[n].json_type is str and n not in {"base64Binary", "string", "markdown"}
)
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'

VALID: dict[str, list[object]] = {
    "base64Binary": ["YQ==", "YWJj", "YW Jj\nZGVm"],
    "code": ["final", "two words"],
    "date": ["2026", "2026-02", "2024-02-29", "2000-02-29", "0001-01-01", "2026-12-31"],
    "dateTime": ["2026", "2026-01-31", "2026-06-30T23:59:60Z", "2026-01-01T00:00:00.123456789-14:00"],
    "id": ["a", "A-1.b", "x" * 64],
    "instant": ["2015-02-07T13:28:17.239+02:00"],
    "oid": ["urn:oid:1.2.0"],
    "time": ["00:00:00", "23:59:60.5"],
    "uri": ["urn:x", "http://example.org/a#b"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "string": ["x", " x ", "line\r\n\ttab", "é\u00a0😀"],
    "integer": [0, -(2**31), 2**31 - 1],
    "positiveInt": [1, 2**31 - 1],
    "unsignedInt": [0, 2**31 - 1],
}
INVALID: dict[str, list[object]] = {
    "base64Binary": ["", " ", "YQ=", "YQ", "a?==", "é", "YQ==YQ=="],
    "code": ["", " a", "a ", "a  b", "a\tb"],
    "date": [
        "",
        "0000",
        "2023-02-29",
        "1900-02-29",
        "2026-00",
        "2026-13",
        "2026-04-31",
        "26-01-01",
        "2026-1-1",
        "2026-01-01 ",
    ],
    "dateTime": [
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00",
        "2026-01-01T00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01T00:00:00Z",
    ],
    "id": ["", "a_b", "x" * 65, "é", "a\n"],
    "instant": ["2026-01-01", "2026-01-01T00:00:00", "2023-02-29T00:00:00Z", "2026-01-01T00:00:00+14:01"],
    "oid": ["1.2.3", "urn:oid:3.1", "urn:oid:1.02"],
    "time": ["24:00:00", "12:00", "12:00:00Z"],
    "uri": ["", "a b", "a\x00"],
    "uuid": ["urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "c757873d-ec9a-4326-a141-556f43239520"],
    "string": ["", "\x00", "a\x1f", "\ud800", "x" * (2**20 + 1)],
    "integer": [2**31, -(2**31) - 1],
    "positiveInt": [0, -1, 2**31],
    "unsignedInt": [-1, 2**31],
    "decimal": [float("nan"), float("inf")],
}


def test_every_primitive_has_a_test() -> None:
    assert set(PRIMITIVE) == PRIMITIVES


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in VALID.items() for value in values])
def test_valid(kind: str, value: object) -> None:
    assert PRIMITIVE[kind].test(value)


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in INVALID.items() for value in values])
def test_invalid(kind: str, value: object) -> None:
    assert not PRIMITIVE[kind].test(value)


@pytest.mark.parametrize("kind", TEXTUAL)
@given(data=st.data())
def test_never_laxer_than_r4(kind: str, data: st.DataObject) -> None:
    near = st.from_regex(OFFICIAL[kind]) | st.text("0129-:TZ+. a/\n", max_size=30)
    value = data.draw(near)
    assert OFFICIAL[kind].fullmatch(value) or not PRIMITIVE[kind].test(value)


@pytest.mark.parametrize("kind", ["time", "oid", "uuid", "id"])
@given(data=st.data())
def test_as_lax_as_r4(kind: str, data: st.DataObject) -> None:
    value = data.draw(st.from_regex(OFFICIAL[kind], fullmatch=True))
    assume(len(value) < 25 or kind != "time")
    assert PRIMITIVE[kind].test(value)


@given(st.dates())
def test_every_day_of_the_calendar_is_a_date(day: object) -> None:
    assert PRIMITIVE["date"].test(str(day))


@given(st.integers(1, 9999), st.integers(1, 12), st.integers(1, 31))
def test_only_days_of_the_calendar_are_dates(year: int, month: int, day: int) -> None:
    text = f"{year:04}-{month:02}-{day:02}"
    days = [
        31,
        29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28,
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ]
    assert bool(PRIMITIVE["date"].test(text)) == (day <= days[month - 1])


@pytest.mark.parametrize(
    "inside",
    [
        "text",
        "&nbsp;&copy;",
        '<img src="data:image/png;base64,YQ==" alt="x"/>',
        '<a href="#top">x</a>',
        '<a href="https://example.org/?a=b:c">x</a>',
        '<p style="color: red">x</p>',
        "<table><tr><td>1</td></tr></table>",
    ],
)
def test_narratives_that_are_safe(inside: str) -> None:
    assert narrative_is_safe(f"<div {XHTML}>{inside}</div>")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text",
        "<div>no namespace</div>",
        f"<p {XHTML}>no div</p>",
        f"<div {XHTML}> </div>",
        f"<div {XHTML}>open",
        f"<div {XHTML}>one</div><div {XHTML}>two</div>",
        f"<div {XHTML}><script>x</script></div>",
        f"<div {XHTML}><form>x</form></div>",
        f"<div {XHTML}><iframe>x</iframe></div>",
        f'<div {XHTML} onclick="x">x</div>',
        f'<div {XHTML}><a href="javascript:x">x</a></div>',
        f'<div {XHTML}><a href=" JAVA&#10;SCRIPT:x">x</a></div>',
        f'<div {XHTML}><a href="data:text/html,x">x</a></div>',
        f'<div {XHTML}><a href="data:image/svg+xml,x">x</a></div>',
        f'<div {XHTML}><p style="background: url(http://x)">x</p></div>',
        f'<div {XHTML}><p style="b: u\\72l(x)">x</p></div>',
        f'<div {XHTML}><svg xmlns="http://www.w3.org/2000/svg"/>x</div>',
        f"<div {XHTML}>&unknown;</div>",
        f'<!DOCTYPE div [<!ENTITY a "aaaa">]><div {XHTML}>&a;</div>',
        f'<?xml version="1.0"?><div {XHTML}>x</div>',
        f"<div {XHTML}><?php x?>x</div>",
        f"<div {XHTML}>" + "<p>" * 70 + "x" + "</p>" * 70 + "</div>",
        f"<div {XHTML}>\ud800</div>",
    ],
)
def test_narratives_that_are_refused(text: str) -> None:
    assert not narrative_is_safe(text)

"""Reading and writing JSON: nothing is lost, everything is bounded."""

import copy
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir import JsonLimits, JsonRefused, WrittenNumber, dump_json, parse_json

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abcé\n"\\', max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(NUMBERS)
def test_numbers_are_written_as_they_were_read(number: str) -> None:
    body = f'{{"a":{number},"b":[{number}]}}'.encode()
    resource = parse_json(body)
    assert dump_json(resource) == body
    assert float(resource["a"]) == pytest.approx(float(number))
    assert Decimal(str(resource["a"])) == Decimal(number)


@given(st.dictionaries(st.text("abcé", max_size=4), PLAIN, max_size=5))
def test_what_is_written_is_read_back(resource: dict[str, Any]) -> None:
    assert parse_json(dump_json(resource)) == resource
    assert parse_json(json.dumps(resource, indent=1).encode()) == resource


def test_written_number_is_a_number() -> None:
    number = WrittenNumber("1.10")
    assert number + 1 == pytest.approx(2.1)
    assert str(number) == repr(number) == repr(copy.deepcopy(number)) == "1.10"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "structure", "not JSON"),
        (b"{", "structure", "line 1, column 2"),
        (b'{"a":1}x', "structure", "not JSON"),
        (b"[]", "structure", "one JSON object"),
        (b'"secret"', "structure", "one JSON object"),
        (b'{"a":1,"a":2}', "structure", 'the name "a" twice'),
        (b'{"x":{"a":1,"b":0,"a":1}}', "structure", 'the name "a" twice'),
        (b'{"J. Doe":1,"J. Doe":2}', "structure", "of 6 characters twice"),
        (b'{"a":1,"\\u0061":2}', "structure", "twice"),
        (b'{"a":NaN}', "structure", "NaN"),
        (b'{"a":-Infinity}', "structure", "NaN"),
        (b'{"a":1e999}', "value", "too large"),
        (b'{"a":' + b"9" * 400 + b"}", "value", "too large"),
        (b'{"a":"\xff"}', "structure", "UTF-8: byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "structure", "UTF-8"),
        (b'{"a":"\\ud800"}', "structure", "surrogate"),
        (b'{"\\udfff":1}', "structure", "surrogate"),
        (b'{"a":"\x01"}', "structure", "control character"),
        (b'{"a":01}', "structure", "not JSON"),
        (b'\xef\xbb\xbf{"a":1}', "structure", "not JSON"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "structure", "too deeply"),
        (b'{"a":' + b"[" * 32 + b"]" * 32 + b"}", "structure", "too deeply"),
        (b"[" * 200_000, "structure", "too deeply"),
        (b'{"a":' * 200_000, "structure", "too deeply"),
    ],
)
def test_refused(body: bytes, code: str, words: str) -> None:
    with pytest.raises(JsonRefused) as refused:
        parse_json(body)
    assert refused.value.issue.code == code
    assert words in refused.value.issue.diagnostics
    assert "secret" not in str(refused.value)


def test_limits_are_met_exactly() -> None:
    body = b'{"a":' * 5 + b"1" + b"}" * 5
    assert parse_json(body, JsonLimits(size=len(body), depth=5))
    with pytest.raises(JsonRefused) as refused:
        parse_json(body, JsonLimits(size=len(body) - 1, depth=5))
    assert refused.value.issue.code == "too-long"
    wide = b'{"a":[' + b",".join([b"{}"] * 50) + b"]}"
    assert parse_json(wide, JsonLimits(depth=3))
    with pytest.raises(JsonRefused):
        parse_json(wide, JsonLimits(depth=2))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(JsonRefused):
        assert isinstance(parse_json(body), dict)

"""The load generator's reading of responses, and the requests it is given."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.wire import BadResponse, Head, read_head, request

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nserver: x\r\n\r\nhello"


def test_a_response_is_as_long_as_head_and_body() -> None:
    assert read_head(RESPONSE) == Head(200, len(RESPONSE))
    assert read_head(bytearray(RESPONSE) + b"HTTP/1.1 404") == Head(200, len(RESPONSE))


@given(st.integers(0, len(RESPONSE) - 6))
def test_half_a_head_is_none(size: int) -> None:
    assert read_head(RESPONSE[:size]) is None


def test_no_content_needs_no_length() -> None:
    response = b'HTTP/1.1 204 No Content\r\netag: W/"2"\r\n\r\n'
    assert read_head(response) == Head(204, len(response))


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: five\r\n\r\nhello",
        b"not HTTP at all\r\n\r\n",
    ],
)
def test_what_is_no_response_is_said_to_be_none(response: bytes) -> None:
    with pytest.raises(BadResponse):
        read_head(response)


def test_a_request_says_how_long_its_body_is() -> None:
    head, _, body = request("POST", "Patient", "secret", {"resourceType": "Patient"}).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /fhir/Patient HTTP/1.1\r\n")
    assert b"\r\nauthorization: Bearer secret" in head
    assert f"\r\ncontent-length: {len(body)}".encode() in head
    assert json.loads(body) == {"resourceType": "Patient"}

"""What is said of a client counts from the front only, and ends where it is read."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import Secret
from carekeep.web.forwarding import Forwarding
from carekeep.web.http import CERTIFICATE

Header = tuple[bytes, bytes]
SECRET = b"the secret of the front"
PEER = ("127.0.0.1", 40000)
PROOF: Header = (b"x-carekeep-front", SECRET)
ADDRESS: Header = (b"x-forwarded-for", b"198.51.100.7")
DER = bytes(range(256)) * 3
SHOWN: Header = (b"client-cert", b":" + base64.b64encode(DER) + b":")
TOLD = [
    b"client-cert",
    b"client-cert-chain",
    b"forwarded",
    b"x-carekeep-front",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-forwarded-server",
    b"x-real-ip",
]


def settled(*headers: Header, secret: bytes | None = SECRET) -> dict[str, Any]:
    scope: dict[str, Any] = {"headers": [(b"accept", b"*/*"), *headers, (b"prefer", b"x")], "client": PEER}
    Forwarding(None if secret is None else Secret(secret)).settle(scope)
    assert scope["headers"] == [(b"accept", b"*/*"), (b"prefer", b"x")]
    return scope


def address(*headers: Header) -> str | None:
    client = settled(PROOF, *headers)["client"]
    return None if client is None else str(client[0])


def test_the_front_is_believed() -> None:
    scope = settled(PROOF, ADDRESS, SHOWN)
    assert scope["client"][0] == "198.51.100.7"
    assert scope[CERTIFICATE] == DER


@pytest.mark.parametrize(
    "proof",
    [
        [],
        [(b"x-carekeep-front", b"")],
        [(b"x-carekeep-front", SECRET[:-1])],
        [(b"x-carekeep-front", SECRET + b" ")],
        [(b"x-carekeep-front", SECRET.upper())],
        [PROOF, PROOF],
        [(b"x-carekeep-front", b"a guess"), PROOF],
    ],
)
def test_nobody_else_is(proof: list[Header]) -> None:
    scope = settled(*proof, ADDRESS, SHOWN)
    assert scope["client"] == PEER
    assert CERTIFICATE not in scope


@pytest.mark.parametrize("secret", [None, b""])
@pytest.mark.parametrize("proof", [b"", b"None", SECRET])
def test_without_a_secret_there_is_no_front(secret: bytes | None, proof: bytes) -> None:
    scope = settled((b"x-carekeep-front", proof), ADDRESS, SHOWN, secret=secret)
    assert scope["client"] == PEER
    assert CERTIFICATE not in scope


@given(st.lists(st.tuples(st.sampled_from(TOLD), st.binary(max_size=60))))
def test_whatever_is_said_without_the_secret_changes_nothing(headers: list[Header]) -> None:
    scope = settled(*headers)
    assert scope["client"] == PEER
    assert CERTIFICATE not in scope


@given(st.lists(st.binary(max_size=60).map(lambda value: (b"x-forwarded-for", value)), max_size=3))
def test_what_the_client_claimed_stands_before_what_the_front_saw(claimed: list[Header]) -> None:
    assert address(*claimed, ADDRESS) == "198.51.100.7"
    assert address((b"x-forwarded-for", b",".join([value for _, value in claimed] + [b" 2001:db8::1 "]))) == (
        "2001:db8::1"
    )


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (b"2001:DB8:0:0::7", "2001:db8::7"),
        (b"::ffff:198.51.100.7", "198.51.100.7"),
        (b"unknown", None),
        (b"", None),
        (b"198.51.100.7:4711", None),
        (b"198.51.100.7, ", None),
        (b"198.51.100.007", None),
        (b"1" * 5000, None),
        (b"\xd9\xa1.2.3.4", None),
        (b"fe80::1%" + b"x" * 90, None),
    ],
)
def test_an_address_is_one_or_none(said: bytes, read: str | None) -> None:
    assert address((b"x-forwarded-for", said)) == read


def test_a_front_that_names_no_address_does_not_lend_its_own() -> None:
    assert address() is None
    assert address((b"forwarded", b"for=127.0.0.1"), (b"x-real-ip", b"127.0.0.1")) is None


@pytest.mark.parametrize(
    "said",
    [
        [],
        [(b"client-cert", b"")],
        [(b"client-cert", b"::")],
        [(b"client-cert", b":")],
        [(b"client-cert", SHOWN[1][1:])],
        [(b"client-cert", SHOWN[1][:-1])],
        [(b"client-cert", b":" + base64.b64encode(DER)[:-1] + b"\n:")],
        [(b"client-cert", b":-_-_:")],
        [(b"client-cert", b":AAA:")],
        [(b"client-cert", SHOWN[1] + b", " + SHOWN[1])],
        [(b"client-cert", b":" + b"A" * 20_000 + b":")],
        [SHOWN, SHOWN],
        [(b"client-cert-chain", SHOWN[1])],
    ],
)
def test_what_is_no_certificate_is_none(said: list[Header]) -> None:
    assert settled(PROOF, ADDRESS, *said)[CERTIFICATE] is None


def test_a_request_that_says_nothing_is_left_as_it_is() -> None:
    headers = [(b"host", b"records.example.org")]
    scope: dict[str, Any] = {"headers": headers, "client": PEER}
    Forwarding(Secret(SECRET)).settle(scope)
    assert scope == {"headers": headers, "client": PEER}
    assert scope["headers"] is headers

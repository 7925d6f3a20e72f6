"""HTTP/2 frames that no library sends, sent to a real server: it refuses or hangs up, stores nothing, and goes on."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from carekeep.app import System
from carekeep.cli.installation import with_system
from carekeep.identity import Kind
from tests.promises.installation import Installation, new_installation
from tests.web.clinic import records_kept

SILENCE_S = 1.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7  # RFC 9113 §6
END_STREAM, END_HEADERS = 1, 4
BODY = b'{"resourceType":"Patient"}'
Field = tuple[bytes, bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(field: Field) -> bytes:
    """A field as it stands: never indexed, without Huffman's code (RFC 7541 §6.2.3)."""
    return b"\x10" + b"".join(length(len(text)) + text for text in field)


def length(number: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541 §5.1)."""
    if number < 127:
        return bytes([number])
    rest, encoded = number - 127, bytearray([127])
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest])


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back on a stream. ``status`` is 0 when there was no answer; ``block`` is the field block as it came."""

    status: int
    block: bytes
    is_ended: bool


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    """A server for all tests here, and the token of an app that may write."""
    installation = new_installation(tmp_path_factory.mktemp("served"), "")
    token = installation.open_account(Kind.APP, "engine")
    installation.start()
    yield installation, token
    try:
        assert with_system(installation.home, count) == 0, "nothing was stored"
        installation.stop()
    finally:
        installation.abandon()
    log = (installation.logs / "server.log").read_text()
    assert "Traceback" not in log
    assert "unexpected" not in log


async def count(system: System) -> int:
    return await records_kept(system.database)


def exchange(installation: Installation, sent: list[Field], body: bytes = b"") -> Reply:
    """One request on stream 1, and what comes back until the stream is over, or nothing more is said."""
    context = installation.tls
    context.set_alpn_protocols(["h2"])
    address = (installation.settings.bind, installation.settings.port)
    with socket.create_connection(address) as plain, context.wrap_socket(plain, server_hostname="localhost") as secured:
        assert secured.selected_alpn_protocol() == "h2"
        secured.settimeout(SILENCE_S)
        block = b"".join(map(literal, sent))
        request = frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, block)
        content = frame(DATA, END_STREAM, 1, body) if body else b""
        received = b""
        with suppress(TimeoutError, OSError, ssl.SSLError):
            secured.sendall(PREFACE + frame(SETTINGS, 0, 0) + request + content)
            while not is_over(received) and (chunk := secured.recv(65_536)):
                received += chunk
        return reply_in(received)


def frames(received: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(kind, flags, stream, payload) of the whole frames in it."""
    at = 0
    while at + 9 <= len(received):
        size = int.from_bytes(received[at : at + 3], "big")
        if at + 9 + size > len(received):
            return
        stream = int.from_bytes(received[at + 5 : at + 9], "big")
        yield received[at + 3], received[at + 4], stream, received[at + 9 : at + 9 + size]
        at += 9 + size


def is_over(received: bytes) -> bool:
    return any(
        kind in {RST_STREAM, GOAWAY} or (stream == 1 and kind in {DATA, HEADERS} and flags & END_STREAM)
        for kind, flags, stream, _ in frames(received)
    )


# Index of the static table (RFC 7541, appendix A) -> status.
INDEXED = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}


def reply_in(received: bytes) -> Reply:
    block = next((payload for kind, _, stream, payload in frames(received) if (kind, stream) == (HEADERS, 1)), b"")
    return Reply(status_in(block) if block else 0, block, is_over(received))


def status_in(block: bytes) -> int:
    """The status, which servers send first: from the table, or as three digits under the name from there."""
    if block[0] in INDEXED:
        return INDEXED[block[0]]
    return -1  # another one: digits in Huffman's code


def fields(method: bytes, path: bytes, *more: Field, port: int) -> list[Field]:
    authority = b"localhost:%d" % port
    return [(b":method", method), (b":scheme", b"https"), (b":authority", authority), (b":path", path), *more]


LIES: dict[str, list[Field]] = {
    "a transfer coding": [(b"transfer-encoding", b"chunked")],
    "a header of the connection": [(b"connection", b"keep-alive")],
    "a header of proxies": [(b"proxy-connection", b"keep-alive")],
    "an upgrade": [(b"upgrade", b"h2c")],
    "te that is no trailers": [(b"te", b"gzip")],
    "a line break in a value": [(b"x-a", b"b\r\nx-c: d")],
    "a line feed in a value": [(b"x-a", b"b\nc")],
    "a return in a value": [(b"x-a", b"b\rc")],
    "a NUL in a value": [(b"x-a", b"b\x00c")],
    "a line break in a name": [(b"x-a\r\nx-c", b"d")],
    "a colon in a name": [(b"x-a: b", b"d")],
    "a name in capitals": [(b"X-A", b"b")],
    "an empty name": [(b"", b"b")],
    "a space in a name": [(b"x a", b"b")],
    "a length that is too long": [(b"content-length", b"5000")],
    "a length that is too short": [(b"content-length", b"5")],
    "a length that is no number": [(b"content-length", b"+26")],
    "two lengths": [(b"content-length", b"26"), (b"content-length", b"5")],
    "a second path": [(b":path", b"/fhir/metadata")],
    "a pseudo-header that does not exist": [(b":user", b"root")],
    "a status": [(b":status", b"200")],
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_the_request(served: tuple[Installation, str], lie: str) -> None:
    """RFC 9113 §8.1.1: malformed requests are stream errors, or refused with a 4xx; none is carried out."""
    installation, token = served
    good = [(b"authorization", b"Bearer " + token.encode()), (b"content-type", b"application/fhir+json")]
    sent = fields(b"POST", b"/fhir/Patient", *good, *LIES[lie], port=installation.settings.port)
    reply = exchange(installation, sent, BODY)
    assert reply.is_ended
    assert reply.status in {0, 400}, lie
    check_still_serving(installation)


@pytest.mark.parametrize(
    "start",
    [
        [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"localhost")],
        [(b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/fhir/metadata")],
        [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"")],
        [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/fhir/meta data")],
        [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/fhir/metadata\r\nx: y")],
        [(b":method", b"GE T"), (b":scheme", b"https"), (b":path", b"/fhir/metadata")],
        [(b"x-a", b"b"), (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/fhir/metadata")],
    ],
    ids=["no path", "no method", "an empty path", "a space", "a line break", "a method of two words", "out of order"],
)
def test_what_is_no_request(served: tuple[Installation, str], start: list[Field]) -> None:
    installation, _ = served
    reply = exchange(installation, start)
    assert reply.is_ended
    assert reply.status in {0, 400, 404}
    check_still_serving(installation)


# The codes of letters in RFC 7541, appendix B: those of five, six and seven bits, in the order of their numbers.
FIVE, SIX, SEVEN = "012aceiost", " %-./3456789=A_bdfghlmnpru", ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"


def bits_of(letter: str) -> str:
    if letter in FIVE:
        return f"{FIVE.index(letter):05b}"
    if letter in SIX:
        return f"{SIX.index(letter) + 0b010100:06b}"
    return f"{SEVEN.index(letter) + 0b1011100:07b}"


def huffman(text: str) -> bytes:
    """The whole bytes of the code of a text."""
    bits = "".join(map(bits_of, text))
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8))


def test_answers_have_no_headers_of_a_connection(served: tuple[Installation, str]) -> None:
    """RFC 9113 §8.2.2; nor does the server say of which version it is."""
    installation, _ = served
    reply = exchange(installation, fields(b"GET", b"/healthz", port=installation.settings.port))
    assert reply.status == 200
    assert huffman("x-content-type-options") in reply.block  # so that is how names look
    for name in ("connection", "transfer-encoding", "keep-alive", "granian/", "granian 2", "hyper"):
        assert name.encode() not in reply.block
        assert huffman(name) not in reply.block


def test_a_good_request_is_carried_out(served: tuple[Installation, str]) -> None:
    """So that the lies are refused for what they are."""
    installation, token = served
    good = [(b"authorization", b"Bearer " + token.encode()), (b"content-type", b"application/fhir+json")]
    length_ = (b"content-length", b"%d" % len(BODY))
    port = installation.settings.port
    reply = exchange(installation, fields(b"POST", b"/fhir/Patient/$validate", *good, length_, port=port), BODY)
    assert reply.status == 200


def check_still_serving(installation: Installation) -> None:
    assert exchange(installation, fields(b"GET", b"/healthz", port=installation.settings.port)).status == 200

"""What no HTTP library sends, sent to a real server: it refuses or hangs up, stores nothing, and goes on serving."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from carekeep.app import System
from carekeep.cli.installation import with_system
from carekeep.identity import Kind
from tests.promises.installation import Installation, new_installation
from tests.web.clinic import records_kept

SILENCE_S = 1.0  # a server that waits for the rest of a request says nothing
BODY = b'{"resourceType":"Patient"}'


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
    log = Path(installation.logs / "server.log").read_text()
    assert "Traceback" not in log
    assert "unexpected" not in log


async def count(system: System) -> int:
    return await records_kept(system.database)


def talk(installation: Installation, content: bytes) -> bytes:
    """Send it, and read until the server hangs up or says no more."""
    settings = installation.settings
    content = content.replace(b"host: localhost\r\n", b"host: localhost:%d\r\n" % settings.port)
    with (
        socket.create_connection((settings.bind, settings.port)) as plain,
        installation.tls.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        secured.settimeout(SILENCE_S)
        answer = b""
        with suppress(TimeoutError, OSError, ssl.SSLError):
            secured.sendall(content)
            while chunk := secured.recv(65_536):
                answer += chunk
        return answer


def post(token: str, *lines: bytes, body: bytes = BODY, target: bytes = b"/fhir/Patient") -> bytes:
    head = (b"POST " + target + b" HTTP/1.1", b"host: localhost", b"authorization: Bearer " + token.encode(),
            b"content-type: application/fhir+json", b"connection: close", *lines)  # fmt: skip
    return b"\r\n".join(head) + b"\r\n\r\n" + body


LIES = {
    "length too long": [b"content-length: 5000"],
    "length negative": [b"content-length: -1"],
    "length not a number": [b"content-length: 1e3"],
    "length with a plus": [b"content-length: +26"],
    "length enormous": [b"content-length: 99999999999999999999"],
    "length over the limit": [b"content-length: 99999999"],
    "two lengths": [b"content-length: 26", b"content-length: 5"],
    "chunks and a length": [b"content-length: 26", b"transfer-encoding: chunked"],
    "a coding that does not exist": [b"transfer-encoding: gzip, nonsense"],
    "chunks that are none": [b"transfer-encoding: chunked"],
    "a header without a name": [b"content-length: 26", b": x"],
    "a header without a colon": [b"content-length: 26", b"nonsense"],
    "a folded header": [b"content-length: 26", b"x-a: b\r\n  c"],
    "a NUL in a header": [b"content-length: 26", b"x-a: b\x00c"],
    "a space before the colon": [b"content-length : 26"],
    "a huge header": [b"content-length: 26", b"x-a: " + b"y" * 1_000_000],
    "very many headers": [b"content-length: 26", *(b"x-%d: y" % number for number in range(5000))],
    "another content type": [b"content-length: 26", b"content-type: text/plain"],
    "two authorizations": [b"content-length: 26", b"authorization: Bearer x"],
}


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_the_request(served: tuple[Installation, str], lie: str) -> None:
    installation, token = served
    answer = talk(installation, post(token, *LIES[lie]))
    assert answer[9:10] in {b"4", b""}, (lie, answer[:200])
    check_still_serving(installation)


END = b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
RAW = {
    "nothing": b"\r\n\r\n",
    "not http": b"\x16\x03\x01 hello\r\n\r\n",
    "http 0.9": b"GET /fhir/metadata\r\n\r\n",
    "http 3.0": b"GET /fhir/metadata HTTP/3.0\r\nhost: localhost\r\n\r\n",
    "no host": b"GET /fhir/Patient/x HTTP/1.1\r\nconnection: close\r\n\r\n",
    "an absolute target": b"GET https://elsewhere.example/fhir/Patient/x" + END,
    "a NUL in the target": b"GET /fhir/Pat\x00ient HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a NUL, encoded": b"GET /fhir/Patient/%00" + END,
    "broken percents": b"GET /fhir/Patient/%zz%f" + END,
    "broken utf-8": b"GET /fhir/Patient/%ff%fe" + END,
    "encoded slashes": b"GET /fhir/Patient%2f..%2f..%2fetc" + END,
    "dots": b"GET /fhir/../../etc/passwd" + END,
    "a huge target": b"GET /fhir/" + b"x" * 200_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a method in lower case": b"get /fhir/Patient/x" + END,
    "an unknown method": b"BREW /fhir/Patient/x" + END,
    "connect": b"CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: elsewhere.example\r\nconnection: close\r\n\r\n",
    "an upgrade": b"GET /fhir/metadata/x HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "an endless line": b"G" * 300_000,
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_request(served: tuple[Installation, str], name: str) -> None:
    installation, _ = served
    answer = talk(installation, RAW[name])
    assert answer[9:10] in {b"4", b""}, (name, answer[:200])
    assert b"root:" not in answer
    check_still_serving(installation)


def check_still_serving(installation: Installation) -> None:
    answer = talk(installation, b"GET /healthz" + END)
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]


def test_tls_older_than_1_3_is_refused(served: tuple[Installation, str]) -> None:
    installation, _ = served
    context = installation.tls
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((installation.settings.bind, installation.settings.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_plain_http_is_refused(served: tuple[Installation, str]) -> None:
    installation, _ = served
    with socket.create_connection((installation.settings.bind, installation.settings.port)) as plain:
        plain.settimeout(SILENCE_S)
        answer = b""
        with suppress(TimeoutError, OSError):
            plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            answer = plain.recv(1000)
        assert not answer.startswith(b"HTTP")

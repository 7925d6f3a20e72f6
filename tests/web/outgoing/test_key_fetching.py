"""Keys of apps are fetched from listed hosts, over TLS that is verified, and from nowhere else."""

import datetime
import json
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from carekeep.encryption.certificates import make_local_authority
from carekeep.identity.apps.key_sets import LARGEST, KeysUnavailable
from carekeep.web.key_fetching import key_fetch
from carekeep.web.outgoing import AllowedHosts

GOOD = json.dumps({"keys": []}).encode()


@dataclass(slots=True)
class Server:
    """Answers every connection with the same bytes. ``asked`` is what it was sent."""

    port: int
    trust: ssl.SSLContext
    answer: bytes = b""
    asked: "queue.Queue[bytes]" = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/keys.json?v=1"

    def hosts(self, *, with_loopback: bool = True) -> AllowedHosts:
        return AllowedHosts.parse(f"localhost:{self.port}" + (" 127.0.0.0/8 ::1/128" if with_loopback else ""))


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(listening.getsockname()[1], ssl.create_default_context(cafile=str(folder / "ca.pem")))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    server.asked.put(connection.recv(8192))
                    connection.sendall(server.answer)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("keys")) as started:
        yield started


def answer(body: bytes = GOOD, *lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


async def test_keys_are_fetched_with_what_is_said_of_keeping_them(server: Server) -> None:
    server.answer = answer(GOOD, "Cache-Control: max-age=600", "cache-control: public")
    fetched = await key_fetch(server.hosts(), server.trust)(server.url)
    assert (fetched.body, fetched.cache_control) == (GOOD, "max-age=600, public")
    sent = server.asked.get(timeout=5)
    assert sent.startswith(b"GET /keys.json?v=1 HTTP/1.0\r\n")
    assert f"Host: localhost:{server.port}".encode() in sent
    server.answer = b"HTTP/1.0 200 OK\r\n\r\n" + GOOD  # without a length: the connection ends it
    assert (await key_fetch(server.hosts(), server.trust)(server.url)).body == GOOD


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (answer(status="302 Found"), "the answer was 302, not 200"),
        (answer(b"", "Location: https://localhost/", status="301 Moved"), "the answer was 301, not 200"),
        (answer(status="404 Not Found"), "the answer was 404, not 200"),
        (answer(b"", length=LARGEST + 1), "the answer is larger than 65536 bytes"),
        (answer(b"", length=10**30), "the answer is larger than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (LARGEST + 1), "the answer is larger than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "the answer is larger than 65536 bytes"),
        (answer(GOOD, "Transfer-Encoding: chunked"), "the answer is encoded in a way that was not asked for"),
        (answer(GOOD, "Content-Encoding: gzip"), "the answer is encoded in a way that was not asked for"),
        (answer(b"{", length=900), "the connection failed (IncompleteReadError)"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, "the connection failed (LimitOverrunError)"),
        (b"SSH-2.0\r\n\r\n", "it is not HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 6, "it never ended"),
        (b"", "the connection failed (IncompleteReadError)"),
    ],
)
async def test_other_answers_are_no_keys(server: Server, sent: bytes, fault: str) -> None:
    server.answer = sent
    with pytest.raises(KeysUnavailable) as refused:
        await key_fetch(server.hosts(), server.trust)(server.url)
    assert str(refused.value) == fault


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.org/keys.json",
        "https://localhost/keys.json",
        "http://localhost:{port}/keys.json",
        "https://localhost:{port}@elsewhere.example.org/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]:{port}/",
        "file:///etc/passwd",
    ],
)
async def test_nothing_else_is_asked(server: Server, url: str) -> None:
    while not server.asked.empty():
        server.asked.get()
    with pytest.raises(KeysUnavailable):
        await key_fetch(server.hosts(), server.trust)(url.format(port=server.port))
    assert server.asked.empty()


async def test_a_listed_name_that_leads_inside_is_not_connected_to(server: Server) -> None:
    with pytest.raises(KeysUnavailable, match="may not connect to"):
        await key_fetch(server.hosts(with_loopback=False), server.trust)(server.url)


async def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    with pytest.raises(KeysUnavailable, match="SSLCertVerificationError"):
        await key_fetch(server.hosts())(server.url)


async def test_waiting_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.web.key_fetching._TIMEOUT_S", 0.0)
    server.answer = answer()
    with pytest.raises(KeysUnavailable, match="no answer within"):
        await key_fetch(server.hosts(), server.trust)(server.url)

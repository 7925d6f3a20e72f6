"""What a handshake agreed on is told as it was; what is no TLS is told too, and nobody is waited for without end."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carekeep.encryption.certificates import make_local_authority
from carekeep.web.health import handshakes
from carekeep.web.health.handshakes import Handshake, NoHandshake, shake_hands

Peer = Callable[[socket.socket], None]


@contextmanager
def listening(talk: Peer) -> Iterator[tuple[str, int]]:
    """A server for one connection; the address to reach it at."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


def tls(folder: Path, *, version: ssl.TLSVersion, curve: str) -> Peer:
    """Python's own server: with the system's OpenSSL, and one curve."""
    make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.minimum_version = context.maximum_version = version
    context.set_ecdh_curve(curve)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    return talk


@pytest.mark.parametrize(("curve", "group"), [("prime256v1", "secp256r1"), ("X25519", "X25519")])
def test_the_group_is_the_one_that_was_negotiated(tmp_path: Path, curve: str, group: str) -> None:
    """secp256r1 was not among the first offers, so the server had to ask for it (HelloRetryRequest)."""
    with listening(tls(tmp_path, version=ssl.TLSVersion.TLSv1_3, curve=curve)) as address:
        found = shake_hands(address, "localhost")
    assert found == Handshake("TLSv1.3", group, could_have_been=True)
    assert not found.is_post_quantum


def test_an_older_version_is_told_as_it_is(tmp_path: Path) -> None:
    with listening(tls(tmp_path, version=ssl.TLSVersion.TLSv1_2, curve="prime256v1")) as address:
        assert shake_hands(address, "localhost").version == "TLSv1.2"


@pytest.mark.parametrize("group", ["X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"])
def test_hybrids_are_post_quantum(group: str) -> None:
    assert Handshake("TLSv1.3", group, could_have_been=True).is_post_quantum


def answer_http(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hang_up(connection: socket.socket) -> None:
    connection.recv(100_000)


def refuse(connection: socket.socket) -> None:
    connection.recv(100_000)
    connection.sendall(bytes.fromhex("15030300020228"))  # alert: handshake_failure


def babble(connection: socket.socket) -> None:
    """Warnings without end: each is a whole record, and none moves the handshake on."""
    try:
        while True:
            connection.sendall(bytes.fromhex("15030300020100"))
    except OSError:
        return


@pytest.mark.parametrize("talk", [answer_http, hang_up, refuse, babble])
def test_what_is_no_tls_is_no_handshake(talk: Peer) -> None:
    with listening(talk) as address, pytest.raises(NoHandshake):
        shake_hands(address, "localhost")


def test_nobody_there_and_nobody_who_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        monkeypatch.setattr(handshakes, "_PATIENCE_S", 0.05)
        with pytest.raises(TimeoutError):
            shake_hands(address, "localhost")
    with pytest.raises(OSError, match="refused"):
        shake_hands(address, "localhost")

"""The guard of tests/plugins/network.py: tests reach this machine and no other."""

import asyncio
import socket

import pytest

from tests.plugins.network import NetworkRefused, is_local

# An address of the block that is kept for documentation (RFC 5737).
ELSEWHERE = "192.0.2.1"


def test_connections_to_other_machines_are_refused() -> None:
    with socket.socket() as client, pytest.raises(NetworkRefused):
        client.connect((ELSEWHERE, 443))


async def test_asyncio_is_guarded_too() -> None:
    with pytest.raises(NetworkRefused):
        await asyncio.open_connection(ELSEWHERE, 443)


def test_datagrams_are_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client, pytest.raises(NetworkRefused):
        client.sendto(b"x", (ELSEWHERE, 53))


def test_names_of_other_machines_are_not_looked_up() -> None:
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo("example.org", 443)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.8.9.1", True),
        ("::1", True),
        ("auth.localhost", True),
        (b"localhost", True),
        (None, True),
        ("localhost.example.org", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104  (nothing is bound)
        ("notlocalhost", False),
    ],
)
def test_what_counts_as_this_machine(host: object, local: bool) -> None:
    assert is_local(host) is local

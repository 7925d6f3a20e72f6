"""No test reaches another machine: connections leave for loopback addresses and Unix sockets only.

An audit hook rather than a patched ``socket``: CPython announces every connection made by its socket module and by
asyncio, whatever name it was imported under. (uvloop and Rust clients connect below Python and are not seen.)
"""

import ipaddress
import sys
from collections.abc import Iterator

import pytest

LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
WATCHED = LOOK_UPS | {"socket.connect", "socket.sendto", "socket.sendmsg"}
THIS_MACHINE = "localhost"


class NetworkRefused(RuntimeError):
    """A test tried to reach an address that is not this machine's loopback."""


def is_local(host: object) -> bool:
    """Whether a host, as the socket module takes it, is a name or an address of the loopback."""
    if host is None or host in {"", b""}:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name == THIS_MACHINE or name.endswith(f".{THIS_MACHINE}"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Guard:
    """An audit hook cannot be taken away again, so this one can be put to rest."""

    def __init__(self) -> None:
        self.active = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """Called by the interpreter for every audit event; raising stops the operation."""
        if not self.active or event not in WATCHED:
            return
        host = host_of(event, arguments)
        if not is_local(host):
            message = f"A test called {event} for {host!r}; tests may use loopback addresses only."
            raise NetworkRefused(message)


def host_of(event: str, arguments: tuple[object, ...]) -> object:
    """The host in an event's arguments; None where it names none (Unix sockets, connected sockets)."""
    if event in LOOK_UPS:
        return arguments[0]
    address = arguments[1]
    return address[0] if isinstance(address, tuple) else None


GUARD = Guard()
sys.addaudithook(GUARD)


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """Every test runs with the guard on."""
    GUARD.active = True
    yield
    GUARD.active = False

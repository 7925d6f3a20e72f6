"""What a TLS handshake with a server agrees on, found by doing one.

Python's own ssl is linked with the system's OpenSSL, which on Debian 12 (3.0) cannot offer a post-quantum group, and
tells of no group at all. The OpenSSL inside of the cryptography wheel can; pyOpenSSL reaches it.
"""

import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from OpenSSL import SSL

_PATIENCE_S = 3.0
_MOST_READS = 64  # of up to 16 KiB: a handshake is done in a few
_CHUNK = 16_384

# As the registry of TLS supported groups writes them; OpenSSL says some otherwise.
_NAMES = {"x25519": "X25519", "x448": "X448", "prime256v1": "secp256r1"}
_FIRST_TO_OFFER = 0x30500000  # OpenSSL 3.5
_POST_QUANTUM = frozenset({"X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024", "MLKEM768", "MLKEM1024"})


class NoHandshake(Exception):
    """What listens there does not speak TLS that this client knows."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What was agreed on.

    ``group`` is the key exchange by its registered name, empty where this client cannot say; ``could_have_been`` is
    whether it offered a post-quantum one.
    """

    version: str
    group: str
    could_have_been: bool

    @property
    def is_post_quantum(self) -> bool:
        """Whether who records the connection today cannot read it with a quantum computer tomorrow."""
        return self.group in _POST_QUANTUM


def shake_hands(address: tuple[str, int], name: str) -> Handshake:
    """Connect to a host and port, ask for the server called ``name``, and hang up.

    The certificate is not looked at: nothing is sent, and what is asked is how the keys were agreed on. Everything
    that this OpenSSL has by default is offered: since 3.5 X25519MLKEM768, then X25519 and the NIST curves. Raises
    OSError when nobody answers, NoHandshake when it is not TLS or nothing could be agreed on.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    connection = SSL.Connection(context, None)
    if not _is_address(name):  # RFC 6066 §3: an address is no server name
        connection.set_tlsext_host_name(name.encode("ascii"))
    connection.set_connect_state()
    with socket.create_connection(address, timeout=_PATIENCE_S) as plain:
        _drive(connection, plain)
    could_have_been = SSL.OPENSSL_VERSION_NUMBER >= _FIRST_TO_OFFER
    return Handshake(connection.get_protocol_version_name(), _group(connection), could_have_been)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _drive(connection: SSL.Connection, plain: socket.socket) -> None:
    """The handshake, with the bytes carried by hand: pyOpenSSL knows no timeouts."""
    for _ in range(_MOST_READS):
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            _send(connection, plain)
        except SSL.Error:
            break
        else:
            _send(connection, plain)
            return
        try:
            received = plain.recv(_CHUNK)
        except ConnectionResetError:
            break
        if not received:
            break
        connection.bio_write(received)
    raise NoHandshake


def _send(connection: SSL.Connection, plain: socket.socket) -> None:
    with suppress(SSL.WantReadError):
        while True:
            plain.sendall(connection.bio_read(_CHUNK))


def _group(connection: SSL.Connection) -> str:
    try:
        name = connection.get_group_name() or ""
    except NotImplementedError:  # an OpenSSL before 3.2
        return ""
    return _NAMES.get(name, name)

"""What a front (the proxy of docs/tls.md) says of the client behind it, and when that is believed.

Anyone can send these headers, so they count only beside the secret that the front and this server share (OWASP ASVS
5.0, 4.1.3). With or without it they end here: no route and no log sees them.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from carekeep.encryption import Secret
from carekeep.web.http import CERTIFICATE, Scope

_SECRET, _ADDRESS, _CERTIFICATE = b"x-carekeep-front", b"x-forwarded-for", b"client-cert"

# Not only those that are read: what a front tells in other ways, nobody shall come to rely on. Of RFC 7239 and
# X-Forwarded-For only one is read, since a front that sets the one may pass on the other as a client wrote it.
_TOLD = frozenset(
    {
        _SECRET,
        _ADDRESS,
        _CERTIFICATE,
        b"client-cert-chain",
        b"forwarded",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-forwarded-server",
        b"x-real-ip",
    }
)
_LONGEST_CERTIFICATE = 16_384  # characters of base64
_LONGEST_ADDRESS = 45  # characters: an IPv4 address written as an IPv6 one


class Forwarding:
    """Puts the client in the place of the front, in the scope of a request or websocket that the front sent."""

    def __init__(self, secret: Secret | None) -> None:
        """``secret`` is the front's; with None no front is believed."""
        self._secret = secret.reveal() if secret is not None else b""

    def settle(self, scope: Scope) -> None:
        """Take out what a front would say, and believe it if it comes from the front.

        Afterwards ``client`` is the client that the front saw, or None if the front did not say, and ``CERTIFICATE``
        the DER of the certificate of which it proved to have the key.
        """
        told = [each for each in scope["headers"] if each[0] in _TOLD]
        if not told:
            return
        scope["headers"] = [each for each in scope["headers"] if each[0] not in _TOLD]
        if self._is_front(_values(told, _SECRET)):
            # A front that says nothing usable must not lend its own address, which may count as one of the house.
            address = _last_address(_values(told, _ADDRESS))
            scope["client"] = None if address is None else (address, 0)
            scope[CERTIFICATE] = _certificate(_values(told, _CERTIFICATE))

    def _is_front(self, given: list[bytes]) -> bool:
        return bool(self._secret) and len(given) == 1 and hmac.compare_digest(given[0], self._secret)


def _values(told: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for given, value in told if given == name]


def _last_address(values: list[bytes]) -> str | None:
    """The address that the front added: the last one. Those before it are what the client claimed."""
    text = values[-1].rpartition(b",")[2].strip().decode("latin-1") if values else ""
    if len(text) > _LONGEST_ADDRESS:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)


def _certificate(values: list[bytes]) -> bytes | None:
    """The bytes of RFC 9440's ``Client-Cert``: a Byte Sequence (RFC 9651 §3.3.5). Anything else is no certificate."""
    if len(values) != 1:
        return None
    text = values[0].strip()
    if len(text) > _LONGEST_CERTIFICATE or text[:1] != b":" or text[-1:] != b":":
        return None
    try:
        return base64.b64decode(text[1:-1], validate=True) or None
    except binascii.Error:
        return None

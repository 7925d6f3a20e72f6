"""Where a request comes from: a named part of the network, by its address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

INSIDE: Final = "inside"
OUTSIDE: Final = "outside"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

Network = IPv4Network | IPv6Network
# Loopback, the private networks of RFC 1918 and RFC 4193, and link-local ones. Not all that Python calls private: the
# ranges of providers' NAT and of benchmarks are nobody's house.
_HOUSE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


class ZonesRefused(ValueError):
    """The zones cannot be used like this; the text says which one, and why."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Networks with a name, the narrowest first.

    An address in none of them is ``inside`` if it is of this machine or a private network, else ``outside``; so is an
    address that is not known. A network may be named ``outside`` too: the one for visitors.
    """

    named: tuple[tuple[Network, str], ...] = ()

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> "Zones":
        """From a table of settings: name -> networks like ``10.0.0.0/8``, as a list or with spaces between them.

        Raises ZonesRefused.
        """
        found: dict[Network, str] = {}
        for name, given in table.items():
            texts = given.split() if isinstance(given, str) else given
            if not _NAME.fullmatch(name):
                raise ZonesRefused("a name is made of lower-case letters, digits, hyphens and underscores, 40 at most")
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ZonesRefused(f'{name} must be a list of networks like "10.0.0.0/8"')
            for text in texts:
                network = _network(name, text)
                if found.setdefault(network, name) != name:
                    raise ZonesRefused(f"{text} is in {found[network]} and in {name}")
        return cls(tuple(sorted(found.items(), key=lambda each: (-each[0].prefixlen, str(each[0])))))

    def table(self) -> dict[str, list[str]]:
        """What ``read`` reads."""
        found: dict[str, list[str]] = {}
        for network, name in self.named:
            found.setdefault(name, []).append(str(network))
        return found

    def __str__(self) -> str:
        return ", ".join(f"{name} = {networks}" for name, networks in self.table().items())

    def of(self, address: str | None) -> str:
        """The name of the zone of an address, IPv4 or IPv6."""
        try:
            known = ip_address(address or "")
        except ValueError:
            return OUTSIDE
        known = _plain(known)
        for network, name in self.named:
            if known in network:
                return name
        return INSIDE if any(known in network for network in _HOUSE) else OUTSIDE


def _network(name: str, text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ZonesRefused(f"{name}: {text!r} is no network like 10.0.0.0/8 or 2001:db8::/32") from None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that was written as an IPv6 one is that IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address

"""Where requests may go: an allow-list of hosts, and of the addresses that their names may lead to.

A server that sends requests to addresses which its users choose is a way into the network behind it (SSRF). So a host
must be named in the settings; a name that is, may lead to a public address only, unless the settings name the network;
and the address that was checked is the one that is connected to, so that a second look-up cannot answer otherwise.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

HTTPS = 443
_LONGEST = 2048
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_TARGET = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*")
_LAST_PORT = 65535
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class HostsRefused(ValueError):
    """The setting cannot be used; the text says which word of it, and what it may be."""


class EndpointRefused(ValueError):
    """No request goes to this endpoint; the text says why, and repeats nothing of it."""


class HostNotListed(EndpointRefused):
    """The settings would have to name the host first."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An https URL taken apart. ``host`` is a name in lower case or an address; ``target`` is path and query."""

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The Host header (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS else f"{host}:{self.port}"

    @property
    def uri(self) -> str:
        """The URL in its normal form; what is signed as ``@target-uri``."""
        return f"https://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The allow-list: (name, port) pairs, and networks whose addresses may be used, not being public."""

    names: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowedHosts":
        """Read a list of ``name``, ``name:port`` and networks (``10.1.2.0/24``) with spaces. Raises HostsRefused."""
        names: set[tuple[str, int]] = set()
        networks: list[Network] = []
        for word in text.split():
            try:
                if "/" in word:
                    networks.append(ipaddress.ip_network(word))
                    continue
            except ValueError as error:
                raise HostsRefused(f"{word!r} is no network: {error}.") from None
            name, _, port = word.lower().partition(":")
            if not _NAME.fullmatch(name) or not _is_port(port or str(HTTPS)):
                raise HostsRefused(f"{word!r} is neither a host name (with :port) nor a network like 10.1.2.0/24.")
            names.add((name, int(port or HTTPS)))
        return cls(frozenset(names), tuple(networks))

    def endpoint(self, url: str) -> Endpoint:
        """The endpoint of a URL that the list allows. Raises EndpointRefused; HostNotListed where the list is why."""
        endpoint = parse_endpoint(url)
        try:
            address = ipaddress.ip_address(endpoint.host)
        except ValueError:
            if (endpoint.host, endpoint.port) not in self.names:
                raise HostNotListed("The host (and port) is not among those that this server may use.") from None
            return endpoint
        # A bare address is allowed by its network alone, public or not: nobody has vouched for it by name.
        if not self._listed(address):
            raise EndpointRefused("Endpoints are given by a host name that this server may use.")
        return endpoint

    def may_connect(self, address: Address) -> bool:
        """Whether an address that an allowed name leads to may be connected to."""
        return is_public(address) or self._listed(address)

    def _listed(self, address: Address) -> bool:
        return any(address in network for network in self.networks if network.version == address.version)


def parse_endpoint(url: str) -> Endpoint:
    """Take an https URL apart, strictly: what is not clearly one host, port and path is refused."""
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise EndpointRefused("The endpoint is not a plain URL.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").lower()
    except ValueError:
        raise EndpointRefused("The endpoint is not a plain URL.") from None
    if parts.scheme != "https":
        raise EndpointRefused("The endpoint must be an https URL: this server sends over TLS only.")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise EndpointRefused("The endpoint may have neither user name nor fragment.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if port == 0 or not _TARGET.fullmatch(target) or not (_NAME.fullmatch(host) or _is_plain_address(host)):
        raise EndpointRefused("The endpoint is not a plain URL.")
    return Endpoint(host, port or HTTPS, target)


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, looking through the forms that wrap another one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _is_plain_address(host: str) -> bool:
    """An address in its one usual form: not ``0x7f.1``, not ``2130706433``, not with a zone."""
    try:
        return "%" not in host and str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text[:6]) <= _LAST_PORT

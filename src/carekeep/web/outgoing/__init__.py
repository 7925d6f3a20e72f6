"""Requests that this server sends itself to addresses that its users chose: notifications, and the keys of apps.

Invariants: over verified TLS only; to hosts that the settings name only; the address that was checked is the one that
is connected to; no redirects, proxies or cookies; bounded in time and size.
"""

from carekeep.web.outgoing.addresses import AllowedHosts, Endpoint, EndpointRefused, HostsRefused
from carekeep.web.outgoing.connecting import AddressRefused, connect

__all__ = ["AddressRefused", "AllowedHosts", "Endpoint", "EndpointRefused", "HostsRefused", "connect"]

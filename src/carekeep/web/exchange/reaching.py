"""Reaching witnesses and other logs: over verified TLS, and only at the hosts that the witness policy names."""

import ssl
from collections.abc import Iterable
from ipaddress import ip_address

from carekeep.audit.witnessing import Policy
from carekeep.audit.witnessing.submitting import Answer, Submit, Unreachable
from carekeep.audit.witnessing.watching import Fetch
from carekeep.web.outgoing import AllowedHosts, EndpointRefused, HostsRefused
from carekeep.web.outgoing.addresses import parse_endpoint
from carekeep.web.outgoing.getting import NotGot, get
from carekeep.web.outgoing.posting import post

_TIMEOUT_S = 10.0
_LARGEST = 256 * 1024  # a note, or a tile


def hosts_of(policy: Policy, networks: str) -> AllowedHosts:
    """The hosts in the URLs of a policy, and the networks that they may be in, if not public. Raises HostsRefused."""
    urls = [*(witness.url for witness in policy.witnesses), *(log.url for log in policy.logs)]
    return AllowedHosts.parse(" ".join((*_names(urls), networks)))


def submit_to(hosts: AllowedHosts, trust: ssl.SSLContext) -> Submit:
    """POSTs to these hosts, by the certificate authorities of ``trust``."""

    async def submit(url: str, body: bytes) -> Answer:
        try:
            endpoint = hosts.endpoint(url)
            reply = await post(endpoint, body, hosts=hosts, trust=trust, timeout_s=_TIMEOUT_S, largest=_LARGEST)
        except (EndpointRefused, NotGot) as error:
            raise Unreachable(f"it cannot be reached: {str(error).rstrip('.')}") from None
        return Answer(reply.status, reply.content_type, reply.body)

    return submit


def fetch_from(hosts: AllowedHosts, trust: ssl.SSLContext) -> Fetch:
    """GETs from these hosts, by the certificate authorities of ``trust``."""

    async def fetch(url: str) -> bytes:
        try:
            endpoint = hosts.endpoint(url)
            found = await get(endpoint, "*/*", hosts=hosts, trust=trust, timeout_s=_TIMEOUT_S, largest=_LARGEST)
        except (EndpointRefused, NotGot) as error:
            raise Unreachable(str(error)) from None
        return found.body

    return fetch


def _names(urls: Iterable[str]) -> Iterable[str]:
    """Names with ports. Addresses are allowed by their network alone."""
    for url in filter(None, urls):
        try:
            endpoint = parse_endpoint(url)
        except EndpointRefused as refused:
            raise HostsRefused(f"a URL in the policy: {refused}") from None
        try:
            ip_address(endpoint.host)
        except ValueError:
            yield f"{endpoint.host}:{endpoint.port}"

"""Fetching the keys of apps from where they keep them (``jwks_uri``), if the settings name the host."""

import ssl

from carekeep.identity.apps.key_sets import LARGEST, Fetch, Fetched, KeysUnavailable
from carekeep.web.outgoing import AllowedHosts, EndpointRefused
from carekeep.web.outgoing.getting import NotGot, get

_TIMEOUT_S = 5.0


def key_fetch(hosts: AllowedHosts, trust: ssl.SSLContext | None = None) -> Fetch:
    """Fetching from these hosts, by the system's certificate authorities or those of ``trust``."""
    context = trust or ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2

    async def fetch(url: str) -> Fetched:
        try:
            endpoint = hosts.endpoint(url)
            document = await get(
                endpoint,
                "application/jwk-set+json, application/json",
                hosts=hosts,
                trust=context,
                timeout_s=_TIMEOUT_S,
                largest=LARGEST,
            )
        except (EndpointRefused, NotGot) as error:
            raise KeysUnavailable(str(error)) from None
        return Fetched(document.body, document.cache_control)

    return fetch

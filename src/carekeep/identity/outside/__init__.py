"""Signing in with the organization's own directory: Carekeep as a relying party of OpenID Connect providers.

Invariants: only providers that the settings name; the code flow with PKCE, state and nonce; an answer counts once, and
only from the provider that was asked (RFC 9207); a role of theirs becomes a kind of ours only by the settings' table.
"""

from carekeep.identity.outside.fetching import Fetch, Fetched, FetchRefused, https_fetch
from carekeep.identity.outside.links import Links
from carekeep.identity.outside.provider import Provider, ProviderInvalid, Providers
from carekeep.identity.outside.relying_party import Begun, Outsider, OutsideRefused, RelyingParty

__all__ = [
    "Begun",
    "Fetch",
    "FetchRefused",
    "Fetched",
    "Links",
    "OutsideRefused",
    "Outsider",
    "Provider",
    "ProviderInvalid",
    "Providers",
    "RelyingParty",
    "https_fetch",
]

"""Origins as settings write them, and as browsers do."""

from ipaddress import ip_address
from urllib.parse import urlsplit

_HTTPS = 443

ORIGINS = ("base_url", "auth_url", "portal_url", "console_url")
"""The settings that are origins."""


def origin(url: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2), since it is compared with theirs; nothing stays nothing."""
    if not url:
        return url
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"https://{host}" + ("" if parts.port in {None, _HTTPS} else f":{parts.port}")


def is_address(host: str) -> bool:
    """Whether a host is an address instead of a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

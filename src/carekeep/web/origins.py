"""Which host a request is for. Each has pages and parts of its own, and what names none of them gets nothing.

A name that an attacker owns may be made to lead to this server (DNS rebinding): the browser then takes the attacker's
page for one of this host. The Host header still holds the attacker's name, and that is what shows it.
"""

from urllib.parse import urlsplit

from carekeep.web.http import BadRequest, Scope

_DEFAULT_PORT = 443


def authority(url: str) -> bytes:
    """The Host header of requests to an https URL: its host in lower case, and its port unless it is 443."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    return (bracketed if parts.port in {None, _DEFAULT_PORT} else f"{bracketed}:{parts.port}").encode("ascii")


def asked_authority(scope: Scope) -> bytes:
    """The host that a request names, as ``authority`` writes it; empty when it names none.

    Raises BadRequest for a request that names two: who reads it next might take the other one (RFC 9112 §3.2).
    """
    found = [value for name, value in scope["headers"] if name == b"host"]
    if len(found) > 1:
        raise BadRequest("The header host may stand only once.")
    return found[0].lower().removesuffix(b":443") if found else b""

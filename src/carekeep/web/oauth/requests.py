"""Parameters of authorization requests that are more than text. Each is bounded; what is wrong with one is said."""

import re
from collections.abc import Mapping

from carekeep.web.http import number
from carekeep.web.oauth.protocol import invalid_request

_LONGEST = 2_048
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def short(parameters: Mapping[str, str], name: str) -> str | None:
    """A parameter that is kept or shown: printable, at most 2,048 characters. Raises Refused."""
    value = parameters.get(name)
    if value is not None and (len(value) > _LONGEST or not value.isprintable()):
        raise invalid_request(f"The parameter {name} is too long, or cannot be printed.")
    return value


def prompts_of(parameters: Mapping[str, str]) -> frozenset[str]:
    """What the page shall ask for (OpenID Connect Core §3.1.2.1). Raises Refused."""
    prompts = frozenset(parameters.get("prompt", "").split())
    if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise invalid_request("prompt is none alone, or some of login, consent and select_account.")
    return prompts


def seconds_of(parameters: Mapping[str, str], name: str) -> int | None:
    """A number of seconds, in milliseconds. Raises Refused."""
    value = parameters.get(name)
    if value is None:
        return None
    seconds = number(value)
    if seconds is None:
        raise invalid_request(f"{name} is a whole number of seconds.")
    return seconds * 1000


def thumbprint(parameters: Mapping[str, str], name: str) -> str | None:
    """The thumbprint of a key (RFC 7638). Raises Refused."""
    value = parameters.get(name)
    if value is not None and not _THUMBPRINT.fullmatch(value):
        raise invalid_request(f"{name} is no thumbprint of a key.")
    return value

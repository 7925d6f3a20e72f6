"""Cookies that only this host gets, only over TLS, and no script reads (ASVS 3.3.1 to 3.3.4)."""

import re
from typing import Literal

from carekeep.web.http import Request

Header = tuple[bytes, bytes]

_PREFIX = "__Host-"  # RFC 6265bis §4.1.3.2: no Domain, Path=/, Secure; another host cannot set it
_VALUE = re.compile(r"[A-Za-z0-9._~+/=-]{1,2048}")
_MOST = 30  # cookies that are looked at


def cookie(name: str, value: str, *, same_site: Literal["Lax", "Strict"], seconds: int | None = None) -> Header:
    """The header that sets a cookie; without ``seconds`` it ends with the browser.

    ``Lax`` is for what must come along when another site sends a person here, ``Strict`` for the rest.
    """
    age = "" if seconds is None else f"; Max-Age={seconds}"
    text = f"{_PREFIX}{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}{age}"
    return b"set-cookie", text.encode("ascii")


def drop_cookie(name: str) -> Header:
    """The header that makes the browser forget a cookie."""
    return b"set-cookie", f"{_PREFIX}{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0".encode()


def read_cookie(request: Request, name: str) -> str | None:
    """The value of one of our cookies; None when it is not there, or cannot be one that we set."""
    header = request.header(b"cookie") or ""
    for pair in header.split(";")[:_MOST]:
        key, _, value = pair.strip().partition("=")
        if key == _PREFIX + name:
            return value if _VALUE.fullmatch(value) else None
    return None

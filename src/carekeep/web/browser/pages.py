"""Pages: a template, what it shows, and the headers under which it can do nothing else."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from carekeep.web.browser.cookies import Header
from carekeep.web.browser.static_files import StaticFiles
from carekeep.web.http import PAGE_HEADERS, Response

_HTML = b"text/html; charset=utf-8"
_NOT_KEPT = (b"cache-control", b"no-store")
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]{0,6000}")


class Pages:
    """Renders the templates of this package. ``random`` makes the nonces."""

    def __init__(self, static: StaticFiles, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["static"] = static.url

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        targets: Iterable[str] = (),
        headers: tuple[Header, ...] = (),
        **values: Any,
    ) -> Response:
        """The template with these values. ``targets``: other origins to which its forms may lead."""
        nonce = self._random(16).hex()
        body = self._environment.get_template(template).render(values, nonce=nonce)
        policy = _content_policy(nonce, targets)
        first = ((b"content-security-policy", policy), _NOT_KEPT)
        return Response(status, body.encode(), _HTML, (*first, *headers), PAGE_HEADERS)


def redirect(place: str, *headers: Header) -> Response:
    """303 See Other: whatever was sent, the next request is a GET."""
    return Response(303, b"", _HTML, ((b"location", place.encode("ascii")), _NOT_KEPT, *headers), PAGE_HEADERS)


def safe_path(text: str, otherwise: str) -> str:
    """``text`` if it is a path on this host, else ``otherwise``: nobody is sent elsewhere by a link (ASVS 3.7.2)."""
    return text if _PATH.fullmatch(text) else otherwise


def _content_policy(nonce: str, targets: Iterable[str]) -> bytes:
    forms = " ".join(("'self'", *targets))
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action {forms}; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ).encode("ascii")

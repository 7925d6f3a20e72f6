"""Pages: a template, what it shows, and the headers under which it can do nothing else."""

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from carekeep.web.browser.cookies import Header
from carekeep.web.browser.formats import Formats
from carekeep.web.browser.languages import LANGUAGES, translations
from carekeep.web.browser.static_files import StaticFiles
from carekeep.web.http import PAGE_HEADERS, Response

_HTML = b"text/html; charset=utf-8"
_NOT_KEPT = (b"cache-control", b"no-store")
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]{0,6000}")


class Pages:
    """Renders the templates of these packages, and those that all share. ``random`` makes the nonces.

    ``trusted_types``: the policies by which scripts of these pages may change them (CSP ``trusted-types``).
    """

    def __init__(
        self,
        static: StaticFiles,
        rooms: tuple[str, ...] = (),
        *,
        trusted_types: str = "'none'",
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._random = random
        self._trusted_types = trusted_types
        rooms = (*rooms, __package__ or "")
        self._environments = {language: _environment(language, rooms, static) for language in LANGUAGES}

    def page(
        self,
        template: str,
        *,
        status: int = 200,
        language: str = "en",
        targets: Iterable[str] = (),
        sends: bool = True,
        headers: tuple[Header, ...] = (),
        **values: Any,
    ) -> Response:
        """The template with these values. ``targets``: other origins to which its forms may lead.

        Without ``sends`` the browser keeps the page from sending anything to anywhere.
        """
        nonce = self._random(16).hex()
        body = self._environments[language].get_template(template).render(values, nonce=nonce)
        policy = _content_policy(nonce, targets, self._trusted_types, sends=sends)
        first = ((b"content-security-policy", policy), _NOT_KEPT)
        return Response(status, body.encode(), _HTML, (*first, *headers), PAGE_HEADERS)


def _environment(language: str, rooms: tuple[str, ...], static: StaticFiles) -> Environment:
    """Where templates come from, and what each may use beside its values."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room) for room in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    texts = translations(language, rooms)
    environment.install_gettext_callables(texts.gettext, texts.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"static": static.url, "language": language, "languages": LANGUAGES}
    # Of jinja2's own gettext what is translated counts as safe: only literals may be given to it.
    environment.filters |= {
        "speak": lambda text: texts.gettext(str(text)) if text else "",
        **Formats(language).filters(),
    }
    return environment


def redirect(place: str, *headers: Header) -> Response:
    """303 See Other: whatever was sent, the next request is a GET."""
    return Response(303, b"", _HTML, ((b"location", place.encode("ascii")), _NOT_KEPT, *headers), PAGE_HEADERS)


def safe_path(text: str, otherwise: str) -> str:
    """``text`` if it is a path on this host, else ``otherwise``: nobody is sent elsewhere by a link (ASVS 3.7.2)."""
    return text if _PATH.fullmatch(text) else otherwise


def _content_policy(nonce: str, targets: Iterable[str], trusted_types: str, *, sends: bool) -> bytes:
    forms = " ".join(("'self'", *targets)) if sends else "'none'"
    connections = "'self'" if sends else "'none'"
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {connections}; form-action {forms}; frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
        f"require-trusted-types-for 'script'; trusted-types {trusted_types}"
    ).encode("ascii")

"""Style sheets, scripts and pictures, kept in memory; named after their content, so that browsers keep them."""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources

from carekeep.web.http import PAGE_HEADERS, Response

_TYPES: Mapping[str, bytes] = {
    "css": b"text/css; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
# A picture that is opened by itself is a document, which could hold scripts.
_ALONE = (b"content-security-policy", b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")


class StaticFiles:
    """The files of the folder ``static`` beside this module, served below ``/static``."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}
        self._files: dict[str, Response] = {}
        for file in resources.files(__package__).joinpath("static").iterdir():
            stem, _, ending = file.name.rpartition(".")
            if ending not in _TYPES:
                continue
            content = file.read_bytes()
            named = f"{stem}.{_short_digest(content)}.{ending}"
            self._by_name[file.name] = f"/static/{named}"
            self._files[named] = Response(200, content, _TYPES[ending], (_FOR_EVER, _ALONE), PAGE_HEADERS)

    def url(self, name: str) -> str:
        """The path of a file, for a page. Raises KeyError when there is none of this name."""
        return self._by_name[name]

    def answer(self, name: str) -> Response | None:
        """The file as a response; None when there is none of this name."""
        return self._files.get(name)


def _short_digest(content: bytes) -> str:
    return base64.b32encode(hashlib.sha256(content).digest())[:12].decode().lower()

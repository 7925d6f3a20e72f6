"""Style sheets, scripts and pictures, kept in memory; named after their content, so that browsers keep them."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
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


class AssetsMissing(Exception):
    """A checkout without what pages use of others."""


class StaticFiles:
    """Our own files, of the folder ``static`` of each of these packages, and those of others, served below ``/static``.

    Those of others are in the folder ``built`` of ``web/assets``. Raises AssetsMissing when nobody fetched them.
    """

    def __init__(self, rooms: Iterable[str] = ()) -> None:
        self._by_name: dict[str, str] = {}
        self._files: dict[str, Response] = {}
        assets = resources.files("carekeep.web").joinpath("assets", "built")
        if not assets.joinpath("manifest.json").is_file():
            raise AssetsMissing("The style sheets and scripts of the pages are not there: run `make assets`.")
        for folder in (assets, *(resources.files(room).joinpath("static") for room in (__package__, *rooms))):
            for file in folder.iterdir() if folder.is_dir() else ():
                self._take(file.name, file.read_bytes)

    def _take(self, name: str, read: Callable[[], bytes]) -> None:
        stem, _, ending = name.rpartition(".")
        if ending not in _TYPES:
            return
        content = read()
        named = f"{stem}.{_short_digest(content)}.{ending}"
        self._by_name[name] = f"/static/{named}"
        self._files[named] = Response(200, content, _TYPES[ending], (_FOR_EVER, _ALONE), PAGE_HEADERS)

    def url(self, name: str) -> str:
        """The path of a file, for a page. Raises KeyError when there is none of this name."""
        return self._by_name[name]

    def answer(self, name: str) -> Response | None:
        """The file as a response; None when there is none of this name."""
        return self._files.get(name)


def _short_digest(content: bytes) -> str:
    return base64.b32encode(hashlib.sha256(content).digest())[:12].decode().lower()

"""An attachment as an answer: a file to be saved, of which a browser runs nothing should it show it all the same."""

from typing import Final
from urllib.parse import quote

from carekeep.web.attachments.checking import PDF, TEXT
from carekeep.web.http import PAGE_HEADERS, Response

_KINDS: Final = frozenset({"image/jpeg", "image/png", PDF, TEXT})
_POLICY: Final = b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox"


def as_file(name: str, kind: str, content: bytes) -> Response:
    """The file. A type that is not one of ours is served as bytes of no type (RFC 6266 for the name)."""
    media = kind if kind in _KINDS else "application/octet-stream"
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    headers = (
        (b"content-disposition", disposition.encode("ascii")),
        (b"content-security-policy", _POLICY),
        (b"cache-control", b"no-store"),
    )
    return Response(200, content, media.encode("ascii"), headers, PAGE_HEADERS)

"""Forms with a file (``multipart/form-data``, RFC 7578); read strictly and in bounds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from carekeep.web.browser.forms import Form, read_form
from carekeep.web.http import BadRequest, Request

_MOST_PARTS: Final = 20
_LARGEST_HEAD: Final = 2_048
_LARGEST_FIELD: Final = 32 * 1024
_BOUNDARY: Final = re.compile(r"multipart/form-data; *boundary=\"?([A-Za-z0-9'()+_,./:=?-]{1,70})\"?", re.IGNORECASE)
_NAMED: Final = re.compile(r'form-data; name="([^"\r\n]{1,100})"(?:; filename="([^"\r\n]{0,500})")?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a browser sent it: the name that it says, and the content."""

    name: str = field(repr=False)
    content: bytes = field(repr=False)


async def read_upload(request: Request, field_name: str, largest: int) -> tuple[Form, Upload | None]:
    """The fields of a form, and its one file (None: none was chosen). Raises BadRequest (400, 413, 415).

    A form without a file may come as any other form.
    """
    given = request.header(b"content-type") or ""
    if not given.lower().startswith("multipart/"):
        return await read_form(request), None
    found = _BOUNDARY.fullmatch(given.strip())
    if found is None:
        raise BadRequest("Send a form as multipart/form-data with a boundary.", 415)
    body = await request.body(largest + _MOST_PARTS * (_LARGEST_FIELD + _LARGEST_HEAD))
    fields: dict[str, str] = {}
    upload: Upload | None = None
    for name, file_name, content in _parts(body, found[1].encode("ascii")):
        if file_name is not None:
            if name != field_name or upload is not None:
                raise BadRequest("The form has a file where none belongs.")
            upload = Upload(file_name, content)
            continue
        if name in fields:
            raise BadRequest("A field of the form stands twice.")
        if len(content) > _LARGEST_FIELD:
            raise BadRequest("A field of the form is too long.", 413)
        fields[name] = _text(content)
    chosen = upload if upload is not None and (upload.name or upload.content) else None
    return Form(fields), chosen


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, str | None, bytes]]:
    """Name, name of the file (None for a field) and content of each part."""
    delimiter = b"\r\n--" + boundary
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or pieces[0] or pieces[-1].strip() != b"--" or len(pieces) > _MOST_PARTS:  # noqa: PLR2004
        raise BadRequest("The form is not whole, or has too many parts.")
    for piece in pieces[1:-1]:
        head, ended, content = piece.partition(b"\r\n\r\n")
        if not ended or len(head) > _LARGEST_HEAD:
            raise BadRequest("A part of the form cannot be read.")
        lines = [line.partition(":") for line in _text(head).split("\r\n") if line]
        values = [value.strip() for name, _, value in lines if name.lower() == "content-disposition"]
        named = _NAMED.fullmatch(values[0]) if len(values) == 1 else None
        if named is None:
            raise BadRequest("A part of the form has no name.")
        yield named[1], named[2], content


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The form is not UTF-8.") from None

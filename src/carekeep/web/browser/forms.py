"""What a person sent with a form, or a script of ours as JSON; read strictly and in bounds."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from carekeep.web.http import BadRequest, Request, form_pairs

_MAX_FORM = 32 * 1024
_MAX_JSON = 64 * 1024  # a WebAuthn attestation is some kilobytes
_MAX_FIELD = 16_384  # an authorization request, repeated by the page that asks for permission


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, each given once. They may hold secrets, so the repr does not show them."""

    _fields: dict[str, str] = field(repr=False)

    def get(self, name: str) -> str:
        """A field; empty when it was not sent."""
        return self._fields.get(name, "")

    def __contains__(self, name: str) -> bool:
        return name in self._fields


async def read_form(request: Request, *, largest: int = _MAX_FORM, longest: int = _MAX_FIELD) -> Form:
    """The form in a request's body. Raises BadRequest for another type, a field given twice or too long.

    ``largest``: bytes of the whole form; ``longest``: characters of one field.
    """
    if _media_type(request) != "application/x-www-form-urlencoded":
        raise BadRequest("Send a form as application/x-www-form-urlencoded.", 415)
    body = await request.body(largest)
    if not body.isascii():
        raise BadRequest("The form is not plain ASCII with percent-encoded UTF-8.")
    fields: dict[str, str] = {}
    for name, value in form_pairs(body.decode("ascii")):
        if name in fields:
            raise BadRequest("A field of the form stands twice.")
        if len(value) > longest:
            raise BadRequest("A field of the form is too long.", 413)
        fields[name] = value
    return Form(fields)


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body. Raises BadRequest."""
    if _media_type(request) != "application/json":
        raise BadRequest("Send JSON as application/json.", 415)
    try:
        found = orjson.loads(await request.body(_MAX_JSON))
    except orjson.JSONDecodeError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise BadRequest("The body is not a JSON object.")
    return found


def as_json_again(part: Any) -> bytes:
    """A part of what ``read_json`` gave, as JSON. Raises BadRequest for one that is nested too deeply."""
    try:
        return orjson.dumps(part)
    except orjson.JSONEncodeError:
        raise BadRequest("The JSON is nested too deeply.") from None


def _media_type(request: Request) -> str:
    return (request.header(b"content-type") or "").partition(";")[0].strip().lower()

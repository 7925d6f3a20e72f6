"""The resource that a request brings: FHIR JSON, or for a Binary any content in its own type (FHIR R4, Binary)."""

import base64
import re
from typing import Any

from carekeep.fhir import JsonLimits, JsonRefused, parse_json
from carekeep.web.fhir.bodies import MAX_RESOURCE, check_valid, read_resource
from carekeep.web.http import Request
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

_FHIR = "application/fhir+json"
_JSON = frozenset({_FHIR, "application/json"})
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}"
MEDIA_TYPE = re.compile(rf'{_WORD}/{_WORD}(?: ?; ?{_WORD}=(?:{_WORD}|"[^"\\\x00-\x1f\x7f]{{0,100}}"))*', re.ASCII)
"""RFC 9110 §8.3.1, without quoted pairs and control characters: what may stand in a header."""


async def read_submitted(passage: Passage, type_: str) -> dict[str, Any]:
    """The resource of the given type, as valid as the settings ask. Raises 400, 413, 415 or 422 and says where."""
    if type_ == "Binary":
        return await _read_binary(passage.request)
    lenient = passage.services.profiles.strictness.is_lenient(type_)
    return await read_resource(passage.request, type_, lenient=lenient)


async def _read_binary(request: Request) -> dict[str, Any]:
    content_type = (request.header(b"content-type") or "").strip()
    if not MEDIA_TYPE.fullmatch(content_type):
        raise problem(415, "not-supported", "Send the content with its own Content-Type.")
    body = await request.body(MAX_RESOURCE)
    kind = content_type.split(";")[0].strip().lower()
    resource = _resource_in(body, kind) if kind in _JSON else None
    if resource is None:
        resource = {"resourceType": "Binary", "contentType": content_type, "data": base64.b64encode(body).decode()}
        if not body:
            del resource["data"]
        context = request.header(b"x-security-context")
        if context is not None:
            resource["securityContext"] = {"reference": context.strip()}
        if request.method == "PUT" and len(request.segments) > _WITH_ID:
            resource["id"] = request.segments[_WITH_ID]
    check_valid(resource)
    return resource


_WITH_ID = 2  # /fhir/Binary/[id]


def _resource_in(body: bytes, kind: str) -> dict[str, Any] | None:
    """The Binary that the body is, or None for JSON that is the content of one."""
    try:
        value = parse_json(body, JsonLimits(size=MAX_RESOURCE))
    except JsonRefused as refused:
        if kind != _FHIR:
            return None
        raise Problem(400, refused.issue) from None
    return value if value.get("resourceType") == "Binary" else None

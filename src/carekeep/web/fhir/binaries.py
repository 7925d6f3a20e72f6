"""The content of a Binary as it is (FHIR R4, Binary: unless the client asks for FHIR by name).

The content is whatever somebody put there, on the origin of the API. So a browser is told to keep it as a file and,
should it show it all the same, to run nothing of it.
"""

import base64

from carekeep.fhir import Issue
from carekeep.records import Stored
from carekeep.web.fhir.bodies import version_headers
from carekeep.web.fhir.submitted import MEDIA_TYPE
from carekeep.web.http import Request, Response
from carekeep.web.problems import Problem

_FHIR = (b"application/fhir+json", b"application/json", b"text/json")
# Beside the policy that every answer has: a browser holds to both (CSP 3 §3.1).
_AS_A_FILE = ((b"content-disposition", b"attachment"), (b"content-security-policy", b"sandbox"))


def wants_content(request: Request) -> bool:
    """Whether the client would rather have the content than the resource."""
    if request.segments[1:2] != ("Binary",):
        return False
    asked = [value.split(";")[0].strip().lower() for name, value in request.pairs() if name == "_format"]
    if asked:
        return "json" not in asked[-1]
    accept = request.headers.get(b"accept", b"").lower()
    return not any(media in accept for media in _FHIR)


def content(stored: Stored) -> Response:
    """The content, in its own type. Raises Problem (404) for a Binary without any."""
    resource = stored.resource
    data = resource.get("data")
    if data is None:
        issue = Issue("error", "not-found", "Binary.data", "This Binary has no content.")
        raise Problem(404, issue)
    media = resource["contentType"]
    kind = media.encode() if MEDIA_TYPE.fullmatch(media) else b"application/octet-stream"
    return Response(200, base64.b64decode(data), kind, (*version_headers(stored), *_AS_A_FILE))

"""Bodies in and out: content types, parsing, validation, headers of versions."""

from collections.abc import Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from carekeep.fhir import (
    RESOURCE_TYPES,
    Issue,
    JsonLimits,
    JsonRefused,
    dump_json,
    operation_outcome,
    parse_json,
    validate,
)
from carekeep.records import Stored
from carekeep.web.http import Request, Response, number
from carekeep.web.problems import Problem, problem

MAX_RESOURCE = 8 * 1024 * 1024  # bytes
MAX_BUNDLE = 64 * 1024 * 1024
_DONE = Issue("information", "informational", "", "It is stored as it was sent.")
_JSON_TYPES = frozenset({"application/fhir+json", "application/json"})
_READABLE = ("*/*", "application/*", "application/fhir+json", "application/json", "text/json", "json")


def check_accept(request: Request) -> None:
    """Raises 406 when the client can read nothing that we write."""
    accept = request.headers.get(b"accept")
    if accept is None or accept == b"*/*" or b"json" in accept:
        return
    wanted = [part.split(";")[0].strip() for part in accept.decode("latin-1").lower().split(",")]
    if not any(media in _READABLE for media in wanted):
        raise problem(406, "not-supported", "Carekeep answers in application/fhir+json; it does not speak XML.")


def check_format(values: list[str]) -> None:
    """Raises 406 for a ``_format`` that is not JSON."""
    for value in values:
        if value.split(";")[0].strip().lower() not in _READABLE:
            raise problem(406, "not-supported", "_format: Carekeep answers in json; it does not speak XML.")


async def read_resource(request: Request, type_: str, *, lenient: bool = False) -> dict[str, Any]:
    """The valid resource of the given type in the body. Raises 400, 413, 415 or 422 and says where."""
    resource = await read_json(request, MAX_RESOURCE)
    if resource.get("resourceType") != type_:
        raise problem(400, "invalid", f"The body must be a {type_}, as the URL says.", f"{type_}.resourceType")
    check_valid(resource, lenient=lenient)
    return resource


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """The JSON object in the body, bounded in size and depth."""
    content_type = request.header(b"content-type") or ""
    if content_type.split(";")[0].strip().lower() not in _JSON_TYPES:
        raise problem(415, "not-supported", "Send application/fhir+json; XML is not taken.")
    try:
        return parse_json(await request.body(limit), JsonLimits(size=limit))
    except JsonRefused as error:
        raise Problem(413 if error.issue.code == "too-long" else 400, error.issue) from None


def check_valid(resource: dict[str, Any], at: str = "", *, lenient: bool = False) -> None:
    """Raises 422 with every error that validation finds; ``at`` goes before their expressions."""
    issues = [issue for issue in validate(resource, lenient=lenient) if issue.severity in {"error", "fatal"}]
    if issues:
        raise Problem(422, *(Issue(i.severity, i.code, f"{at}{i.expression}", i.diagnostics) for i in issues))


def known_type(name: str) -> str:
    """The resource type a URL names. Raises 404 when R4 has none of that name."""
    if name not in RESOURCE_TYPES:
        raise problem(404, "not-supported", "FHIR R4 has no resource type of the name in the URL.")
    return name


def version_headers(stored: Stored) -> tuple[tuple[bytes, bytes], ...]:
    """ETag and Last-Modified of a version."""
    return ((b"etag", b'W/"%d"' % stored.version), (b"last-modified", _http_date(stored.last_updated_ms // 1000)))


def gone(stored: Stored) -> Problem:
    """The 410 of a deleted record; its history is still there."""
    issue = Issue("error", "deleted", "", f"{stored.reference} was deleted.")
    return Problem(410, issue, headers=((b"etag", b'W/"%d"' % stored.version),))


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> bytes:
    """A time as HTTP writes it; much of what is asked for was written in the same few seconds."""
    return formatdate(seconds, usegmt=True).encode()


def expected_version(header: str | None) -> int | None:
    """The version in If-Match. Raises 400 for one that no version of ours could have."""
    if header is None:
        return None
    version = number(header.strip().removeprefix("W/").strip('"'))
    if version is None:
        raise problem(400, "value", 'If-Match must be one version of this record, like W/"3".')
    return version


def return_preference(request: Request) -> str:
    """``representation`` (default), ``minimal`` or ``OperationOutcome``, from Prefer."""
    prefer = (request.header(b"prefer") or "").replace(" ", "")
    for part in prefer.replace(";", ",").split(","):
        if part.startswith("return="):
            return part.removeprefix("return=")
    return "representation"


def lenient(request: Request) -> bool:
    """Whether unknown search parameters are to be ignored rather than refused."""
    return "handling=lenient" in (request.header(b"prefer") or "").replace(" ", "")


def written(stored: Stored, status: int, fhir_url: str, preference: str, remarks: Sequence[Issue] = ()) -> Response:
    """The answer to a write: where the version is, and the resource unless the client wants less.

    ``remarks`` are warnings of what was taken all the same, for a client that wants an OperationOutcome.
    """
    location = f"{fhir_url}/{stored.reference}/_history/{stored.version}".encode()
    headers = (*version_headers(stored), (b"location", location))
    if preference == "OperationOutcome":
        return Response(status, dump_json(operation_outcome([_DONE, *remarks])), headers=headers)
    return Response(status, b"" if preference == "minimal" else stored.body, headers=headers)

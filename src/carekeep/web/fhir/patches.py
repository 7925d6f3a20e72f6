"""Patches as they come in a request, and what they make of a record."""

import base64
import binascii
from dataclasses import replace
from typing import Any

from carekeep.fhir import Issue, JsonLimits, JsonRefused, parse_json, parse_json_list, validate
from carekeep.fhir.patch import Patch, PatchRefused, read_fhirpath_patch, read_json_patch
from carekeep.records import Stored
from carekeep.web.fhir.bodies import MAX_RESOURCE, check_valid
from carekeep.web.http import Request
from carekeep.web.problems import Problem, problem

JSON_PATCH = "application/json-patch+json"
FORMATS = ("application/fhir+json", JSON_PATCH)
_PARAMETERS = frozenset({"application/fhir+json", "application/json"})


async def read_patch(request: Request) -> Patch:
    """The patch in the body, by its content type. Raises 400, 413, 415 and says what is wrong with it."""
    kind = (request.header(b"content-type") or "").split(";")[0].strip().lower()
    if kind != JSON_PATCH and kind not in _PARAMETERS:
        raise problem(
            415, "not-supported", f"Send a patch as {JSON_PATCH} or, for FHIRPath Patch, application/fhir+json."
        )
    body = await request.body(MAX_RESOURCE)
    if kind == JSON_PATCH:
        return _json_patch(body)
    try:
        return patch_of(parse_json(body, JsonLimits(size=MAX_RESOURCE)), "")
    except JsonRefused as refused:
        raise _refusal_of_body(refused) from None


def patch_of(resource: dict[str, Any], at: str) -> Patch:
    """The patch that a resource carries: a Parameters, or a Binary with a JSON Patch in it. Raises Problem (400).

    ``at`` is the place of the resource in its Bundle, to be put before the expressions of issues.
    """
    issues = [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}]
    if issues:
        raise Problem(400, *(Issue(i.severity, i.code, _under(at, i.expression), i.diagnostics) for i in issues))
    if resource["resourceType"] == "Binary":
        return _json_patch(_content(resource, at), at)
    if resource["resourceType"] != "Parameters":
        raise problem(400, "invalid", "A patch is a Parameters with operations (FHIRPath Patch).", at)
    try:
        return read_fhirpath_patch(resource)
    except PatchRefused as refused:
        raise _refusal(refused, at) from None


def patched(current: Stored, patch: Patch, *, lenient: bool) -> dict[str, Any]:
    """What a patch makes of a version: a whole resource, as valid as is asked. Raises 422 and says why it is not."""
    try:
        resource = patch.apply(current.resource)
    except PatchRefused as refused:
        raise _refusal(refused, "") from None
    check_valid(resource, lenient=lenient)
    return resource


def _json_patch(body: bytes, at: str = "") -> Patch:
    try:
        return read_json_patch(parse_json_list(body, JsonLimits(size=MAX_RESOURCE)))
    except JsonRefused as refused:
        raise _refusal_of_body(refused, f"{at}.data" if at else "") from None
    except PatchRefused as refused:
        raise _refusal(refused, at) from None


def _content(binary: dict[str, Any], at: str) -> bytes:
    if binary["contentType"].split(";")[0].strip().lower() != JSON_PATCH:
        raise problem(
            400,
            "not-supported",
            f"A patch in a Binary has the contentType {JSON_PATCH}.",
            _under(at, "Binary.contentType"),
        )
    try:
        return base64.b64decode("".join(binary.get("data", "").split()), validate=True)
    except binascii.Error:
        raise problem(400, "value", "The data is not Base64.", _under(at, "Binary.data")) from None


def _refusal(refused: PatchRefused, at: str) -> Problem:
    issue = replace(refused.issue, expression=_under(at, refused.issue.expression))
    return Problem(400 if refused.malformed else 422, issue)


def _refusal_of_body(refused: JsonRefused, at: str = "") -> Problem:
    return Problem(413 if refused.issue.code == "too-long" else 400, replace(refused.issue, expression=at))


def _under(at: str, expression: str) -> str:
    """An expression of a resource, below the place of the resource: ``Bundle.entry[2].resource.parameter[0]``."""
    if not at:
        return expression
    if expression.startswith("patch"):
        return f"{at}.data"
    rest = expression.partition(".")[2]
    return f"{at}.{rest}" if rest else at

"""Answers of SCIM: resources, lists and errors (RFC 7644, 3.12), none of which repeats what was refused."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import orjson
from pydantic import ValidationError
from scim2_models import Context, Error, ResponseParameters, SCIMException
from scim2_models.base import BaseModel

from carekeep.identity import AccountInvalid, IdentityError, TokenRefused
from carekeep.identity.provisioning import Taken
from carekeep.web.http import Response
from carekeep.web.problems import as_problem, log_unexpected
from carekeep.web.scim.models import POLICY, PROVIDER

JSON = b"application/scim+json"
_LONGEST_DETAIL = 300
_NAMES = {"login": "userName", "external_id": "externalId", "fhir_user": "fhirUser", "kind": "userType"}
_NAMES |= {"name": "displayName", "disabled": "active"}
_QUOTED = re.compile(r"['\"](.*)['\"]", re.DOTALL)  # from the first mark to the last: there may be some within
_ATTRIBUTES = frozenset({attribute.name for schema in PROVIDER.schemas for attribute in schema.attributes or ()})


def told(
    shown: BaseModel,
    parameters: ResponseParameters[Any] | None = None,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """A resource or a list, with the attributes that were asked for."""
    facts = shown.model_dump(
        scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=parameters, scim_policy=POLICY
    )
    written = tuple((name.encode("ascii"), value.encode("ascii")) for name, value in headers.items())
    return Response(status, orjson.dumps(facts), JSON, written)


def refused(error: Exception) -> Response:
    """The answer to a request that was not carried out."""
    if isinstance(error, SCIMException):
        return _of_exception(error)
    if isinstance(error, ValidationError):
        return _answer(_unquoted(Error.from_validation_errors(error)[0]))
    if isinstance(error, Taken):
        return _answer(Error(status=409, scim_type="uniqueness", detail=f"Another account has this {_named(error)}."))
    if isinstance(error, AccountInvalid):
        return _answer(Error(status=400, scim_type="invalidValue", detail=f"{_named(error)}: {error}"))
    if isinstance(error, IdentityError) and not isinstance(error, TokenRefused):
        return _answer(Error(status=400, scim_type="invalidValue", detail=str(error)))
    found = as_problem(error)
    if found is not None:
        said = " ".join(issue.diagnostics for issue in found.issues)
        return _answer(Error(status=found.status, detail=said), found.headers)
    log_unexpected(error, "SCIM")
    return _answer(Error(status=500, detail="The server failed at this request; nothing of it was stored."))


def reason_of(error: Exception, status: int) -> str:
    """What the ledger is told of a refusal."""
    kind = getattr(error, "scim_type", "")
    if isinstance(error, Taken | AccountInvalid):
        kind = _named(error)
    return f"answered with {status} {kind}".strip()


def _of_exception(error: SCIMException) -> Response:
    # Of a value in a PATCH the exception holds the models' whole report, with names of our classes.
    if isinstance(error.__cause__, ValidationError):
        return _answer(_unquoted(Error.from_validation_errors(error.__cause__)[0]))
    return _answer(_unquoted(error.to_error()))


def _unquoted(error: Error) -> Error:
    """Without what the library quotes of the request, unless that is the name of an attribute."""
    error.detail = _QUOTED.sub(lambda found: found[0] if found[1] in _ATTRIBUTES else "…", error.detail or "")
    return error


def _named(error: Taken | AccountInvalid) -> str:
    return _NAMES.get(error.field, error.field)


def _answer(error: Error, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Response:
    error.detail = (error.detail or "")[:_LONGEST_DETAIL]
    return Response(error.status or 500, orjson.dumps(error.model_dump()), JSON, headers)

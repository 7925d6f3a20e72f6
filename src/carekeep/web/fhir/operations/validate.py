"""``$validate``: would the server take this? An OperationOutcome says what is wrong, or that nothing is (FHIR R4)."""

from typing import Any

from carekeep.access import Action, Target
from carekeep.fhir import Issue, dump_json, operation_outcome
from carekeep.fhir.validation.profiles import ProfileRefused
from carekeep.records import NotFound, Stored
from carekeep.web.fhir.arguments import Arguments, body_arguments, url_arguments
from carekeep.web.fhir.bodies import MAX_RESOURCE, read_json
from carekeep.web.fhir.disclosure import Disclosure, called
from carekeep.web.http import Response
from carekeep.web.passage import Passage, target_of
from carekeep.web.problems import problem
from carekeep.web.profiles import is_base
from carekeep.web.writable import UNWRITABLE, target_of_resource, unenforceable

Json = dict[str, Any]
_NAMES = ("resource", "mode", "profile")
_MODES = ("create", "update", "delete", "profile")
_FINE = Issue("information", "informational", "", "No issues: the server would take it.")


async def validate(passage: Passage, type_: str, _: str) -> Response:
    """``[type]/$validate`` of the resource in the body."""
    await passage.authenticate(Action.CAPABILITY_READ)
    arguments = await _arguments(passage, type_)
    mode = _mode(arguments)
    if mode in {"update", "delete"}:
        raise problem(400, "invalid", f"mode {mode} is about one record: [type]/[id]/$validate.", "mode")
    resource = _resource(arguments)
    issues = await _contents(passage, type_, resource, arguments)
    if mode == "create" and not _broken(issues):
        issues += await _permission(passage, Action.CREATE, target_of_resource(resource))
    decision = await passage.demand(Action.CAPABILITY_READ, Target())
    await passage.record(
        Action.CAPABILITY_READ,
        "permitted",
        decision=decision,
        query=called(f"{type_}/$validate", arguments.given),
    )
    return _answer(issues)


async def validate_record(passage: Passage, type_: str, id_: str) -> Response:
    """``[type]/[id]/$validate``: of the stored record, or of what is to become it."""
    await passage.authenticate(Action.READ)
    arguments = await _arguments(passage, type_)
    mode = _mode(arguments)
    if mode == "create":
        raise problem(400, "invalid", "mode create is about no record yet: [type]/$validate.", "mode")
    disclosure = Disclosure(passage)
    current = await _current(disclosure, type_, id_, new=mode == "update")
    if mode == "delete" and current is not None:
        issues = await _permission(passage, Action.DELETE, target_of(current))
    elif not arguments.all("resource") and current is not None:
        disclosure.show(current)  # issues tell of its content
        issues = await _contents(passage, type_, current.resource, arguments)
    else:
        resource = _resource(arguments)
        issues = await _contents(passage, type_, resource, arguments)
        if resource.get("id") != id_:
            issues.append(Issue("error", "invalid", f"{type_}.id", "The id must be the one in the URL."))
        if mode == "update" and not _broken(issues):
            if current is not None:
                issues += await _permission(passage, Action.UPDATE, target_of(current))
            action = Action.CREATE if current is None else Action.UPDATE
            issues += await _permission(passage, action, target_of_resource(resource))
    await disclosure.record(called(f"{type_}/{id_}/$validate", arguments.given))
    return _answer(issues)


async def _current(disclosure: Disclosure, type_: str, id_: str, *, new: bool) -> Stored | None:
    """The record, which an update (``new``) may also bring into being."""
    try:
        return await disclosure.subject(type_, id_)
    except NotFound:
        if new:
            return None
        raise


async def _arguments(passage: Passage, type_: str) -> Arguments:
    """From the URL and, by POST, from a Parameters or the resource itself."""
    from_url = url_arguments(passage, *_NAMES)
    if passage.request.method != "POST":
        return from_url
    body = await read_json(passage.request, MAX_RESOURCE)
    if body.get("resourceType") != "Parameters" or (type_ == "Parameters" and not _wraps(body)):
        return Arguments((*from_url.given, ("resource", body)))
    return Arguments(from_url.given + body_arguments(body, *_NAMES).given)


def _wraps(parameters: Json) -> bool:
    rows = parameters.get("parameter")
    return isinstance(rows, list) and any(isinstance(row, dict) and row.get("name") in _NAMES for row in rows)


def _mode(arguments: Arguments) -> str | None:
    mode = arguments.text("mode")
    if mode is not None and mode not in _MODES:
        raise problem(400, "code-invalid", f"mode is one of {', '.join(_MODES)}.", "mode")
    if mode == "profile" and not arguments.all("profile"):
        raise problem(400, "required", "mode profile needs a profile.", "profile")
    return mode


def _resource(arguments: Arguments) -> Json:
    resource = arguments.element("resource")
    if resource is None:
        raise problem(400, "required", "Send the resource, or a Parameters with a parameter 'resource'.", "resource")
    return resource


async def _contents(passage: Passage, type_: str, resource: Json, arguments: Arguments) -> list[Issue]:
    """What is wrong with the resource itself. Raises 422 for a profile that is not here (R4: SHALL be an error)."""
    profiles = passage.services.profiles
    asked = arguments.texts("profile")
    for canonical in asked:
        if not is_base(canonical, type_):
            found = await profiles.find(canonical)
            if found is None:
                raise problem(422, "not-supported", "This server has no profile with this URL loaded.", "profile")
            if isinstance(found, ProfileRefused):
                raise problem(422, "not-supported", f"This profile cannot be checked: {found}.", "profile")
    if resource.get("resourceType") != type_:
        return [Issue("error", "invalid", f"{type_}.resourceType", f"It must be a {type_}, as the URL says.")]
    issues = await profiles.issues(resource, asked)
    issues += unenforceable(resource)
    if type_ in UNWRITABLE:
        issues.append(Issue("error", "not-supported", type_, UNWRITABLE[type_]))
    return issues


async def _permission(passage: Passage, action: Action, target: Target) -> list[Issue]:
    decision = await passage.judge(action, target)
    return [] if decision.permitted else [Issue("error", "forbidden", "", decision.reason)]


def _broken(issues: list[Issue]) -> bool:
    return any(issue.severity in {"error", "fatal"} for issue in issues)


def _answer(issues: list[Issue]) -> Response:
    return Response(200, dump_json(operation_outcome(issues or [_FINE])))
